"""EfficientNet-Lite image tower: with a ConSE head the bundled model's, with a projection one to train."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.config import EfficientNetLiteConfig
from seesay.models.groups import Group
from seesay.models.projection import projection

EXPANSION = 6  # of every block but the first stage's


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding, with which the published weights were trained: odd pixels go to the right
    and below. Its batch norm comes after it, or was folded into it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, norm: str, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=norm == "folded")
        self.norm = nn.Identity() if norm == "folded" else nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        if rows % 2 or columns % 2:  # F.pad copies the whole picture
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            rows = columns = 0
        padding = (rows // 2, columns // 2)
        return self.norm(F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, norm: str) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Conv(inputs, inner, 1, norm) if expansion > 1 else nn.Identity()
        self.depthwise = Conv(inner, inner, kernel, norm, stride=stride, groups=inner)
        self.project = Conv(inner, outputs, 1, norm)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inside = x if isinstance(self.expand, nn.Identity) else F.relu6(self.expand(x))
        inside = self.project(F.relu6(self.depthwise(inside)))
        return x + inside if self.residual else inside  # type: ignore[no-any-return]


class EfficientNetLite(nn.Module):
    """pixels (B, 3, image_px, image_px) -> (B, dim)."""

    def __init__(self, config: EfficientNetLiteConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        first, *widths, last = config.widths
        self.stem = Conv(3, first, 3, config.norm, stride=2)
        self.blocks = nn.ModuleList()
        inputs = first
        for stage, ((repeats, kernel, stride), width) in enumerate(zip(config.stages, widths, strict=True)):
            for repeat in range(repeats):
                stride_here = stride if repeat == 0 else 1
                self.blocks.append(Block(inputs, width, kernel, stride_here, 1 if stage == 0 else EXPANSION, config.norm))
                inputs = width
        self.head = Conv(inputs, last, 1, config.norm)
        if config.head == "conse":
            self.classifier = nn.Linear(last, config.classes)
            self.class_embedding = nn.Parameter(torch.zeros(config.classes, dim))
        else:
            self.projection = projection(config.head, last, dim)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """The pooled features that the head sees: (B, channels)."""
        return self.hidden_states(pixels)[-1].mean(dim=(2, 3))

    def project(self, features: Tensor) -> Tensor:
        """(..., channels) -> (..., dim)"""
        if self.config.head == "conse":
            return self.classifier(features).softmax(dim=-1) @ self.class_embedding  # type: ignore[no-any-return]
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        head: Group = [self.classifier, self.class_embedding] if self.config.head == "conse" else [self.projection]
        *blocks, last = self.blocks
        return [[self.stem], *([block] for block in blocks), [last, self.head], head]

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The stem's output, every block's and the head's: (B, channels, rows, columns)."""
        states = [F.relu6(self.stem(pixels))]
        for block in self.blocks:
            states.append(block(states[-1]))
        return [*states, F.relu6(self.head(states[-1]))]

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and the same head over every cell (B, rows, columns, dim): a class activation map."""
        features = self.hidden_states(pixels)[-1]
        return self.project(features.mean(dim=(2, 3))), self.project(features.permute(0, 2, 3, 1))
