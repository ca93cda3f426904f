"""Fixtures of SigLIP from OpenCLIP, with timm's image tower, and from big_vision's .npz files, which OpenCLIP reads."""

from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import open_clip
import timm
import torch
from torch import nn

from tests.parity.fixtures import Made, fixture, pixels, randomise, record, text_ids
from tests.parity.make_open_clip import save_folder

VOCABULARY, LENGTH = 60, 16
# timm's arguments, which win over those of the name; and ours
TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "mlp_ratio": 2}
SIZES = {"image_px": 32, "patch_px": 8, "width": 24, "depth": 2, "heads": 3, "mlp_width": 48}
TEXT = {
    "context_length": LENGTH,
    "vocab_size": VOCABULARY,
    "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
    "tokenizer_kwargs": {"clean": "canonicalize"},
    "width": 16,
    "heads": 2,
    "layers": 2,
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
    "norm_kwargs": {"eps": 1e-6},
}
TANH = {"act_kwargs": {"approximate": "tanh"}}


def tiny(name: str, **text: Any) -> tuple[nn.Module, Made]:
    """OpenCLIP's model with a tiny tower of that name, and its model_cfg."""
    vision = {
        "image_size": 32,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    }
    cfg = {"embed_dim": 24, "init_logit_bias": -10, "vision_cfg": vision, "text_cfg": TEXT | text}
    with patch.object(timm, "create_model", partial(timm.create_model, **TINY)):
        return open_clip.model.CustomTextCLIP(**cfg), cfg | {"custom_text": True}


def watched(layers: Any, run: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """run's vector, with what enters the first layer and leaves each."""
    states: list[torch.Tensor] = []
    hooks = [layers[0].register_forward_pre_hook(lambda _m, inputs: states.append(inputs[0]))]
    hooks += [layer.register_forward_hook(lambda _m, _i, y: states.append(y)) for layer in layers]
    vector = run()
    for hook in hooks:
        hook.remove()
    return vector, states


def recorded(model: Any, folder: Path, *, gradients: bool = True) -> Made:
    return record(
        folder,
        model,
        image=lambda x: watched(model.visual.trunk.blocks, lambda: model.encode_image(x)),
        text=lambda x: watched(model.text.transformer.resblocks, lambda: model.encode_text(x)),
        ids=text_ids(VOCABULARY, LENGTH, first=5, last=1, pad=1),
        px=pixels(32),
        scale=model.logit_scale,
        bias=model.logit_bias,
        gradients=gradients,
    )


def made(folder: Path, seed: int, name: str, **text: Any) -> Made:
    model, cfg = tiny(name, **text)
    randomise(model, seed)
    save_folder(folder, model, cfg)
    return recorded(model, folder) | {"file": "", "siglip": {name: SIZES}}


@fixture
def open_clip_siglip(folder: Path) -> Made:
    return made(folder, 71, "vit_base_patch16_siglip_224")


@fixture
def open_clip_siglip_2(folder: Path) -> Made:
    return made(folder, 72, "vit_so400m_patch16_siglip_256", **TANH)
