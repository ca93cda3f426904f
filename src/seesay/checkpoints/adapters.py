"""LoRA adapters on disk, as the library peft reads and writes them: small files beside a base model.

A folder holds `adapter_model.safetensors` and `adapter_config.json`. Layers have the names of transformers where it can
express the base, so that peft puts them on a CLIPModel; else SeeSay's own. SeeSay also notes the space of the base, since an
adapter on another model of the same shapes would raise no error and mean nothing.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from seesay._version import __version__
from seesay.checkpoints.containers.saving import save_tensors
from seesay.checkpoints.containers.weights import Weights, open_weights, read_header
from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.formats import registry
from seesay.checkpoints.hub.locate import ADAPTER
from seesay.checkpoints.names import Row, Table, account
from seesay.checkpoints.reader import FLOATS, Checkpoint, digest, space_of
from seesay.errors import CheckpointError, InputError
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig, WeightSource
from seesay.models.layers.lora import Change, merged
from seesay.system.schema import read_object

CONFIG, WEIGHTS = ADAPTER
PREFIX = "base_model.model."  # which peft puts before every name
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
SPACE, BASE = "seesay_space_id", "seesay_base"  # in the metadata of the weights
# Settings of peft's LoraConfig that change more than W + alpha / r * B @ A, and the value at which they do not.
PLAIN = {
    "bias": "none",
    "fan_in_fan_out": False,
    "layer_replication": None,
    "lora_bias": False,
    "modules_to_save": None,
    "target_parameters": None,
    "trainable_token_indices": None,
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
}
INITS = (True, False, "gaussian", "orthogonal", "eva")  # of changes; others, as PiSSA's, alter the base's own weights


@dataclass(frozen=True)
class Adapter:
    """Changes by the names of their layers in the file. base, space_id: of the model they were trained on, where it says."""

    folder: Path
    changes: Mapping[str, Change]
    base: str | None
    space_id: str | None


def write_adapter(folder: Path, changes: Mapping[str, Change], base: ModelConfig, dropout: float) -> None:
    """Writes a new folder. changes: by native names of layers of the model `base`. Raises InputError, ModelError."""
    table = _transformers_table(base)
    names = {layer: _foreign_name(layer, table) for layer in changes} if table else {layer: layer for layer in changes}
    tensors: dict[str, Tensor] = {}
    for layer, change in changes.items():
        tensors[f"{PREFIX}{names[layer]}{DOWN}"] = change.down.detach().contiguous()
        tensors[f"{PREFIX}{names[layer]}{UP}"] = change.up.detach().contiguous()
    config = _peft_config({names[layer]: change for layer, change in changes.items()}, base.name, dropout)
    with new_folder(folder) as draft:
        save_tensors(tensors, draft / WEIGHTS, {"format": "pt", SPACE: base.space_id, BASE: base.name})
        (draft / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _peft_config(changes: Mapping[str, Change], base: str, dropout: float) -> dict[str, Any]:
    """peft's LoraConfig. Layers whose rank or alpha is not that of most are named by patterns, which match whole names."""
    ranks = {name: len(change.down) for name, change in changes.items()}
    alphas = {name: _whole(change.scale * len(change.down)) for name, change in changes.items()}
    rank, alpha = (max(values.values(), key=list(values.values()).count) for values in (ranks, alphas))
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "target_modules": sorted(changes),
        "rank_pattern": {name: value for name, value in ranks.items() if value != rank},
        "alpha_pattern": {name: value for name, value in alphas.items() if value != alpha},
        "init_lora_weights": True,
        **PLAIN,
    }


def _whole(value: float) -> float:
    """The value as an int where it is one, since peft's alpha is."""
    return round(value) if math.isclose(value, round(value), rel_tol=1e-12) else value


def read_adapter(folder: Path) -> Adapter:
    """Reads a folder of peft's, or ours. Raises CheckpointError with every setting that is more than plain LoRA."""
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder} is no LoRA adapter: expected {CONFIG} and {WEIGHTS} in it")
    config = read_object(folder / CONFIG)
    if config.get("peft_type") != "LORA":
        raise CheckpointError(f"{folder / CONFIG}: expected the peft_type LORA, got {config.get('peft_type')!r}")
    faults = [f"{key} is {config[key]!r}" for key, plain in PLAIN.items() if config.get(key) not in (plain, None)]
    if config.get("init_lora_weights") not in (None, *INITS):
        faults.append(f"init_lora_weights is {config['init_lora_weights']!r}")
    faults += [f"alpha_pattern has {key!r}" for key in _patterns(config) if not re.fullmatch(r"[\w.]+", key)]
    if faults:
        raise CheckpointError(
            f"{folder / CONFIG} is more than plain LoRA: {', '.join(faults)}. Merge it with peft, and load the merged model"
        )
    weights = open_weights(folder / WEIGHTS)
    changes = {layer: _change(weights, layer, config, folder / CONFIG) for layer in _layers(weights)}
    metadata = read_header(folder / WEIGHTS).get("__metadata__", {})
    return Adapter(folder, changes, metadata.get(BASE), metadata.get(SPACE))


