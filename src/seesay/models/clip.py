"""CLIP in torch: an image tower and a text tower with one space."""

import torch
from torch import Tensor, nn

from seesay.models.config import ModelConfig
from seesay.models.layers.tower import ImageTower, TextTower, Tower
from seesay.models.logits import scaled
from seesay.models.registry import family_of
from seesay.models.tower_config import TowerConfig


class Clip(nn.Module):
    """An image tower, a text tower (either may be missing) and the scale and bias of their logits. Begins in eval mode.

    Weights are not initialised here: they come from a checkpoint, or from `models.initialise`.
    """

    image: ImageTower
    text: TextTower

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        if config.image is not None:
            self.image = make_tower(config.image, config.dim)  # type: ignore[assignment]
        if config.text is not None:
            self.text = make_tower(config.text, config.dim)  # type: ignore[assignment]
        self.logit_scale = nn.Parameter(torch.tensor(config.logit_scale))
        self.logit_bias = None if config.logit_bias is None else nn.Parameter(torch.tensor(config.logit_bias))
        self.eval()

    def logits(self, image_embeddings: Tensor, text_embeddings: Tensor) -> Tensor:
        """Raw projections (I, dim) and (T, dim) -> scaled cosines (I, T)."""
        images, texts = (nn.functional.normalize(x, dim=-1) for x in (image_embeddings, text_embeddings))
        return scaled(images @ texts.T, self.scale, self.logit_bias)  # type: ignore[no-any-return]

    @property
    def scale(self) -> Tensor:
        """The factor of cosines, a scalar: the exponential of `logit_scale`."""
        return self.logit_scale.exp()


def make_tower(config: TowerConfig, dim: int) -> Tower:
    """A tower of any family, its weights not yet initialised."""
    return family_of(config).make_tower(config, dim)
