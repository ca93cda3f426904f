"""Wraps an engine so that concurrent callers share its batches, by `batching.py`."""

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np

from seesay.engines.protocol import Capability, Engine
from seesay.serving import limits
from seesay.serving.batching import Batcher, in_time

Queue = Batcher[np.ndarray, np.ndarray]
Watch = Callable[[str, int, list[float], float], None]


class JoinedEngine(Engine):
    """Another engine's towers behind one queue each. At most `at_once` batches of both run at a time.

    The engine's own methods block; `submit_tokens` and `submit_pixels` do not. watch: called with each batch's tower, size,
    seconds waited per item, and seconds taken.
    """

    def __init__(
        self, engine: Engine, pad_id: int, watch: Watch = lambda tower, size, waited, took: None, *, at_once: int = 1
    ) -> None:
        self._engine = engine
        self._pad_id = pad_id
        turn = threading.Semaphore(at_once)
        batcher = functools.partial(Batcher, turn=turn, at_once=at_once)
        self._texts: Queue = batcher(self._run_texts, most=limits.BATCH_TEXTS, name="texts", watch=_watch_tower("text", watch))
        self._images: Queue = batcher(
            self._run_images, most=limits.BATCH_IMAGES, name="images", watch=_watch_tower("image", watch)
        )

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._engine.capabilities - {"hidden_states", "gradients"}

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return stacked(self.submit_pixels(pixels).result())

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return stacked(self.submit_tokens(ids).result())

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        return self._engine.encode_dense(pixels)

    def patch_relevance(self, pixels: np.ndarray, texts: np.ndarray | None = None) -> np.ndarray:
        return self._engine.patch_relevance(pixels, texts)

    def submit_pixels(self, pixels: np.ndarray, deadline: float = float("inf")) -> "Future[list[np.ndarray | Exception]]":
        """pixels (B, 3, H, W) -> B raw vectors (D,), an exception for one that failed."""
        return self._images.submit(list(pixels), deadline)

    def submit_tokens(self, ids: np.ndarray, deadline: float = float("inf")) -> "Future[list[np.ndarray | Exception]]":
        """ids (B, L) -> B raw vectors (D,), an exception for one that failed."""
        return self._texts.submit(list(ids), deadline)

    def close(self) -> None:
        """Returns when both queues are empty."""
        self._texts.close()
        self._images.close()

    def _run_images(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        return list(self._engine.encode_pixels(np.stack(rows)))

    def _run_texts(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        """Pads each run of similar lengths to its longest text. Where a tower takes one length only, the tokenizer has padded
        all texts to it already."""
        results: list[np.ndarray] = [np.empty(0)] * len(rows)
        for indices in _runs_of_similar_length(rows):
            ids = np.full((len(indices), len(rows[indices[-1]])), self._pad_id, dtype=np.int64)
            for at, index in enumerate(indices):
                ids[at, : len(rows[index])] = rows[index]
            for index, vector in zip(indices, self._engine.encode_tokens(ids), strict=True):
                results[index] = vector
        return results


class TimedEngine(Engine):
    """A joined engine for work of many runs in a thread, which ends with DeadlineExceeded after its request's deadline."""

    def __init__(self, joined: JoinedEngine, deadline: float) -> None:
        self._joined, self._deadline = joined, deadline

    @property
    def name(self) -> str:
        return self._joined.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._joined.capabilities

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return stacked(self._joined.submit_pixels(pixels, self._deadline).result())

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return stacked(self._joined.submit_tokens(ids, self._deadline).result())

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        in_time(self._deadline)
        return self._joined.encode_dense(pixels)

    def patch_relevance(self, pixels: np.ndarray, texts: np.ndarray | None = None) -> np.ndarray:
        in_time(self._deadline)
        return self._joined.patch_relevance(pixels, texts)


def _runs_of_similar_length(rows: list[np.ndarray]) -> list[list[int]]:
    """Indices of rows, from short to long, in runs of at least PADDED_TEXTS. Rows of one length are never divided."""
    runs: list[list[int]] = [[]]
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index])):
        run = runs[-1]
        if len(run) >= limits.PADDED_TEXTS and len(rows[index]) > len(rows[run[-1]]):
            run = []
            runs.append(run)
        run.append(index)
    return runs


def _watch_tower(tower: str, watch: Watch) -> Callable[[int, list[float], float], None]:
    return lambda size, waited, took: watch(tower, size, waited, took)


def stacked(rows: Sequence[np.ndarray | Exception]) -> np.ndarray:
    """Rows (D,) as one array (N, D). Raises the first exception among them."""
    for row in rows:
        if isinstance(row, Exception):
            raise row
    return np.stack(rows)  # type: ignore[arg-type]
