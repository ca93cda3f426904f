"""Writes a random full-size CLIP, ViT-B/32 unless told otherwise, in the formats of SeeSay, transformers and OpenCLIP."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.formats import registry, writing
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.hub.catalog import architecture
from seesay.checkpoints.preprocessing import preset
from seesay.models.clip import Clip
from seesay.models.config import ImageConfig, ModelConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.tokenizers import SPECS, vocabulary

NAME = "ViT-B-32"
SOT, EOT = 49406, 49407


def make(folder: Path, name: str = NAME, targets: Collection[str] = ("transformers", "open_clip")) -> ImageConfig:
    """Writes float32, int8 and the targets in `folder`; returns the image tower's configuration. name: of an architecture."""
    found = architecture(name)
    assert isinstance(found.text, ClipTextConfig)
    config = ModelConfig(
        format_version=1,
        name="random",
        dim=found.dim,
        image=found.image,
        text=found.text,
        image_spec=preset("openai", found.image.image_px),
        tokenizer_spec=replace(SPECS["clip"], context_length=found.text.positions),
        logit_scale=4.6052,
        logit_bias=None,
        score="softmax",
        precision={},
        languages=(),
        licence="none",
        provenance=(),
        space_id="0" * 32,
    )
    torch.manual_seed(0)
    clip = Clip(config)
    with torch.no_grad():
        for weight, parameter in clip.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.7 / parameter.shape[-1] ** 0.5)
            elif weight.endswith("weight"):
                parameter.normal_(1, 0.1)
            elif parameter.ndim == 1:
                parameter.normal_(std=0.1)
    for storage, place in (("float32", "float32"), ("int8-rows", "int8")):
        with new_folder(folder / place) as unfinished:
            write_folder(clip, vocabulary("clip"), unfinished, storage)  # type: ignore[arg-type]
    for target in targets:
        with new_folder(folder / target) as unfinished:
            writing.write(clip, vocabulary("clip"), unfinished, registry.writer(target))
    return found.image


def pixels(count: int, px: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, px, px)).astype(np.float32)


def texts(count: int, words: int) -> np.ndarray:
    """Ids (count, words + 2) of random texts of so many words."""
    ids = np.random.default_rng(1).integers(1000, 40000, (count, words + 2))
    ids[:, 0], ids[:, -1] = SOT, EOT
    return ids
