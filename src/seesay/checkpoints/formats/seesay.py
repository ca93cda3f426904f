"""SeeSay's own model folder: config.json, tokenizer.json, weights and graphs; native tensor names."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.format import Evidence, Format
from seesay.errors import CheckpointError
from seesay.models.config import ModelConfig
from seesay.system.schema import to_json

if TYPE_CHECKING:
    from seesay.models.clip import Clip

Storage = Literal["float32", "int8", "int8-rows"]
PARTS = {"image", "text", "logit_scale", "logit_bias"}  # first parts of native tensor names


def _recognises(weights: Weights) -> bool:
    return {name.split(".")[0] for name in weights.names} <= PARTS


def _rule(evidence: Evidence) -> Description:
    raise CheckpointError(f"{evidence.folder} has SeeSay's weights without SeeSay's config.json")


FORMAT = Format(name="seesay", title="SeeSay", recognises=_recognises, table=lambda names: (), rule=_rule)


def describe(config: ModelConfig, source: str) -> Description:
    """The description in a model folder's config.json; `source`: that file."""
    return Description(
        dim=config.dim,
        image=config.image,
        text=config.text,
        image_spec=config.image_spec,
        tokenizer_spec=config.tokenizer_spec,
        tokenizer="folder" if config.text is not None else None,
        source=source,
        languages=config.languages,
    )


def write_folder(clip: "Clip", vocabulary: bytes | None, folder: Path, storage: Storage) -> dict[str, float]:
    """Writes a model folder's files; returns the differences from torch that `verify` measured.

    storage "float32": weights in model.safetensors, and graphs that are held to a tolerance. Quantized weights are stored in
    the graphs alone, and their differences are measured only.
    """
    from seesay.checkpoints.containers.saving import save_tensors
    from seesay.checkpoints.export import TOLERANCE, WEIGHTS, verify, write_graphs

    if storage == "float32":
        save_tensors({name: tensor.contiguous() for name, tensor in clip.state_dict().items()}, folder / WEIGHTS)
    write_graphs(clip, folder, storage)
    differences = verify(clip, folder, TOLERANCE if storage == "float32" else float("inf"))
    if vocabulary is not None:
        (folder / "tokenizer.json").write_bytes(vocabulary)
    towers = {"image": clip.config.image, "text": clip.config.text}
    config = replace(clip.config, precision={name: storage for name, tower in towers.items() if tower is not None})
    (folder / "config.json").write_text(json.dumps(to_json(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return differences
