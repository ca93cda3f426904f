"""Makes millions of vectors that lie as those of real pictures do, out of some eleven thousand real ones.

A made vector starts at a real picture's, goes a random part of the way to one of its 16 nearest, and is moved by noise with the
covariance of what sets real pictures apart from their nearest. The strength of the noise is chosen so that among as many made
vectors as there are real ones the nearest is as near (`compared` shows it). Everything is drawn from the number of a chunk, so
a killed run goes on where it was.
"""

import os
from pathlib import Path

import numpy as np

import seesay
from seesay.models.vectors import normalize

CHUNK = 50_000
NEAR = 16
NOISE = 0.85  # of the deviation of real pictures from their nearest; see `compared`
SETS = ("flickr8k", "photos-1k", "caltech101", "grocery")


def real_vectors(cache: Path) -> np.ndarray:
    """(N, 512) float32: the bundled model's vectors of the pictures in $SEESAY_DATA, kept in a file."""
    if not cache.exists():
        data = Path(os.environ["SEESAY_DATA"])
        files = [file for name in SETS for file in sorted((data / name / "images").rglob("*.webp"))]
        vectors = seesay.load().encode_image(files)
        part = cache.with_suffix(".part.npy")
        np.save(part, vectors.astype(np.float32))
        part.replace(cache)
    return np.asarray(np.load(cache))


class Maker:
    """Makes chunks of vectors around real ones (N, D)."""

    def __init__(self, real: np.ndarray, noise: float = NOISE) -> None:
        self.real, self.noise = real, noise
        self.near = np.concatenate([_nearest(real, start, NEAR) for start in range(0, len(real), 1024)])
        apart = real - real[self.near].mean(axis=1)
        self.shape = np.linalg.cholesky(np.cov(apart.T) + 1e-8 * np.eye(real.shape[1])).astype(np.float32)

    def chunk(self, number: int, count: int = CHUNK) -> np.ndarray:
        """(count, D) float16, at unit length before they are rounded."""
        random = np.random.default_rng([7, number])
        start = random.integers(len(self.real), size=count)
        end = self.near[start, random.integers(NEAR, size=count)]
        way = random.random((count, 1), dtype=np.float32)
        noise = random.standard_normal((count, self.real.shape[1]), dtype=np.float32) @ self.shape.T
        between = self.real[start] + way * (self.real[end] - self.real[start])
        return normalize(between + self.noise * noise).astype(np.float16)


def write_vectors(file: Path, maker: Maker, count: int) -> np.ndarray:
    """(count, D) float16, memory-mapped from a file, which is made or extended."""
    dim = maker.real.shape[1]
    row = 2 * dim
    done = file.stat().st_size // row // CHUNK if file.exists() else 0
    with file.open("r+b" if file.exists() else "wb") as stream:
        stream.truncate(done * CHUNK * row)
        stream.seek(done * CHUNK * row)
        for number in range(done, -(-count // CHUNK)):
            stream.write(maker.chunk(number).tobytes())
    return np.memmap(file, dtype=np.float16, mode="r", shape=(count, dim))


def compared(vectors: np.ndarray) -> dict[str, float]:
    """How near the nearest are, and the local intrinsic dimension by 20 neighbours (Levina and Bickel 2004), of (N, D)."""
    first, tenth, dims = [], [], []
    for start in range(0, len(vectors), 1024):
        cosines = vectors[start : start + 1024] @ vectors.T
        cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -1
        best = -np.sort(-np.partition(cosines, -20, axis=1)[:, -20:], axis=1)
        far = np.sqrt(np.maximum(2 - 2 * best, 1e-9))
        first.append(best[:, 0])
        tenth.append(best[:, 9])
        dims.append(1 / np.maximum(np.log(far[:, -1:] / far[:, :-1]).mean(axis=1), 1e-6))
    columns = {"nearest cosine": first, "tenth cosine": tenth, "local dimension": dims}
    return {name: float(np.median(np.concatenate(values))) for name, values in columns.items()}


def _nearest(real: np.ndarray, start: int, count: int) -> np.ndarray:
    cosines = real[start : start + 1024] @ real.T
    cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -1
    return np.argpartition(-cosines, count, axis=1)[:, :count]
