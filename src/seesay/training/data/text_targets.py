"""Texts with given target vectors, which a text tower learns beside the contrastive loss.

That is how a text tower learns another language from pairs of texts (a text of the other language with the vector of its
meaning; Reimers & Gurevych 2020, arXiv 2004.09813), and how it retains what contrast with few images would make it forget.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.training.data.seeds import TARGETS


class TextTargets:
    """texts (N,) and unit vectors (N, D) float32, in epochs whose order the seed draws, a batch per step."""

    def __init__(self, file: Path, dim: int, batch: int, seed: int) -> None:
        self.texts, self.vectors = read_targets(file, dim, "text")
        self.batch, self.seed = min(batch, len(self.texts)), seed
        self._order: tuple[int, np.ndarray] | None = None

    def at(self, step: int) -> tuple[list[str], np.ndarray]:
        """The batch of one step: texts (B,) and vectors (B, D). It depends on the step alone, so that runs can resume."""
        indices = [self._index(number) for number in range(step * self.batch, (step + 1) * self.batch)]
        return [self.texts[i] for i in indices], self.vectors[indices]

    def _index(self, number: int) -> int:
        epoch, position = divmod(number, len(self.texts))
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng((self.seed, epoch, TARGETS)).permutation(len(self.texts)))
        return int(self._order[1][position])


def read_targets(file: Path, dim: int, kind: Literal["text", "path"]) -> tuple[list[str], np.ndarray]:
    """Texts, or paths of pictures, of a .npz as `seesay embed` writes it, and their unit vectors (N, D). Raises InputError."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            texts, vectors = archive["text"].tolist(), archive["vectors"].astype(np.float32)
            items = texts if kind == "text" else archive["path"].tolist()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"loss.anchors: {printable(file)} cannot be read ({error}); expected a .npz with {kind} (N,) and vectors (N, D), "
            "as seesay embed writes it"
        ) from None
    if vectors.ndim != 2 or not len(items) == len(texts) == len(vectors) or vectors.shape[1] != dim:
        raise InputError(
            f"loss.anchors: {printable(file)}: expected vectors of {dim} dimensions, one for each {kind}, "
            f"got {vectors.shape} for {len(items)}"
        )
    rows = [i for i, (item, text) in enumerate(zip(items, texts, strict=True)) if item and bool(text) == (kind == "text")]
    if not rows:
        what, inputs = ("texts", "texts.txt") if kind == "text" else ("pictures", "FOLDER")
        raise InputError(f"loss.anchors: {printable(file)} has no {what}; write it with seesay embed {inputs} -o {file.name}")
    lengths = np.linalg.norm(vectors[rows], axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise InputError(f"loss.anchors: {printable(file)} has vectors of no length")
    return [items[i] for i in rows], vectors[rows] / lengths
