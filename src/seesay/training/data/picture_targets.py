"""Pictures with given target vectors, which an image tower keeps or learns beside the loss of its batches.

With the vectors of the model that a training begins from, they are what it shall not forget (Li & Hoiem 2016, arXiv 1606.09282,
with vectors in the place of class probabilities).
"""

from pathlib import Path

from seesay.training.data.text_targets import TextTargets, read_targets


class PictureTargets(TextTargets):
    """Paths (N,) in the place of texts, as `seesay embed` writes them: relative ones from the working directory."""

    def __init__(self, file: Path, dim: int, batch: int, seed: int) -> None:
        self.texts, self.vectors = read_targets(file, dim, "path")
        self.batch, self.seed = min(batch, len(self.texts)), seed
        self._order = None
