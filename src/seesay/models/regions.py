"""`Regions`: what a tower that was trained to find things says of each patch of a picture."""

from dataclasses import dataclass

import numpy as np

TINY = np.float32(1e-6)  # added to lengths, as in OWL-ViT's published code


@dataclass(frozen=True)
class Regions:
    """Per patch (N of them, row by row) of one picture or of a batch of them (B, N, ...), float32.

    embeddings (N, D): in the space of the texts' raw projections. shift, scale (N,): of its cosines. boxes (N, 4): centre x,
    centre y, width, height, as shares of what the tower saw, which may be a padded picture. objectness (N,): a logit that there
    is a thing; None where the tower does not say.
    """

    embeddings: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    boxes: np.ndarray
    objectness: np.ndarray | None

    @classmethod
    def split(cls, columns: np.ndarray, dim: int) -> "Regions":
        """From the output "regions" of a tower with vectors of `dim` numbers."""
        rest = columns[..., dim:]
        objectness = rest[..., 6] if rest.shape[-1] > 6 else None
        return cls(columns[..., :dim], rest[..., 0], rest[..., 1], rest[..., 2:6], objectness)

    def __getitem__(self, rows: np.ndarray) -> "Regions":
        """Some patches of one picture."""
        objectness = None if self.objectness is None else self.objectness[rows]
        return Regions(self.embeddings[rows], self.shift[rows], self.scale[rows], self.boxes[rows], objectness)

    def logits(self, queries: np.ndarray) -> np.ndarray:
        """How well each patch fits queries (Q, D) -> (..., N, Q) float32; a sigmoid makes them probabilities."""
        cosines = _unit(self.embeddings) @ _unit(queries).T
        return np.asarray((cosines + self.shift[..., None]) * self.scale[..., None], dtype=np.float32)

    def corners(self) -> np.ndarray:
        """The boxes (..., N, 4) as x0 y0 x1 y1, which may reach beyond what the tower saw."""
        centre, half = self.boxes[..., :2], self.boxes[..., 2:] / 2
        return np.concatenate([centre - half, centre + half], axis=-1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + TINY), dtype=np.float32)
