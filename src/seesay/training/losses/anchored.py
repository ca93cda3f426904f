"""Texts whose places in the space are known: each step draws some of them there, beside the contrast.

That is how a text tower learns another language from pairs of texts (the other language's text, with the vector of its meaning;
Reimers & Gurevych 2020, arXiv 2004.09813), and how it keeps what contrast with few pictures would make it forget.
"""

from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.system.paths import printable

DRAW = 5  # what the seed is used for; mix.py and listing.py have those before


class AnchoredTexts:
    """texts (N,) and unit vectors (N, D) float32; passes over them in an order drawn by the seed, a step's part at a time."""

    def __init__(self, file: Path, dim: int, batch: int, seed: int) -> None:
        self.texts, self.vectors = _read(file, dim)
        self.batch, self.seed = min(batch, len(self.texts)), seed
        self._order: tuple[int, np.ndarray] | None = None

    def at(self, step: int) -> tuple[list[str], np.ndarray]:
        """Those of one step, the same however the run came there."""
        chosen = [self._place(number) for number in range(step * self.batch, (step + 1) * self.batch)]
        return [self.texts[i] for i in chosen], self.vectors[chosen]

    def _place(self, number: int) -> int:
        turn, at = divmod(number, len(self.texts))
        if self._order is None or self._order[0] != turn:
            self._order = (turn, np.random.default_rng((self.seed, turn, DRAW)).permutation(len(self.texts)))
        return int(self._order[1][at])


def _read(file: Path, dim: int) -> tuple[list[str], np.ndarray]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            texts, vectors = archive["text"].tolist(), archive["vectors"].astype(np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"loss.anchors: {printable(file)} cannot be read ({error}); expected a .npz with text (N,) and vectors (N, D), "
            "as seesay embed writes it"
        ) from None
    if vectors.ndim != 2 or len(texts) != len(vectors) or vectors.shape[1] != dim:
        raise InputError(
            f"loss.anchors: {printable(file)}: expected vectors of {dim} dimensions, one for each text, "
            f"got {vectors.shape} for {len(texts)} texts"
        )
    kept = [i for i, text in enumerate(texts) if text]  # pictures have none
    if not kept:
        raise InputError(f"loss.anchors: {printable(file)} has no texts; write it with seesay embed texts.txt -o {file.name}")
    lengths = np.linalg.norm(vectors[kept], axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise InputError(f"loss.anchors: {printable(file)} has vectors of no length")
    return [texts[i] for i in kept], vectors[kept] / lengths
