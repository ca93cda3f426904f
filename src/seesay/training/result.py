"""What a run leaves: a SeeSay folder that `load` and ONNX Runtime open at once."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from seesay import __version__
from seesay.checkpoints.reader import digest, space_of
from seesay.config import ModelConfig, Source
from seesay.conversion import new_folder, write
from seesay.models import Clip
from seesay.training.recipe import Recipe


def write_model(config: ModelConfig, weights: Mapping[str, Tensor], vocabulary: bytes, recipe: Recipe) -> Path:
    """Writes `model` in the run's folder, in place of an earlier one, its graphs proven against torch. Raises ModelError."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    with torch.device("meta"):
        clip = Clip(config)
    clip.load_state_dict(state, assign=True)
    made = digest(state.items())
    config = replace(
        config,
        logit_scale=float(state["logit_scale"]),
        logit_bias=float(state["logit_bias"]) if "logit_bias" in state else None,
        provenance=(*config.provenance, Source(recipe.name, f"seesay {__version__} train", recipe.model.licence, made)),
    )
    clip.config = replace(config, space_id=space_of(config, made))
    folder, old = recipe.folder / "model", recipe.folder / "model.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    with new_folder(folder) as unfinished:
        write(clip.eval(), vocabulary, unfinished, "float32")
    shutil.rmtree(old, ignore_errors=True)
    return folder
