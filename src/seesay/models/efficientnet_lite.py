"""EfficientNet-Lite image tower with a ConSE head: the bundled model's."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.config import EfficientNetLiteConfig

EXPANSION = 6  # of every block but the first stage's


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding, with which these weights were trained: odd pixels go to the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        return super().forward(F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Conv(inputs, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = Conv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = Conv(inner, outputs, 1)
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
        self.stem = Conv(3, first, 3, stride=2)
        self.blocks = nn.ModuleList()
        inputs = first
        for stage, ((repeats, kernel, stride), width) in enumerate(zip(config.stages, widths, strict=True)):
            for repeat in range(repeats):
                stride_here = stride if repeat == 0 else 1
                self.blocks.append(Block(inputs, width, kernel, stride_here, 1 if stage == 0 else EXPANSION))
                inputs = width
        self.head = Conv(inputs, last, 1)
        self.classifier = nn.Linear(last, config.classes)
        self.class_embedding = nn.Parameter(torch.zeros(config.classes, dim))

    def forward(self, pixels: Tensor) -> Tensor:
        return self._conse(self.hidden_states(pixels)[-1].mean(dim=(2, 3)))

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The stem's output, every block's and the head's: (B, channels, rows, columns)."""
        states = [F.relu6(self.stem(pixels))]
        for block in self.blocks:
            states.append(block(states[-1]))
        return [*states, F.relu6(self.head(states[-1]))]

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and the class activation map in the shared space (B, rows, columns, dim)."""
        features = self.hidden_states(pixels)[-1]
        return self._conse(features.mean(dim=(2, 3))), self._conse(features.permute(0, 2, 3, 1))

    def _conse(self, features: Tensor) -> Tensor:
        return self.classifier(features).softmax(dim=-1) @ self.class_embedding  # type: ignore[no-any-return]
