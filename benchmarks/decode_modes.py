"""Differences of decode="fast" from "exact": pixels, vectors, reading time and retrieval."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from seesay import Model

KS = (1, 5, 10)


@dataclass(frozen=True)
class Difference:
    """Differences over `count` pictures: of the tower's pixels in levels 0..255; cosines between the vectors of both modes."""

    count: int
    pixels_mean: float
    pixels_max: float
    cosine_mean: float
    cosine_min: float
    exact_ms: float  # to read, decode and preprocess one picture on one core
    fast_ms: float

    @property
    def to_row(self) -> tuple[str, ...]:
        pixels = (f"{self.pixels_mean:.2f}", f"{self.pixels_max:.0f}")
        cosines = (f"{self.cosine_mean:.5f}", f"{self.cosine_min:.5f}")
        return (str(self.count), *pixels, *cosines, f"{self.exact_ms:.1f}", f"{self.fast_ms:.1f}")

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Recall:
    """Text-to-image recall. lost, won: captions whose photo is among the first k only in exact, or only in fast mode."""

    k: int
    captions: int
    exact: float
    fast: float
    lost: int
    won: int

    @property
    def to_row(self) -> tuple[str, ...]:
        return (f"R@{self.k}", f"{self.exact:.2%}", f"{self.fast:.2%}", str(self.lost), str(self.won))


def compare(model: "Model", files: list[Path]) -> tuple[Difference, np.ndarray, np.ndarray]:
    """Reads each picture in both modes, in turns -> (difference, exact vectors (N, D), fast vectors (N, D))."""
    modes = {"exact": model.with_decode("exact"), "fast": model.with_decode("fast")}
    seconds = dict.fromkeys(modes, 0.0)
    vectors: dict[str, list[np.ndarray]] = {"exact": [], "fast": []}
    means, largest = [], 0.0
    to_levels = 255 * np.asarray(model.image_spec.std, dtype=np.float32)[:, None, None]  # the mean cancels in a difference
    for file in files:
        pixels = {}
        for mode, reader in modes.items():
            started = time.perf_counter()
            pixels[mode] = reader.preprocess(file)
            seconds[mode] += time.perf_counter() - started
            vectors[mode].append(reader.encode_pixels(pixels[mode])[0])
        apart = np.abs(pixels["exact"][0] - pixels["fast"][0]) * to_levels
        means.append(float(apart.mean()))
        largest = max(largest, float(apart.max()))
    exact, fast = np.stack(vectors["exact"]), np.stack(vectors["fast"])
    cosines = (exact * fast).sum(axis=1)
    millis = {mode: 1e3 * total / len(files) for mode, total in seconds.items()}
    difference = Difference(
        count=len(files),
        pixels_mean=float(np.mean(means)),
        pixels_max=largest,
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        exact_ms=millis["exact"],
        fast_ms=millis["fast"],
    )
    return difference, exact, fast


def recall(model: "Model", captions: list[list[str]], exact: np.ndarray, fast: np.ndarray) -> list[Recall]:
    """Text-to-image recall among these photos. captions[i] are those of photo i; vectors (N, D) of both modes."""
    owner = np.repeat(np.arange(len(captions)), [len(texts) for texts in captions])
    texts = model.encode_text([text for own in captions for text in own])
    ranks = {"exact": _ranks(texts @ exact.T, owner), "fast": _ranks(texts @ fast.T, owner)}
    found = []
    for k in KS:
        one, other = ranks["exact"] < k, ranks["fast"] < k
        lost, won = int((one & ~other).sum()), int((other & ~one).sum())
        found.append(Recall(k, len(owner), float(one.mean()), float(other.mean()), lost, won))
    return found


def _ranks(cosines: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The number of photos that are nearer to each caption than its own."""
    return np.asarray((cosines > cosines[np.arange(len(owner)), owner][:, None]).sum(axis=1))