def _layers(weights: Weights) -> list[str]:
    """Names of the layers, without peft's prefix. Raises CheckpointError for a tensor that belongs to no pair."""
    layers = [name.removesuffix(DOWN) for name in weights.names if name.endswith(DOWN)]
    paired = {f"{layer}{end}" for layer in layers for end in (DOWN, UP)}
    faults = sorted((paired ^ weights.names.keys()) | {n for n, t in weights.names.items() if t.dtype not in FLOATS})
    if faults or not layers:
        shown = ", ".join(faults[:5]) or "nothing"
        raise CheckpointError(f"{weights.path}: expected pairs of lora_A.weight and lora_B.weight; without a partner: {shown}")
    return layers


def _change(weights: Weights, layer: str, config: Mapping[str, Any], file: Path) -> Change:
    down, up = weights.read(f"{layer}{DOWN}").float(), weights.read(f"{layer}{UP}").float()
    if up.ndim != down.ndim or up.ndim < 2 or up.shape[1] != down.shape[0] or any(side != 1 for side in up.shape[2:]):
        raise CheckpointError(f"{weights.path}: {layer}: shapes {tuple(down.shape)} and {tuple(up.shape)} are no product")
    name = layer.removeprefix(PREFIX)
    own = (value for key, value in _patterns(config).items() if name == key or name.endswith(f".{key}"))
    alpha = next(own, config.get("lora_alpha"))
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not math.isfinite(alpha):
        raise CheckpointError(f"{file}: expected a number as lora_alpha, got {alpha!r}")
    return Change(down, up, alpha / len(down))


def _patterns(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Alphas of single layers, by names or the ends of names. peft also takes regular expressions, which are refused."""
    patterns = config.get("alpha_pattern")
    return patterns if isinstance(patterns, dict) else {}


def adapted(checkpoint: Checkpoint, folder: Path) -> Clip:
    """The model with an adapter merged into its weights: a model of its own, with a space of its own.

    Raises CheckpointError for an adapter that was trained on another model, or whose layers the model lacks.
    """
    adapter, clip = read_adapter(folder), checkpoint.model()
    if adapter.space_id is not None and adapter.space_id != clip.config.space_id:
        raise CheckpointError(
            f"{folder} was trained on {adapter.base!r}, space {adapter.space_id}; {clip.config.name!r} is space "
            f"{clip.config.space_id}. Load it beside the model that it was trained on"
        )
    try:
        state = merged(clip.state_dict(), _native_changes(adapter, checkpoint, clip))
    except InputError as error:
        raise CheckpointError(f"{folder} does not fit {clip.config.name!r}: {error}") from None
    clip.load_state_dict(state, assign=True)  # in place it would change what the checkpoint reads next, which is mapped
    sha256, name = digest(state.items()), f"{clip.config.name}+{folder.resolve().name}"
    source = WeightSource(folder.resolve().name, f"LoRA, merged by seesay {__version__}", clip.config.licence, sha256)
    config = replace(clip.config, name=name, provenance=(*clip.config.provenance, source), search=None)
    clip.config = replace(config, space_id=space_of(config, sha256))
    return clip


def _native_changes(adapter: Adapter, checkpoint: Checkpoint, clip: Clip) -> dict[str, Change]:
    """The changes by native names. A change of fused layers (query, key, value in one) is cut into those of its parts."""
    changes = {f"{layer.removeprefix(PREFIX)}.weight": change for layer, change in adapter.changes.items()}
    if clip.state_dict().keys() >= changes.keys():
        return {name.removesuffix(".weight"): change for name, change in changes.items()}
    faults: list[str] = []
    for table in _tables(checkpoint, clip.config):
        origins = account(changes, table()).origins
        found = {origin.foreign for origin in origins.values() if origin.how in ("same", "stack")}
        faults = [name for name in changes if name not in found]
        if not faults:
            return {
                native.removesuffix(".weight"): _part(changes[origin.foreign], origin.part, origin.parts)
                for native, origin in origins.items()
            }
    shown = ", ".join(name.removesuffix(".weight") for name in [*(faults or changes)][:5])
    raise CheckpointError(f"{adapter.folder} does not fit {clip.config.name!r}, which has no such layers: {shown}")


def _part(change: Change, part: int, parts: int) -> Change:
    return change if parts == 1 else replace(change, up=change.up.chunk(parts)[part])


def _tables(checkpoint: Checkpoint, config: ModelConfig) -> Iterator[Callable[[], Table]]:
    """Tables of the names that an adapter for this model may have: those of its own format, and of transformers."""
    if checkpoint.folder_config is None:
        yield lambda: checkpoint.format.table(checkpoint.weights.names)
    if table := _transformers_table(config):
        yield lambda: table


def _transformers_table(config: ModelConfig) -> Table | None:
    """The names of this model's tensors in transformers; None where it cannot express the model."""
    try:
        return registry.writer("transformers").translate(config, None).table
    except CheckpointError:
        return None


def _foreign_name(layer: str, table: Table) -> str:
    """The name of a native layer by a table, read backwards."""
    for row in table:
        if len(row.native) == 1 and (match := Row(row.native[0]).pattern.fullmatch(f"{layer}.weight")):
            return row.foreign.format(*match.groups()).removesuffix(".weight")
    raise CheckpointError(f"transformers has no name for {layer}")
