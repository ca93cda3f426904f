"""EfficientNet image tower, as ALIGN has it (Jia and others, 2021): inverted bottlenecks with squeeze-excite.

Tan & Le 2019.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.efficientnet.config import BlockShape, EfficientNetConfig
from seesay.models.layers.groups import Group
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import ImageTower


class ConvNorm(nn.Module):
    """A convolution without bias, then its batch norm; padding: pixels above and on the left, below and on the right."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        eps: float,
        *,
        stride: int = 1,
        groups: int = 1,
        padding: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=eps)
        self.padding = padding * 2

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.pad(x, self.padding) if any(self.padding) else x))  # type: ignore[no-any-return]


class SqueezeExcite(nn.Module):
    """Weighs every channel by what the mean of all cells says (Hu, Shen & Sun 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * self.expand(F.silu(self.reduce(mean))).sigmoid()  # type: ignore[no-any-return]


class InvertedBottleneck(nn.Module):
    """Expand, depthwise convolution, squeeze-excite, project; a residual in all but the first block of a stage."""

    def __init__(self, shape: BlockShape, eps: float) -> None:
        super().__init__()
        inner = shape.inputs * shape.expansion
        self.expand = ConvNorm(shape.inputs, inner, 1, eps) if shape.expansion > 1 else nn.Identity()
        padding = (shape.before, shape.after)
        self.depthwise = ConvNorm(inner, inner, shape.kernel, eps, stride=shape.stride, groups=inner, padding=padding)
        self.squeeze = SqueezeExcite(inner, shape.squeezed)
        self.project = ConvNorm(inner, shape.outputs, 1, eps)
        self.residual = shape.residual

    def forward(self, x: Tensor) -> Tensor:
        inside = x if isinstance(self.expand, nn.Identity) else F.silu(self.expand(x))
        inside = self.project(self.squeeze(F.silu(self.depthwise(inside))))
        return x + inside if self.residual else inside  # type: ignore[no-any-return]


class EfficientNet(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim)."""

    config: EfficientNetConfig
    block_types = (InvertedBottleneck,)
    channels_last = True

    def __init__(self, config: EfficientNetConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.stem = ConvNorm(3, config.stem, 3, config.norm_eps, stride=2, padding=(0, 1))
        self.blocks = nn.ModuleList(InvertedBottleneck(shape, config.norm_eps) for shape in config.blocks)
        self.projection = projection(config.projection, config.feature_width, dim)

    def features(self, pixels: Tensor) -> Tensor:
        """The mean of all cells of the last map: (B, channels)."""
        return self.hidden_states(pixels)[-1].mean(dim=(2, 3))

    def project(self, features: Tensor) -> Tensor:
        """(..., channels) -> (..., dim)"""
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        return [[self.stem], *([block] for block in self.blocks), [self.projection]]

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The stem's output and every block's: (B, channels, rows, columns)."""
        states = [F.silu(self.stem(pixels))]
        for block in self.blocks:
            states.append(block(states[-1]))
        return states

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and the same for every cell (B, rows, columns, dim)."""
        last = self.hidden_states(pixels)[-1]
        return self.project(last.mean(dim=(2, 3))), self.project(last.permute(0, 2, 3, 1))
