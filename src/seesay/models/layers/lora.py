"""LoRA: a trained change of low rank beside a layer whose own weights stay frozen (Hu et al. 2021, arXiv 2106.09685).

A layer's weight W (out, in) acts as W + scale * up @ down, with down (rank, in), up (out, rank) and scale = alpha / rank. `up`
begins at zero, so that training begins at the model as it is.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.errors import InputError
from seesay.system.schema import Bounded, Bounds

DOWN, UP = "lora_down", "lora_up"  # last parts of the names of parameters


@dataclass(frozen=True)
class LoraConfig(Bounded):
    """rank: of the change. alpha: the change is multiplied by alpha / rank. dropout: share of a layer's inputs that are
    dropped before `down` in training. targets: which layers, each a name of `TARGETS` or a shell pattern of names in the tower,
    such as "blocks.*.mlp.up"."""

    rank: Annotated[int, Bounds(least=1)] = 8
    alpha: Annotated[float, Bounds(above=0)] = 16.0
    dropout: Annotated[float, Bounds(least=0, below=1)] = 0.0
    targets: tuple[str, ...] = ("attention",)

    @property
    def scale(self) -> float:
        """The factor of up @ down."""
        return self.alpha / self.rank


class _Changed(nn.Module):
    """The parameters of a change: `down` drawn as torch draws a layer's weights, `up` zero, as Hu et al."""

    lora_down: nn.Parameter
    lora_up: nn.Parameter
    lora_scale: float
    lora_dropout: nn.Module

    def add_change(self, weight: Tensor, config: LoraConfig) -> None:
        out, into, *sides = weight.shape
        down = weight.new_empty(config.rank, into, *sides)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        self.lora_down = nn.Parameter(down)
        self.lora_up = nn.Parameter(weight.new_zeros(out, config.rank, *sides))
        self.lora_scale = config.scale
        self.lora_dropout = nn.Dropout(config.dropout)


class LoraLinear(_Changed, nn.Linear):
    """A linear layer with a change beside it; `weight` and `bias` are the layer's own parameters, under the same names."""

    def __init__(self, layer: nn.Linear, config: LoraConfig) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.add_change(layer.weight, config)

    def forward(self, x: Tensor) -> Tensor:
        change = F.linear(F.linear(self.lora_dropout(x), self.lora_down), self.lora_up)
        return super().forward(x) + self.lora_scale * change


