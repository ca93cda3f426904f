"""An engine whose concurrent callers share batches."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from seesay.engines.protocol import Capability, Engine
from seesay.serving.batching import Batcher

TEXTS, PICTURES = 64, 16  # a batch: with more, the first of them wait longer and little is gained

Queue = Batcher[np.ndarray, np.ndarray]
Watch = Callable[[str, int, list[float], float], None]


class JoinedEngine:
    """Another engine's towers behind one queue each; they take turns, because each would use all cores.

    As an engine, for whatever blocks; `submit_tokens` and `submit_pixels` for what does not. watch: told the tower of each
    batch, its size, seconds waited and taken.
    """

    def __init__(self, engine: Engine, pad_id: int, watch: Watch = lambda tower, size, waited, took: None) -> None:
        self._engine = engine
        self._pad_id = pad_id
        turn = threading.Lock()
        self._texts: Queue = Batcher(self._run_texts, most=TEXTS, turn=turn, name="texts", watch=_of("text", watch))
        self._pictures: Queue = Batcher(
            self._run_pictures, most=PICTURES, turn=turn, name="pictures", watch=_of("image", watch)
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
        """Padded to the longest of them: where towers do not take that, the tokenizer has padded all to the same length."""
        ids = np.full((len(rows), max(map(len, rows))), self._pad_id, dtype=np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
        return list(self._engine.encode_tokens(ids))


def _of(tower: str, watch: Watch) -> Callable[[int, list[float], float], None]:
    return lambda size, waited, took: watch(tower, size, waited, took)


def _all(future: "Future[list[np.ndarray | Exception]]") -> np.ndarray:
    rows = future.result()
    for row in rows:
        if isinstance(row, Exception):
            raise row
    return np.stack(rows)  # type: ignore[arg-type]
