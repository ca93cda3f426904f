"""Fixtures from OpenCLIP with EVA's image towers, which it takes from timm."""

from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import open_clip
import timm
import torch

from tests.parity.fixtures import Made, fixture, pixels, randomise, record, text_ids
from tests.parity.make_eva_clip import rounded, with_states
from tests.parity.make_open_clip import LENGTH, TEXT, VOCABULARY, save_folder

# timm's arguments, which win over those of the name; and ours
TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 4}
SIZES = {"image_px": 32, "patch_px": 8, "width": 32, "depth": 2, "heads": 4}


def tower(name: str, px: int = 32, **more: Any) -> tuple[Any, Made]:
    """OpenCLIP's model with a tiny tower of that name, and its model_cfg."""
    vision = {
        "image_size": px,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "token",
        "timm_proj": None,
    }
    cfg = {"embed_dim": 24, "custom_text": True, "vision_cfg": vision, "text_cfg": TEXT}
    with patch.object(timm, "create_model", partial(timm.create_model, **(TINY | {"img_size": px} | more))):
        return open_clip.model.CustomTextCLIP(**{key: value for key, value in cfg.items() if key != "custom_text"}), cfg


def run(model: Any, folder: Path, px: int = 32, ids: Any = None, gradients: bool = True) -> Made:
    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return with_states(model.visual.trunk.blocks, lambda: model.encode_image(x))

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return with_states(model.text.transformer.resblocks, lambda: model.encode_text(x))

    if ids is None:
        ids = text_ids(VOCABULARY, LENGTH, first=VOCABULARY - 2, last=VOCABULARY - 1, pad=0)
    scale = model.logit_scale
    return record(folder, model, image=image, text=text, ids=ids, px=pixels(px), scale=scale, gradients=gradients)


def made(folder: Path, seed: int, name: str, mlp_width: int, **more: Any) -> Made:
    model, cfg = tower(name, **more)
    randomise(model, seed)
    rounded(model, torch.float16)
    save_folder(folder, model, cfg)
    return run(model, folder) | {"file": "", "timm": {name: SIZES | {"mlp_width": mlp_width}}}


@fixture
def open_clip_eva_02(folder: Path) -> Made:
    return made(folder, 61, "eva02_base_patch16_clip_224", 85)


@fixture
def open_clip_eva_01(folder: Path) -> Made:
    return made(folder, 62, "eva_giant_patch14_224", 64, mlp_ratio=2)


@fixture
def open_clip_eva_post_norm(folder: Path) -> Made:
    return made(folder, 63, "eva02_enormous_patch14_clip_224", 64, mlp_ratio=2)


@fixture
def open_clip_eva_resized(folder: Path) -> Made:
    """Weights of 32 pixels run at 48: timm resizes the learned positions, and the rotary ones span the same range."""
    name = "eva02_large_patch14_clip_224"
    trained, cfg = tower(name)
    randomise(trained, 64)
    rounded(trained, torch.float16)
    save_folder(folder, trained, cfg)
    trained.float()  # resized in float32, as any tower here
    model, _ = tower(name, px=48)
    model.load_state_dict(trained.state_dict() | {"visual.trunk.pos_embed": model.visual.trunk.pos_embed})
    resized = timm.models.eva.checkpoint_filter_fn(trained.visual.trunk.state_dict(), model.visual.trunk)
    model.visual.trunk.load_state_dict(resized)
    facts = {"file": "", "timm": {name: SIZES | {"mlp_width": 85}}, "overrides": {"image_px": 48}}
    return run(model, folder, px=48) | facts | {"gradients": "not of the positions"}
