"""Writes a random full-size CLIP, ViT-B/32 unless told otherwise, in the formats of SeeSay, transformers and OpenCLIP."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.formats import registry, writing
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.hub.catalog import Architecture, architecture
from seesay.checkpoints.preprocessing import Preprocessing, preset
from seesay.models.clip import Clip
from seesay.models.config import ImageConfig, ModelConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.tokenizers import SPECS, vocabulary
from seesay.tokenizers.spec import TokenizerSpec

NAME = "ViT-B-32"
SOT, EOT = 49406, 49407


def configuration(
    found: Architecture, preprocessing: Preprocessing, spec: TokenizerSpec, logit_bias: float | None = None
) -> ModelConfig:
    """The configuration of a model of this architecture; logit_bias: of a sigmoid model."""
    return ModelConfig(
        format_version=1,
        name="random",
        dim=found.dim,
        image=found.image,
        text=found.text,
        image_spec=preset(preprocessing, found.image.image_px),
        tokenizer_spec=spec,
        logit_scale=4.6052,
        logit_bias=logit_bias,
        score="softmax" if logit_bias is None else "sigmoid",
        precision={},
        languages=(),
        licence="none",
        provenance=(),
        space_id="0" * 32,
    )


def write(clip: Clip, tokenizer: bytes | None, folder: Path, targets: Collection[str]) -> None:
    """Writes a model as float32, as int8 and for other libraries."""
    for storage, place in (("float32", "float32"), ("int8-rows", "int8")):
        with new_folder(folder / place) as unfinished:
            write_folder(clip, tokenizer, unfinished, storage)  # type: ignore[arg-type]
    for target in targets:
        with new_folder(folder / target) as unfinished:
            writing.write(clip, tokenizer, unfinished, registry.writer(target))


def make(folder: Path, name: str = NAME, targets: Collection[str] = ("transformers", "open_clip")) -> ImageConfig:
    """Writes float32, int8 and the targets in `folder`; returns the image tower's configuration. name: of an architecture."""
    found = architecture(name)
    assert isinstance(found.text, ClipTextConfig)
    spec = replace(SPECS["clip"], context_length=found.text.positions)
    torch.manual_seed(0)
    clip = Clip(configuration(found, "openai", spec))
    with torch.no_grad():
        for weight, parameter in clip.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.7 / parameter.shape[-1] ** 0.5)
            elif weight.endswith("weight"):
                parameter.normal_(1, 0.1)
            elif parameter.ndim == 1:
                parameter.normal_(std=0.1)
    write(clip, vocabulary("clip"), folder, targets)
    return found.image


def pixels(count: int, px: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, px, px)).astype(np.float32)


def texts(count: int, words: int) -> np.ndarray:
    """Ids (count, words + 2) of random texts of so many words."""
    ids = np.random.default_rng(1).integers(1000, 40000, (count, words + 2))
    ids[:, 0], ids[:, -1] = SOT, EOT
    return ids
