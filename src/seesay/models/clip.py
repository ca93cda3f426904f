"""Two towers with one space."""

from typing import Protocol

import torch
from torch import Tensor, nn

from seesay.models.config import ImageConfig, ModelConfig, TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.bert.tower import Bert
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.cbow.tower import Cbow
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.clip_text.tower import ClipText
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.modified_resnet.tower import ModifiedResNet
from seesay.models.families.vit.config import VitConfig
from seesay.models.families.vit.tower import Vit
from seesay.models.layers.groups import Group


class ImageTower(Protocol):
    """What every image tower offers; all of them are torch modules. `tower(x)` is `project(features(x))`."""

    def __call__(self, pixels: Tensor) -> Tensor: ...

    def features(self, pixels: Tensor) -> Tensor: ...

    def project(self, features: Tensor) -> Tensor: ...

    def groups(self) -> list[Group]: ...

    def hidden_states(self, pixels: Tensor) -> list[Tensor]: ...

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]: ...


class TextTower(Protocol):
    def __call__(self, ids: Tensor) -> Tensor: ...

    def features(self, ids: Tensor) -> Tensor: ...

    def project(self, features: Tensor) -> Tensor: ...

    def groups(self) -> list[Group]: ...

    def hidden_states(self, ids: Tensor) -> list[Tensor]: ...


class Clip(nn.Module):
    """An image tower, a text tower (either may be missing) and the scale of their cosines. In eval mode until told otherwise.

    Weights are not initialised here: they come from a checkpoint, or from the trainer's initialisation.
    """

    image: ImageTower
    text: TextTower

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        if config.image is not None:
            self.image = image_tower(config.image, config.dim)
        if config.text is not None:
            self.text = text_tower(config.text, config.dim)
        self.logit_scale = nn.Parameter(torch.tensor(config.logit_scale))
        self.logit_bias = None if config.logit_bias is None else nn.Parameter(torch.tensor(config.logit_bias))
        self.eval()

    def logits(self, image_embeddings: Tensor, text_embeddings: Tensor) -> Tensor:
        """Raw projections (I, dim) and (T, dim) -> scaled cosines (I, T)."""
        images, texts = (nn.functional.normalize(x, dim=-1) for x in (image_embeddings, text_embeddings))
        logits = self.logit_scale.exp() * images @ texts.T
        return logits if self.logit_bias is None else logits + self.logit_bias


def image_tower(config: ImageConfig, dim: int) -> ImageTower:
    match config:
        case VitConfig():
            return Vit(config, dim)
        case ModifiedResNetConfig():
            return ModifiedResNet(config, dim)
        case EfficientNetLiteConfig():
            return EfficientNetLite(config, dim)


def text_tower(config: TextConfig, dim: int) -> TextTower:
    match config:
        case ClipTextConfig():
            return ClipText(config, dim)
        case BertConfig():
            return Bert(config, dim)
        case CbowConfig():
            return Cbow(config, dim)
