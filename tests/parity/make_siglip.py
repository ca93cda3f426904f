"""Fixtures of SigLIP from OpenCLIP, with timm's image tower, and from big_vision's .npz files, which OpenCLIP reads."""

from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import open_clip
import timm
import torch
from open_clip.convert import load_big_vision_weights
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


# big_vision


def flax_tower(
    random: np.random.Generator, part: str, width: int, heads: int, mlp: int, *, stacked: bool
) -> dict[str, np.ndarray]:
    """The encoder of a tower under its names in flax, every number random; layers separate, or stacked along a first side."""

    def norm(*layers: int) -> dict[str, np.ndarray]:
        return {
            "scale": 1 + 0.3 * random.standard_normal((*layers, width)),
            "bias": 0.3 * random.standard_normal((*layers, width)),
        }

    def dense(name: str, shape: tuple[int, ...], bias: tuple[int, ...], inputs: int, *layers: int) -> dict[str, np.ndarray]:
        kernel = 1.2 * random.standard_normal((*layers, *shape)) / np.sqrt(inputs)
        return {f"{name}/kernel": kernel, f"{name}/bias": 0.3 * random.standard_normal((*layers, *bias))}

    def attention(name: str, *layers: int) -> dict[str, np.ndarray]:
        split = (heads, width // heads)
        arrays: dict[str, np.ndarray] = {}
        for each in ("query", "key", "value"):
            arrays |= dense(f"{name}/{each}", (width, *split), split, width, *layers)
        return arrays | dense(f"{name}/out", (*split, width), (width,), width, *layers)

    def perceptron(name: str, *layers: int) -> dict[str, np.ndarray]:
        up = dense(f"{name}/Dense_0", (width, mlp), (mlp,), width, *layers)
        return up | dense(f"{name}/Dense_1", (mlp, width), (width,), mlp, *layers)

    arrays: dict[str, np.ndarray] = {}
    encoder = "Transformer" if part == "img" else "Encoder_0"
    for block, layers in (("encoderblock", (2,)),) if stacked else (("encoderblock_0", ()), ("encoderblock_1", ())):
        place = f"{encoder}/{block}"
        for number in (0, 1):
            arrays |= {f"{place}/LayerNorm_{number}/{key}": value for key, value in norm(*layers).items()}
        arrays |= attention(f"{place}/MultiHeadDotProductAttention_0", *layers) | perceptron(f"{place}/MlpBlock_0", *layers)
    arrays |= {f"{encoder}/encoder_norm/{key}": value for key, value in norm().items()}
    if part == "img":
        head = "MAPHead_0"
        arrays |= {
            f"{head}/probe": random.standard_normal((1, 1, width)),
            "pos_embedding": random.standard_normal((1, 16, width)),
        }
        arrays |= attention(f"{head}/MultiHeadDotProductAttention_0") | perceptron(f"{head}/MlpBlock_0")
        arrays |= {f"{head}/LayerNorm_0/{key}": value for key, value in norm().items()}
        arrays |= dense("embedding", (8, 8, 3, width), (width,), 192)
    else:
        arrays |= {"Embed_0/embedding": random.standard_normal((VOCABULARY, width)) * 0.7}
        arrays |= {"pos_embedding": 0.7 * random.standard_normal((1, LENGTH, width))} | dense("head", (width, 24), (24,), width)
    return {f"{part}/{name}": value for name, value in arrays.items()}


def npz(folder: Path, seed: int, root: str, *, stacked: bool) -> Made:
    """OpenCLIP reads what we read: a file of random numbers."""
    random = np.random.default_rng(seed)
    arrays = flax_tower(random, "img", 24, 3, 48, stacked=stacked) | flax_tower(random, "txt", 16, 2, 64, stacked=stacked)
    arrays |= {"t": np.array([1.3]), "b": np.array([-2.1])}
    saved = {root + name: value.astype(np.float32) for name, value in arrays.items()}
    np.savez(folder / "siglip.npz", **saved)  # type: ignore[arg-type]
    model, _ = tiny("vit_so400m_patch16_siglip_256", **TANH)
    load_big_vision_weights(model, str(folder / "siglip.npz"))
    return recorded(model, folder, gradients=False) | {"file": "siglip.npz"}


@fixture
def big_vision_siglip(folder: Path) -> Made:
    return npz(folder, 73, "params/", stacked=True)


@fixture
def big_vision_siglip_layers(folder: Path) -> Made:
    return npz(folder, 74, "", stacked=False)
