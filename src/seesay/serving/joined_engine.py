"""An engine whose concurrent callers share batches."""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from seesay.engines.protocol import Capability, Engine
from seesay.serving import limits
from seesay.serving.batching import Batcher

Queue = Batcher[np.ndarray, np.ndarray]
Watch = Callable[[str, int, list[float], float], None]


class JoinedEngine:
    """Another engine's towers behind one queue each; of both, `at_once` batches run.

    As an engine, for whatever blocks; `submit_tokens` and `submit_pixels` for what does not. watch: told the tower of each
    batch, its size, seconds waited and taken.
    """

    def __init__(
        self, engine: Engine, pad_id: int, watch: Watch = lambda tower, size, waited, took: None, *, at_once: int = 1
    ) -> None:
        self._engine = engine
        self._pad_id = pad_id
        turn = threading.Semaphore(at_once)
        batcher = functools.partial(Batcher, turn=turn, at_once=at_once)
        self._texts: Queue = batcher(self._run_texts, most=limits.BATCH_TEXTS, name="texts", watch=_of("text", watch))
        self._pictures: Queue = batcher(
            self._run_pictures, most=limits.BATCH_IMAGES, name="pictures", watch=_of("image", watch)
        )

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._engine.capabilities - {"hidden_states", "gradients"}

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return _all(self.submit_pixels(pixels))

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return _all(self.submit_tokens(ids))

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        return self._engine.encode_dense(pixels)

    def submit_pixels(self, pixels: np.ndarray, deadline: float = float("inf")) -> "Future[list[np.ndarray | Exception]]":
        """pixels (B, 3, H, W) -> B raw vectors (D,), or what went wrong."""
        return self._pictures.submit(list(pixels), deadline)

    def submit_tokens(self, ids: np.ndarray, deadline: float = float("inf")) -> "Future[list[np.ndarray | Exception]]":
        """ids (B, L) -> B raw vectors (D,), or what went wrong."""
        return self._texts.submit(list(ids), deadline)

    def close(self) -> None:
        self._texts.close()
        self._pictures.close()

    def _run_pictures(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        return list(self._engine.encode_pixels(np.stack(rows)))

    def _run_texts(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        """Where towers do not take texts of several lengths, the tokenizer has padded all to the same."""
        results: list[np.ndarray] = [np.empty(0)] * len(rows)
        for places in _alike(rows):
            ids = np.full((len(places), len(rows[places[-1]])), self._pad_id, dtype=np.int64)
            for at, place in enumerate(places):
                ids[at, : len(rows[place])] = rows[place]
            for place, vector in zip(places, self._engine.encode_tokens(ids), strict=True):
                results[place] = vector
        return results


def _alike(rows: list[np.ndarray]) -> list[list[int]]:
    """Places of rows, from short to long, in runs of at least limits.PADDED_TEXTS, of which none begins within a length."""
    runs: list[list[int]] = [[]]
    for place in sorted(range(len(rows)), key=lambda at: len(rows[at])):
        run = runs[-1]
        if len(run) >= limits.PADDED_TEXTS and len(rows[place]) > len(rows[run[-1]]):
            run = []
            runs.append(run)
        run.append(place)
    return runs


def _of(tower: str, watch: Watch) -> Callable[[int, list[float], float], None]:
    return lambda size, waited, took: watch(tower, size, waited, took)


def _all(future: "Future[list[np.ndarray | Exception]]") -> np.ndarray:
    rows = future.result()
    for row in rows:
        if isinstance(row, Exception):
            raise row
    return np.stack(rows)  # type: ignore[arg-type]
