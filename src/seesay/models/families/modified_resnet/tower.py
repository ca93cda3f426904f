"""CLIP's ResNet image tower: RN50, RN101, RN50x4, x16, x64.

Radford et al. 2021.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.layers.groups import Group
from seesay.models.layers.tower import ImageTower

EXPANSION = 4  # of a bottleneck's last convolution


class ConvNorm(nn.Module):
    """A convolution without bias, then its batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """A bottleneck block; it strides by average pooling, after the second convolution and before the shortcut's."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.conv1 = ConvNorm(inputs, inner, 1)
        self.conv2 = ConvNorm(inner, inner, 3)
        self.conv3 = ConvNorm(inner, outputs, 1)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.shortcut = ConvNorm(inputs, outputs, 1) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inside = F.relu(self.conv2(F.relu(self.conv1(x))))
        shortcut = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(self.pool(x))
        return F.relu(self.conv3(self.pool(inside)) + shortcut)


class AttentionPool(nn.Module):
    """Attention pooling: the mean of all cells is the one query; the result is projected into the shared space."""

    def __init__(self, cells: int, width: int, heads: int, dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.position_embedding = nn.Parameter(torch.zeros(cells + 1, width))
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, cells, W) -> (B, dim)"""
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + self.position_embedding
        q, k, v = (
            y.view(*y.shape[:2], self.heads, -1).transpose(1, 2) for y in (self.query(x[:, :1]), self.key(x), self.value(x))
        )
        mixed = F.scaled_dot_product_attention(q, k, v)  # (B, heads, 1, W / heads)
        return self.out(mixed.transpose(1, 2).flatten(1))  # type: ignore[no-any-return]

    def without_mixing(self, x: Tensor) -> Tensor:
        """x (B, cells, W) -> (B, cells, dim): each cell's own value, without its position."""
        return self.out(self.value(x))  # type: ignore[no-any-return]


class ModifiedResNet(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim)."""

    config: ModifiedResNetConfig
    block_types = (Bottleneck,)
    channels_last = True

    def __init__(self, config: ModifiedResNetConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.ModuleList(
            [ConvNorm(3, width // 2, 3, stride=2), ConvNorm(width // 2, width // 2, 3), ConvNorm(width // 2, width, 3)]
        )
        stages, inputs = [], width
        for stage, blocks in enumerate(config.stages):
            inner = width * 2**stage
            strides = [1 if stage == 0 else 2] + [1] * (blocks - 1)
            stages.append(nn.Sequential())
            for stride in strides:
                stages[-1].append(Bottleneck(inputs, inner, stride))
                inputs = EXPANSION * inner
        self.stages = nn.ModuleList(stages)
        self.pool = AttentionPool(config.grid**2, inputs, config.heads, dim)

    def features(self, pixels: Tensor) -> Tensor:
        """The input of the attention pooling: (B, cells, channels)."""
        return _cells(self.hidden_states(pixels)[-1])

    def project(self, features: Tensor) -> Tensor:
        """(B, cells, channels) -> (B, dim)"""
        return self.pool(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        return [[self.stem], *([stage] for stage in self.stages), [self.pool]]

    def projection_group(self) -> Group:
        return [self.pool.out]

    @property
    def cached_groups(self) -> None:
        """The attention pooling is fed by all cells, which are larger than the image."""
        return None

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The stem's output, then every stage's: five times (B, channels, rows, columns)."""
        x = pixels
        for conv in self.stem:
            x = F.relu(conv(x))
        states = [F.avg_pool2d(x, 2)]
        for stage in self.stages:
            states.append(stage(states[-1]))
        return states

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and per cell (B, grid, grid, dim) without what attention gathers (Zhou, Loy & Dai 2022)."""
        cells = _cells(self.hidden_states(pixels)[-1])
        return self.pool(cells), _grid(self.pool.without_mixing(cells), self.config.grid)


def _grid(x: Tensor, side: int) -> Tensor:
    return x.view(-1, side, side, x.shape[2])  # (B, side * side, C) -> (B, side, side, C)


def _cells(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)  # (B, C, rows, columns) -> (B, rows * columns, C)
