"""The parts that the routes share: model, queues, threads, library, and the admission of requests."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from seesay.errors import DeadlineExceeded, ModelNotServed
from seesay.images.decoding.memory import allocate_large_blocks
from seesay.library.search.background import read_or_encode_phrases
from seesay.model import Model
from seesay.serving import limits
from seesay.serving.batching import Room
from seesay.serving.encoding import ItemEncoder
from seesay.serving.guard.keys import Keys
from seesay.serving.health import HealthCheck
from seesay.serving.joined_engine import JoinedEngine, TimedEngine
from seesay.serving.metrics import Metrics
from seesay.serving.names import TaughtNames
from seesay.serving.photos.charts import Charts
from seesay.serving.photos.copies import Copies
from seesay.serving.photos.gazetteer import Gazetteer
from seesay.serving.photos.indexing import Indexing
from seesay.serving.photos.photos import Photos
from seesay.serving.photos.thumbnails import Thumbnails
from seesay.serving.prompts import Prompts
from seesay.serving.settings import Settings
from seesay.system.cpu import available_cores


class Service:
    """library: its folder, None for the user's own. cache: a folder for thumbnails, None for none."""

    def __init__(self, model: Model, settings: Settings, library: Path | None, cache: Path | None) -> None:
        allocate_large_blocks()
        self.settings = settings
        self.room = Room(settings.waiting)
        self.metrics = Metrics(self.room)
        self.keys = Keys(settings.api_key)
        self.engine = _joined(model, self.metrics)
        self.model = model.with_engine(self.engine)
        self.decoders = ThreadPoolExecutor(available_cores(), thread_name_prefix="seesay-decode")
        self.photos = Photos(library, self.model)
        self.names = TaughtNames(self.photos.path, self.model)
        self.encoder = ItemEncoder(self.model, self.engine, self.photos, self.decoders, settings, self.metrics)
        self.prompts = Prompts(self.model)
        self.health = HealthCheck(self.encoder)
        self.indexing = Indexing(self.photos.path, self.model)
        self.charts = Charts(self.photos)
        self.copies = Copies(self.photos, paths=settings.local)
        self.thumbnails = Thumbnails(cache)
        self.gazetteer = Gazetteer()
        self._phrases: np.ndarray | None = None
        self._phrases_lock = asyncio.Lock()

    def close(self) -> None:
        """Stops background work and waits for what is under way."""
        self.indexing.close()
        self.charts.close()
        self.copies.close()
        self.photos.close()
        self.prompts.close()
        self.encoder.close()
        self.decoders.shutdown(wait=True)
        self.engine.close()

    def timed(self, deadline: float) -> Model:
        """The model, whose runs raise DeadlineExceeded from a deadline on."""
        return self.model.with_engine(TimedEngine(self.engine, deadline))

    @contextlib.asynccontextmanager
    async def admitted(self, texts: int) -> AsyncIterator[float]:
        """Holds room for so many texts and yields the deadline of the work, on time.monotonic()'s clock. Raises ServerBusy,
        DeadlineExceeded."""
        self.room.enter(texts)
        try:
            async with asyncio.timeout(self.settings.deadline_s):
                yield time.monotonic() + self.settings.deadline_s
        except TimeoutError:
            seconds = f"{self.settings.deadline_s:g} s"
            raise DeadlineExceeded(f"the answer took longer than {seconds}; send less at once") from None
        finally:
            self.room.leave(texts)

    async def phrases(self) -> np.ndarray:
        """(B, D) unit vectors of the neutral phrases that stand for "none of these", read or encoded at the first call."""
        async with self._phrases_lock:
            if self._phrases is None:
                loop = asyncio.get_running_loop()
                self._phrases = await loop.run_in_executor(self.decoders, read_or_encode_phrases, self.model)
        return self._phrases

    def check_model(self, name: str | None) -> None:
        """Raises ModelNotServed."""
        if name is not None and name not in (self.model.name, "seesay"):
            raise ModelNotServed(f"this server serves the model {self.model.name!r} only; leave out `model`")


def _joined(model: Model, metrics: Metrics) -> JoinedEngine:
    pad_id = 0 if model.config.tokenizer_spec is None else model.config.tokenizer_spec.pad_id
    shared = model.sharing(limits.BATCHES_AT_ONCE)
    return JoinedEngine(shared.engine, pad_id, metrics.batch, at_once=shared.engine.concurrent_runs)
