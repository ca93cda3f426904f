"""The toy tower in torch."""

import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.layers.groups import Group
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import ImageTower
from tests.models.toy.config import ToyConfig


class Hidden(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layer(x))


class Toy(ImageTower):
    config: ToyConfig
    block_types = (Hidden,)

    def __init__(self, config: ToyConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.hidden = Hidden(3 * config.cells**2, config.width)
        self.projection = projection(config.projection, config.width, dim)

    def features(self, pixels: Tensor) -> Tensor:
        return self.hidden(self.hidden_states(pixels)[0])

    def project(self, features: Tensor) -> Tensor:
        return self.projection(features)

    def groups(self) -> list[Group]:
        return [[self.hidden], [self.projection]]

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        return [F.avg_pool2d(pixels, self.config.image_px // self.config.cells).flatten(1)]

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self(pixels)
        return embedding, embedding[:, None, None]
