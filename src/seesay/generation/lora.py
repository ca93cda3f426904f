"""LoRA: small changes to the weights of a text encoder, a product of two narrow matrices each (Hu and others 2021).

W becomes W + scale * alpha / rank * up @ down; alpha is the rank where a file does not say it. Names are those of kohya
(`lora_te_...`, `lora_te1_...`, `lora_te2_...`), and of diffusers and PEFT (`text_encoder....lora_A`). All of them name
transformers' layers, also for towers whose own layout has query, key and value in one matrix.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seesay.checkpoints.containers.weights import Weights, open_weights, read_header
from seesay.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seesay.generation.encoder import PromptEncoder
    from seesay.models.layers.tower import TextTower

ENCODERS = {"lora_te_": "text_encoder", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2"}
ENCODERS |= {"text_encoder.": "text_encoder", "text_encoder_2.": "text_encoder_2"}
OTHERS = ("lora_unet_", "unet.", "lora_transformer_", "transformer.")
DOWN = ("lora_down", "lora_A", "lora_A.default", "lora_linear_layer.down", "lora.down")
UP = ("lora_up", "lora_B", "lora_B.default", "lora_linear_layer.up", "lora.up")
ENDINGS = {f".{name}.weight": "down" for name in DOWN} | {f".{name}.weight": "up" for name in UP} | {".alpha": "alpha"}
LINEARS = {
    "self_attn_q_proj": "attention.query",
    "self_attn_k_proj": "attention.key",
    "self_attn_v_proj": "attention.value",
    "self_attn_out_proj": "attention.out",
    "mlp_fc1": "mlp.up",
    "mlp_fc2": "mlp.down",
}
_layer = re.compile(rf"(?:text_model_)?encoder_layers_(\d+)_({'|'.join(LINEARS)})").fullmatch
_old = re.compile(r"to_(q|k|v|out)_lora\.(down|up)\.weight$")  # names of diffusers before PEFT


@dataclass(frozen=True)
class Lora:
    """A LoRA's file, its tensors still there.

    layers: by encoder and by the layer's name, underscores for dots, the names of its parts ("down", "up", "alpha"). others:
    how many of its tensors change other parts of a generator. settings: PEFT's, from the header. scale: how strongly it is
    applied.
    """

    path: Path
    weights: Weights
    layers: Mapping[str, Mapping[str, Mapping[str, str]]]
    others: int
    settings: Mapping[str, Any]
    scale: float = 1.0

    @property
    def facts(self) -> dict[str, Any]:
        """Its file's name, its scale, and how many layers of each text encoder it changes."""
        layers = {encoder: len(names) for encoder, names in self.layers.items()}
        return {"file": self.path.name, "scale": self.scale, "layers": layers}

    def merge_into(self, encoders: "list[PromptEncoder]") -> None:
        """Changes the encoders' weights in place, all or none. Raises CheckpointError where the file does not fit them."""
        towers: dict[str, TextTower] = {encoder.name: encoder.tower for encoder in encoders}
        if foreign := sorted(self.layers.keys() - towers.keys()):
            raise CheckpointError(
                f"{self.path} changes {foreign[0]}, which the generator does not have (it has {', '.join(towers)}): the LoRA "
                "was made for another kind of generator"
            )
        fitting: list[tuple[nn.Linear, tuple[str, str, float]]] = []
        for encoder, layers in self.layers.items():
            modules = dict(towers[encoder].named_modules())
            for name, parts in layers.items():
                linear = self._linear(modules, name)
                fitting.append((linear, self._checked(encoder, name, parts, tuple(linear.weight.shape))))
        for linear, (up, down, factor) in fitting:  # one by one: together they may be as large as the encoders
            delta = self._read(up) @ self._read(down) * factor
            if not bool(delta.isfinite().all()):
                raise CheckpointError(f"{self.path}: {up} and {down} are not finite numbers; fetch it again")
            linear.weight.data += delta

    def _linear(self, modules: "Mapping[str, nn.Module]", name: str) -> "nn.Linear":
        found = _layer(name)
        path = "projection" if name == "text_projection" else f"blocks.{found[1]}.{LINEARS[found[2]]}" if found else ""
        linear = modules.get(path)
        if not path or not hasattr(linear, "weight"):
            raise CheckpointError(
                f"{self.path} changes the layer {name}, which the text encoder does not have: the LoRA was made for another one"
            )
        return linear  # type: ignore[return-value]

    def _checked(self, encoder: str, name: str, parts: Mapping[str, str], shape: tuple[int, ...]) -> tuple[str, str, float]:
        """The names of up and down, and the factor of their product, after checking their shapes in the header."""
        if "up" not in parts or "down" not in parts:
            raise CheckpointError(
                f"{self.path}: of the layer {name} it has {' and '.join(sorted(parts))} only; expected up and down"
            )
        up, down = (_flat(self.weights.names[parts[kind]].shape) for kind in ("up", "down"))
        if len(up) != 2 or len(down) != 2 or up[1] != down[0] or not down[0] or (up[0], down[1]) != shape:
            raise CheckpointError(
                f"{self.path}: its change of the layer {name} is {up} @ {down}, the layer's weight is {shape}: the LoRA was "
                "made for another text encoder"
            )
        return parts["up"], parts["down"], self.scale * self._factor(encoder, name, parts, rank=down[0])

    def _read(self, name: str) -> "Tensor":
        return self.weights.read(name).float().flatten(1)

    def _factor(self, encoder: str, name: str, parts: Mapping[str, str], rank: int) -> float:
        alpha, root = self._stated(encoder, name)
        if "alpha" in parts:
            alpha = float(self.weights.read(parts["alpha"])) if _size(self.weights, parts["alpha"]) == 1 else math.nan
        factor = (rank if alpha is None else alpha) / (math.sqrt(rank) if root else rank)
        if not math.isfinite(factor):
            raise CheckpointError(f"{self.path}: the alpha of the layer {name} is no number")
        return factor

    def _stated(self, encoder: str, name: str) -> tuple[float | None, bool]:
        """The alpha that PEFT's settings in the header state for a layer, and whether it is divided by the rank's root."""
        alpha = self.settings.get(f"{encoder}.lora_alpha")
        patterns = self.settings.get(f"{encoder}.alpha_pattern")
        for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
            if name.endswith(pattern.replace(".", "_")):
                alpha = value
        root = self.settings.get(f"{encoder}.use_rslora") is True
        return (float(alpha) if isinstance(alpha, int | float) else None), root


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a matrix: convolutions of one pixel have two sides more."""
    return (shape[0], math.prod(shape[1:])) if len(shape) > 2 else shape


def _size(weights: Weights, name: str) -> int:
    return math.prod(weights.names[name].shape)


def read_lora(path: str | Path, scale: float = 1.0) -> Lora:
    """Reads the names of a LoRA's file. Nothing in it is executed. Raises CheckpointError; InputError for a scale that is no
    number."""
    if not math.isfinite(scale):
        raise InputError(f"scale: expected a finite number, got {scale}", parameter="scale", got=scale)
    path = Path(path)
    weights = open_weights(path)
    layers: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    others = 0
    for name in weights.names:
        beginning = next((start for start in ENCODERS if name.startswith(start)), None)
        if beginning is None:
            others += 1
            continue
        layer, part = _split(path, name.removeprefix(beginning))
        layers[ENCODERS[beginning]][layer][part] = name
    if not layers and not any(name.startswith(OTHERS) for name in weights.names):
        raise CheckpointError(
            f"{path} is no LoRA that can be read: expected tensors such as lora_te_*.lora_down.weight or "
            f"text_encoder.*.lora_A.weight, got {min(weights.names)}"
        )
    return Lora(path, weights, layers, others, _settings(weights), scale)


def _split(path: Path, name: str) -> tuple[str, str]:
    """A layer's name with underscores, and the part of its change."""
    name = _old.sub(lambda found: f"{found[1]}_proj.lora.{found[2]}.weight", name)
    for ending, part in ENDINGS.items():
        if name.endswith(ending):
            return name.removesuffix(ending).replace(".", "_"), part
    raise CheckpointError(
        f"{path} has {name}, which is no part of a plain LoRA (down, up and alpha); DoRA, LoHa, LoKr and biases are not applied"
    )


def _settings(weights: Weights) -> dict[str, Any]:
    """PEFT's settings in a safetensors header, as diffusers writes them; none where there are none."""
    if weights.kind != "safetensors":
        return {}
    metadata = read_header(weights.path).get("__metadata__")
    text = metadata.get("lora_adapter_metadata") if isinstance(metadata, dict) else None
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}
