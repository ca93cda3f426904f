"""Small models of real towers with random weights, which torch runs."""

from dataclasses import replace

import torch

import seesay
from seesay.engines.fake import FakeTokenizer
from seesay.engines.torch import TorchEngine
from seesay.model import Model
from seesay.models.clip import Clip
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.initialise import initialise
from seesay.models.tower_config import ImageTowerConfig

VIT = VitConfig("vit", 32, 8, 48, 3, 4, 96, "gelu", 1e-5)
CONVOLUTIONS = EfficientNetLiteConfig(
    "efficientnet-lite", 32, ((1, 3, 1), (1, 3, 2), (1, 3, 2)), (8, 8, 16, 24, 48), 0, "linear"
)


def made_of(image: ImageTowerConfig) -> Model:
    """A model with this image tower and a text tower, both drawn from one seed."""
    config = replace(seesay.fake_model().config, image=image, name="tiny")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = Clip(config)
        initialise(clip.image)
        initialise(clip.text)
    return Model(config, FakeTokenizer(), TorchEngine(clip))
