"""What the routes share: the model behind its queues, threads that decode, room, the library."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seesay.errors import DeadlineExceeded, InputError, LibraryError
from seesay.images.decoding.memory import give_back_large_pictures
from seesay.library.search.encode import word_texts, word_vectors
from seesay.library.search.query import Query
from seesay.model import Model
from seesay.models.vectors import normalize
from seesay.serving import limits
from seesay.serving.batching import Room
from seesay.serving.guard.middleware import Keys
from seesay.serving.joined import JoinedEngine
from seesay.serving.metrics import Metrics
from seesay.serving.photos.charts import Charts
from seesay.serving.photos.copies import Copies
from seesay.serving.photos.gazetteer import Gazetteer
from seesay.serving.photos.indexing import Indexing
from seesay.serving.photos.photos import Photos
from seesay.serving.photos.thumbnails import Thumbnails
from seesay.serving.photos.uploads import check_count, fetched, pixels
from seesay.serving.schemas.requests import Thing
from seesay.serving.settings import Settings
from seesay.system.cpu import available_cores
from seesay.system.paths import is_url

Rows = Sequence["np.ndarray | Exception"]


@dataclass(frozen=True)
class Encoded:
    """rows: per item a unit vector (D,), or why there is none; tokens of its texts; truncated: items that lost their end."""

    rows: Rows
    tokens: int
    truncated: frozenset[int]


class Service:
    """library: its folder, None for the default one. cache: where thumbnails are kept, None for nowhere."""

    def __init__(self, model: Model, settings: Settings, library: Path | None, cache: Path | None) -> None:
        give_back_large_pictures()
        self.settings = settings
        self.room = Room(settings.waiting)
        self.metrics = Metrics(self.room)
        self.keys = Keys(settings.api_key)
        pad = 0 if model.config.tokenizer_spec is None else model.config.tokenizer_spec.pad_id
        shared = model.sharing(limits.BATCHES_AT_ONCE)  # another engine would take all cores for each of its runs
        self.engine = JoinedEngine(shared.engine, pad, self.metrics.batch, at_once=shared.engine.concurrent_runs)
        self.model = model.with_engine(self.engine)
        self.photos = Photos(library, self.model)
        self.indexing = Indexing(self.photos.path, self.model)
        self.charts = Charts(self.photos)
        self.copies = Copies(self.photos, paths=settings.local)
        self.thumbnails = Thumbnails(cache)
        self.gazetteer = Gazetteer()
        self.decoders = ThreadPoolExecutor(available_cores(), thread_name_prefix="seesay-decode")
        self.fetchers = ThreadPoolExecutor(limits.FETCH_THREADS, thread_name_prefix="seesay-fetch")

    def close(self) -> None:
        self.indexing.close()
        self.charts.close()
        self.copies.close()
        self.photos.close()
        self.fetchers.shutdown(wait=True, cancel_futures=True)
        self.decoders.shutdown(wait=True)
        self.engine.close()

    @contextlib.asynccontextmanager
    async def admitted(self, texts: int) -> AsyncIterator[float]:
        """Room for so many texts, and the deadline of what is done with them. Raises ServerBusy, DeadlineExceeded."""
        self.room.enter(texts)
        try:
            async with asyncio.timeout(self.settings.deadline_s):
                yield time.monotonic() + self.settings.deadline_s
        except TimeoutError:
            raise DeadlineExceeded(f"the answer took longer than {self.settings.deadline_s:g} s; send less at once") from None
        finally:
            self.room.leave(texts)

    async def encode(self, items: Sequence[Thing | str], deadline: float, what: str = "item") -> Encoded:
        """Each item fails alone. `what` it is called in messages. Raises InputError for more than a request takes, and for an
        item that is not exactly one thing."""
        things = [Thing(text=item) if isinstance(item, str) else item for item in items]
        self.check(things, what)
        rows: list[np.ndarray | Exception] = [InputError("")] * len(things)
        texts = []
        for at, thing in enumerate(things):
            if thing.text is None:
                continue
            if wrong := self._wrong(thing.text):
                rows[at] = InputError(f"{what} {at + 1}: {wrong}")
            else:
                texts.append(at)
        pictures = [at for at, thing in enumerate(things) if thing.image is not None]
        known = [at for at, thing in enumerate(things) if thing.id is not None]
        tokens, truncated = 0, frozenset[int]()
        waiting: list[tuple[list[int], Future[list[np.ndarray | Exception]]]] = []
        if texts:
            ids, cut = await self._tokens([str(things[at].text) for at in texts])
            tokens = int((ids != self.model.tokenizer.spec.pad_id).sum())
            truncated = frozenset(at for at, lost in zip(texts, cut, strict=True) if lost)
            waiting.append((texts, self.engine.submit_tokens(ids, deadline)))
        decoding = [self._decoded(str(things[at].image), f"{what} {at + 1}") for at in pictures]
        for at, made in zip(pictures, await asyncio.gather(*decoding, return_exceptions=True), strict=True):
            if isinstance(made, np.ndarray):
                waiting.append(([at], self.engine.submit_pixels(made, deadline)))
            elif isinstance(made, Exception):
                rows[at] = made
            else:
                raise made
        if known:
            for at, vector in zip(known, await self._kept([str(things[at].id) for at in known]), strict=True):
                rows[at] = InputError(f"{what} {at + 1}: the library has nothing with this id") if vector is None else vector
        for places, future in waiting:
            done = await asyncio.wrap_future(future)
            for at, row in zip(places, done, strict=True):
                rows[at] = normalize(row) if isinstance(row, np.ndarray) else row
        return Encoded(rows, tokens, truncated)

    def phrased(self, query: str) -> dict[str, list[str]]:
        """The words in a query, each with the texts that a search puts them into. Raises InputError."""
        parts = Query.parse(query).parts if query.strip() else ()
        return word_texts(self.model, [part.value for part in parts if part.kind == "words"])

    async def encode_words(self, phrased: Mapping[str, Sequence[str]], deadline: float) -> dict[str, np.ndarray]:
        """The vector (D,) that a search takes for words. Its texts share batches with those of other requests, which they could
        not in the few threads of the library."""
        if not phrased:
            return {}
        ids, _ = await self._tokens([text for texts in phrased.values() for text in texts])
        rows = await asyncio.wrap_future(self.engine.submit_tokens(ids, deadline))
        for row in rows:
            if isinstance(row, Exception):
                raise row
        return word_vectors(phrased, normalize(np.stack(rows)))  # type: ignore[arg-type]

    @staticmethod
    def cost(items: Sequence[Thing | str]) -> int:
        """How much room they take."""
        return sum(limits.TEXTS_PER_IMAGE if isinstance(item, Thing) and item.image is not None else 1 for item in items)

    def check(self, things: Sequence[Thing], what: str) -> None:
        for at, thing in enumerate(things):
            given = [name for name in ("text", "image", "id") if getattr(thing, name) is not None]
            if len(given) != 1:
                raise InputError(
                    f"{what} {at + 1}: expected exactly one of text, image and id, got {' and '.join(given) or 'none'}"
                )
        check_count("pictures", sum(thing.image is not None for thing in things), self.settings.pictures)
        if self.settings.allow_urls:
            check_count("URLs of pictures", sum(is_url(thing.image) for thing in things), self.settings.urls)
        check_count("texts", sum(thing.image is None for thing in things), self.settings.texts)

    def _wrong(self, text: str) -> str | None:
        """What is, if anything."""
        if not text.strip():
            return "the text is empty"
        try:
            text.encode()
        except UnicodeEncodeError:
            return "the text is not Unicode: it holds half a surrogate pair"
        if len(text) > self.settings.letters:
            return f"at most {self.settings.letters:,} letters of text are taken, got {len(text):,}"
        return None

    async def _tokens(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        with self.metrics.stage("tokenize", "text"):
            if sum(map(len, texts)) <= limits.INLINE_TOKENIZED_LETTERS:
                tokens = self.model.tokenizer(texts)
            else:
                tokens = await asyncio.get_running_loop().run_in_executor(self.decoders, self.model.tokenizer, texts)
        return tokens.ids, tokens.truncated

    async def _kept(self, ids: list[str]) -> "list[np.ndarray | None] | list[LibraryError]":
        """Vectors of the library by ids, None where it has none; where it is not there or of another model, that of each."""
        try:
            return await self.photos.run(lambda library: [library.vector(name) for name in ids])
        except LibraryError as fault:
            return [fault] * len(ids)

    async def _decoded(self, sent: str, name: str) -> np.ndarray:
        loop = asyncio.get_running_loop()
        if is_url(sent):  # by threads of its own: a host that never answers must not keep those that decode
            data: str | bytes = await loop.run_in_executor(self.fetchers, fetched, sent, name, self.settings)
        else:
            data = sent

        def work() -> np.ndarray:
            with self.metrics.stage("decode", "image"):
                return pixels(self.model, data, name, self.settings)

        return await loop.run_in_executor(self.decoders, work)
