"""A teacher's vectors of training samples, for distillation."""

import numpy as np

from seesay.errors import InputError
from seesay.images.read import ImageInput
from seesay.model import Model, load
from seesay.training import losses
from seesay.training.recipe import Distillation, Recipe

CACHED = 1_000_000  # vectors kept in memory


class Teacher:
    """Another model's vectors. Each sample is encoded alone, so that a resumed run gets the same bits."""

    def __init__(self, config: Distillation, recipe: Recipe, dim: int) -> None:
        self.model: Model = load(recipe.model_source(config.teacher), decode="fast", threads=1)
        if losses.DISTILLATION[config.kind].same_dim and self.model.dim != dim:
            raise InputError(
                f"loss.distillation: the teacher {config.teacher} has {self.model.dim} dimensions, the model {dim}; "
                'take kind = "similarity" or the same number'
            )
        self._images: dict[str, np.ndarray] = {}
        self._texts: dict[str, np.ndarray] = {}

    def image(self, image: ImageInput, key: str) -> np.ndarray:
        """(D,); `key` identifies the image in the cache. Raises UnreadableImage."""
        if key not in self._images:
            if len(self._images) >= CACHED:
                self._images.clear()
            self._images[key] = self.model.encode_image(image)[0]
        return self._images[key]

    def text(self, text: str) -> np.ndarray:
        """(D,)"""
        if text not in self._texts:
            if len(self._texts) >= CACHED:
                self._texts.clear()
            self._texts[text] = self.model.encode_text(text)[0]
        return self._texts[text]
