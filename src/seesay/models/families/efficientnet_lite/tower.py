"""EfficientNet-Lite image tower, with a projection, or as the bundled model has it: class names and a trained branch."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.layers.groups import Group
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import ImageTower

EXPANSION = 6  # of every block but the first stage's


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding, with which the published weights were trained: an odd pixel goes to the right
    and below. Its batch norm follows it, or was folded into it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, norm: str, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=norm == "folded")
        self.norm = nn.Identity() if norm == "folded" else nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        if rows % 2 or columns % 2:  # F.pad copies the whole image
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            rows = columns = 0
        padding = (rows // 2, columns // 2)
        return self.norm(F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups))  # type: ignore[no-any-return]


class InvertedBottleneck(nn.Module):
    """An inverted bottleneck: expand, depthwise convolution, project; with a residual where shapes allow."""

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


class Branch(nn.Module):
    """The last blocks and the last convolution once more: (B, inputs, rows, columns) -> (B, channels, rows, columns)."""

    def __init__(self, blocks: list[InvertedBottleneck], head: Conv) -> None:
        super().__init__()
        self.blocks, self.head = nn.ModuleList(blocks), head

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x))


class EfficientNetLite(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim)."""

    config: EfficientNetLiteConfig
    block_types = (InvertedBottleneck,)
    channels_last = True
    any_size = True

    def __init__(self, config: EfficientNetLiteConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        first, *widths, last = config.widths
        self.stem = Conv(3, first, 3, config.norm, stride=2)
        inputs, shapes = first, []
        for stage, ((repeats, kernel, stride), width) in enumerate(zip(config.stages, widths, strict=True)):
            for repeat in range(repeats):
                shapes.append((inputs, width, kernel, stride if repeat == 0 else 1, 1 if stage == 0 else EXPANSION))
                inputs = width
        self.blocks = nn.ModuleList(InvertedBottleneck(*shape, config.norm) for shape in shapes)
        self.head = Conv(inputs, last, 1, config.norm)
        if config.head == "conse":
            self.classifier = nn.Linear(last, config.classes)
            self.class_embedding = nn.Parameter(torch.zeros(config.classes, dim))
        if config.branch:
            own = [InvertedBottleneck(*shape, config.norm) for shape in shapes[-config.branch :]]
            self.branch = Branch(own, Conv(inputs, last, 1, config.norm))
            self.projection = projection("linear", 2 * last, dim)
        elif config.head != "conse":
            self.projection = projection(config.head, last, dim)

    def features(self, pixels: Tensor) -> Tensor:
        """The input of the head: (B, channels); with a branch (B, 2 * channels), the branch's and then the classes'."""
        if self.config.branch:
            return self._branched(*self._trunk(pixels))
        return self.hidden_states(pixels)[-1].mean(dim=(2, 3))

    def _trunk(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The map that enters the branch, and the classes' features (B, channels)."""
        states = self.hidden_states(pixels)
        return states[-2 - self.config.branch], states[-1].mean(dim=(2, 3))

    def _branched(self, x: Tensor, features: Tensor) -> Tensor:
        """The output of `_trunk` -> features."""
        return torch.cat([self.branch(x).mean(dim=(2, 3)), features], dim=-1)

    @property
    def cached_groups(self) -> int:
        return 1 + self.config.branch

    @property
    def cache_dtype(self) -> Literal["float32", "float16"]:
        """With a branch, a large map is stored: in half the memory."""
        return "float16" if self.config.branch else "float32"

    def cache_values(self, pixels: Tensor) -> Tensor:
        """The features; with a branch, the map that enters it, flat, and the classes' features."""
        if not self.config.branch:
            return super().cache_values(pixels)
        x, features = self._trunk(pixels)
        return torch.cat([x.flatten(1), features], dim=1).half()

    def from_cache(self, values: Tensor) -> Tensor:
        if not self.config.branch:
            return super().from_cache(values)
        flat, features = values.to(self.classifier.weight.dtype).tensor_split([-self.config.widths[-1]], dim=1)
        side = self.config.branch_grid
        x = flat.reshape(len(flat), -1, side, side).contiguous(memory_format=torch.channels_last)
        return self.project(self._branched(x, features))

    def project(self, features: Tensor) -> Tensor:
        """(..., channels), or with a branch (..., 2 * channels) -> (..., dim)"""
        if self.config.branch:
            return self.projection(features) + self._mixture(features[..., self.config.widths[-1] :])  # type: ignore[no-any-return]
        return self._mixture(features) if self.config.head == "conse" else self.projection(features)

    def _mixture(self, features: Tensor) -> Tensor:
        return self.classifier(features).softmax(dim=-1) @ self.class_embedding  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        """With a branch, all that the classes need comes before it."""
        classes: Group = [self.classifier, self.class_embedding] if self.config.head == "conse" else []
        *blocks, last = self.blocks
        groups: list[Group] = [[self.stem], *([block] for block in blocks), [last, self.head]]
        if not self.config.branch:
            return [*groups, classes or [self.projection]]
        *own, last_own = self.branch.blocks
        return [*groups, classes, *([block] for block in own), [last_own, self.branch.head], [self.projection]]

    def body_state(self) -> dict[str, Tensor]:
        """With a branch, the weights of the path through it."""
        if not self.config.branch:
            return super().body_state()
        first = len(self.blocks) - self.config.branch
        own = {}
        for name, value in self.state_dict().items():
            part, _, rest = name.partition(".")
            if part == "branch" and rest.startswith("blocks."):
                _, number, rest = rest.split(".", 2)
                own[f"blocks.{first + int(number)}.{rest}"] = value
            elif part == "branch":
                own[rest] = value
            elif part not in ("classifier", "class_embedding", "head", "projection") and not (
                part == "blocks" and int(rest.split(".")[0]) >= first
            ):
                own[name] = value
        return own

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The stem's output, every block's and the head's: (B, channels, rows, columns)."""
        states = [F.relu6(self.stem(pixels))]
        for block in self.blocks:
            states.append(block(states[-1]))
        return [*states, F.relu6(self.head(states[-1]))]

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and the same head over every cell (B, rows, columns, dim): a class activation map."""
        states = self.hidden_states(pixels)
        if not self.config.branch:
            return self.project(states[-1].mean(dim=(2, 3))), self.project(states[-1].permute(0, 2, 3, 1))
        both = torch.cat([self.branch(states[-2 - self.config.branch]), states[-1]], dim=1)
        return self.project(both.mean(dim=(2, 3))), self.project(both.permute(0, 2, 3, 1))