class LoraPointwise(_Changed, nn.Conv2d):
    """A pointwise convolution, a linear layer over channels, with a change beside it."""

    def __init__(self, layer: nn.Conv2d, config: LoraConfig) -> None:
        super().__init__(layer.in_channels, layer.out_channels, 1, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.add_change(layer.weight, config)

    def forward(self, x: Tensor) -> Tensor:
        change = F.conv2d(F.conv2d(self.lora_dropout(x), self.lora_down), self.lora_up)
        return super().forward(x) + self.lora_scale * change


def is_pointwise(module: nn.Module) -> bool:
    """Whether a module is a 1x1 convolution that does nothing else: not one with a batch norm inside."""
    return (
        isinstance(module, nn.Conv2d)
        and (module.kernel_size, module.stride, module.padding, module.groups) == ((1, 1), (1, 1), (0, 0), 1)
        and all(isinstance(child, nn.Identity) for child in module.children())
    )


Target = Callable[[str, nn.Module], bool]
ATTENTION = re.compile(r"(.*\.)?(query|key|value|out|(attn|attention)\.\w+)")  # separate, and fused as timm's attn.qkv
MLP = re.compile(r"(.*\.)?mlp\.(up|down|gate|fc\d|w\d)")
PROJECTION = re.compile(r"projection(\.up|\.down)?|head\.(proj|mlp\.fc\d)")
TARGETS: Mapping[str, Target] = {
    "attention": lambda name, module: isinstance(module, nn.Linear) and ATTENTION.fullmatch(name) is not None,
    "mlp": lambda name, module: MLP.fullmatch(name) is not None,
    "pointwise": lambda _, module: is_pointwise(module),
    "projection": lambda name, module: PROJECTION.fullmatch(name) is not None,
}


def _fits(pattern: str, name: str, module: nn.Module) -> bool:
    return fnmatchcase(name, pattern)


def target_names(tower: nn.Module, target: str) -> list[str]:
    """Names of the layers of a tower that a target selects: linear layers and pointwise convolutions."""
    selects = TARGETS.get(target) or partial(_fits, target)
    return [
        name
        for name, module in tower.named_modules()
        if (isinstance(module, nn.Linear) or is_pointwise(module)) and selects(name, module)
    ]


def add_lora(tower: nn.Module, config: LoraConfig, among: Collection[str] | None = None) -> list[str]:
    """Adds changes to the layers that the targets select; returns their names. among: only to these.

    Raises InputError for a target that selects none, with those that would.
    """
    names: dict[str, None] = {}
    for target in config.targets:
        found = [name for name in target_names(tower, target) if among is None or name in among]
        if not found:
            others = {name: len(target_names(tower, name)) for name in TARGETS}
            there = ", ".join(f"{name!r} ({count} layers)" for name, count in others.items() if count) or "none at all"
            raise InputError(f"expected layers of {target!r} to adapt, got a tower without any; it has {there}")
        names |= dict.fromkeys(found)
    for name in names:
        parent, _, last = name.rpartition(".")
        layer = tower.get_submodule(name)
        adapted = LoraLinear(layer, config) if isinstance(layer, nn.Linear) else LoraPointwise(layer, config)  # type: ignore[arg-type]
        tower.get_submodule(parent).register_module(last, adapted.train(layer.training))
    return list(names)


def bypassed(tower: nn.Module, names: Collection[str], inputs: Tensor) -> list[str]:
    """The layers of these names that a pass over `inputs` does not call: a tower that takes their weights itself, as some of
    timm's do, would ignore their changes."""
    called: set[str] = set()
    handles = [tower.get_submodule(name).register_forward_hook(lambda *_, name=name: called.add(name)) for name in names]
    try:
        with torch.no_grad():
            tower(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [name for name in names if name not in called]


def is_lora(name: str) -> bool:
    """Whether a parameter of this name belongs to a change."""
    return name.rpartition(".")[2] in (DOWN, UP)


@dataclass(frozen=True)
class Change:
    """The change of one weight. down (rank, in), up (out, rank); of a pointwise convolution with (1, 1) behind."""

    down: Tensor
    up: Tensor
    scale: float

    def added_to(self, weight: Tensor) -> Tensor:
        """weight + scale * up @ down, computed in float64, in the weight's type. Raises InputError where shapes differ."""
        shape = (len(self.up), *self.down.shape[1:])
        if shape != tuple(weight.shape):
            raise InputError(f"expected a change of a weight {tuple(weight.shape)}, got one of {shape}")
        product = self.up.double().flatten(1) @ self.down.double().flatten(1)
        return (weight.double() + self.scale * product.view(weight.shape)).to(weight.dtype)


def changes_in(state: Mapping[str, Tensor], scales: Mapping[str, float]) -> dict[str, Change]:
    """The changes in a state dict by the name of their layer. scales: by the first part of that name, the tower."""
    layers = [name.removesuffix(f".{DOWN}") for name in state if name.endswith(f".{DOWN}")]
    return {
        layer: Change(state[f"{layer}.{DOWN}"], state[f"{layer}.{UP}"], scales[layer.partition(".")[0]]) for layer in layers
    }


def merged(state: Mapping[str, Tensor], changes: Mapping[str, Change]) -> dict[str, Tensor]:
    """The weights with the changes added, under the names of the model without them. Raises InputError for a change of a
    weight that is not there, or of another shape."""
    weights = {name: tensor for name, tensor in state.items() if not is_lora(name)}
    for layer, change in changes.items():
        name = f"{layer}.weight"
        if name not in weights:
            raise InputError(f"{layer}: expected a layer of the model, got none of this name")
        try:
            weights[name] = change.added_to(weights[name])
        except InputError as error:
            raise InputError(f"{layer}: {error}") from None
    return weights
