"""Prompts whose conditioning is compared with other libraries, and what is stored of that."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seesay.generation.conditioner import Conditioner

STORED = Path(__file__).parents[1] / "parity" / "data" / "pipelines"

SKIPS = (None, 1, 2)
SKIPPED = (
    ("a cat in sunglasses", None),
    ("Ein Café in Zürich, 1920s; photo", "blurry, low quality"),
)
# In our notation, and in compel's.
WEIGHTED = (
    ("a (red:1.3) house", "a (red)1.3 house"),
    ("a red++ house by the sea", "a red++ house by the sea"),
    ("a (red house)- by the (sea:1.5)", "a (red house)- by the (sea)1.5"),
    ("(fog:0.5) over a (lake:0)", "(fog)0.5 over a (lake)0"),
    ("a (dark (forest:1.5):0.5), fog", "a (dark (forest)1.5)0.5, fog"),
    ("one (two:1) three", "one (two)1 three"),
)
_things = ("house", "boat", "tree", "dog", "sea", "hill", "car")
_phrases = ", ".join(f"a {colour} {thing}" for colour in ("red", "blue", "old") for thing in _things)
LONG = (
    (_phrases, _phrases),
    ("the sea " * 60, "the sea " * 60),
    (f"(a castle:1.4), {_phrases}, (fog:0.6)", f"(a castle)1.4, {_phrases}, (fog)0.6"),
    (f"(a castle:0.7), {_phrases}, (fog:0.6)", f"(a castle)0.7, {_phrases}, (fog)0.6"),
)


@dataclass(frozen=True)
class Case:
    """One prompt for one generator. source: "folder", "file", or "both"."""

    generator: str
    source: str
    prompt: str
    negative: str | None
    rule: Any
    clip_skip: int | None = None

    @property
    def id(self) -> str:
        """What it is stored under."""
        return f"{self.generator}/{self.source}/{self.clip_skip}/{self.rule}/{self.negative}/{self.prompt}"

    def of(self, conditioner: Conditioner) -> dict[str, Any]:
        """Ours, as tensors by name."""
        return conditioner(self.prompt, self.negative, clip_skip=self.clip_skip, rule=self.rule).tensors


def projections(tensor: np.ndarray) -> np.ndarray:
    """(1, L, W) or (1, P) -> each token's or the vector's projections on two directions, which keep a stored result small."""
    width = tensor.shape[-1]
    directions = np.random.default_rng(zlib.crc32(b"directions")).standard_normal((width, 2)) / np.sqrt(width)
    return np.asarray(tensor.reshape(-1, width).astype(np.float64) @ directions).astype(np.float32)
