"""Fixtures from EVA-CLIP (baaivision/EVA; on PyPI `consisid-eva-clip`), each with its authors' kind of configuration."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from consisid_eva_clip.eva_vit_model import EVAVisionTransformer
from consisid_eva_clip.model import CLIP, CustomCLIP
from torch import nn

from tests.parity.fixtures import Made, fixture, randomise, record, text_ids

VOCABULARY, LENGTH = 300, 16
VISION = {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 8, "drop_path_rate": 0}
TEXT = {"context_length": LENGTH, "vocab_size": VOCABULARY, "width": 24, "heads": 3, "layers": 2}
ROTARY = {"rope": True, "pt_hw_seq_len": 16, "intp_freq": True}


def config(**vision: Any) -> Made:
    return {"embed_dim": 24, "vision_cfg": VISION | {"eva_model_name": "eva-clip-tiny"} | vision, "text_cfg": TEXT}


def run(model: Any, folder: Path) -> Made:
    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return with_states(model.visual.blocks, lambda: model.encode_image(x))

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        transformer = model.transformer if hasattr(model, "transformer") else model.text.transformer
        out, states = with_states(transformer.resblocks, lambda: model.encode_text(x))
        return out, [state.permute(1, 0, 2) for state in states]

    ids = text_ids(VOCABULARY, LENGTH, first=VOCABULARY - 2, last=VOCABULARY - 1, pad=0)
    scale = model.logit_scale if hasattr(model, "logit_scale") else model.text.logit_scale
    return record(folder, model, image=image, text=text, ids=ids, scale=scale)


def with_states(blocks: nn.ModuleList, encode: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The embedding, and the input of the first block and the output of each."""
    states: list[torch.Tensor] = []
    hooks = [blocks[0].register_forward_pre_hook(lambda _m, inputs: states.append(inputs[0]))]
    hooks += [block.register_forward_hook(lambda _m, _i, y: states.append(y)) for block in blocks]
    out = encode()
    for hook in hooks:
        hook.remove()
    return out, states


def rounded(model: nn.Module, dtype: torch.dtype) -> None:
    """Weights as half of the size holds them; the buffers of rotary positions stay."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def saved(folder: Path, model: Any, cfg: Made, seed: int, wrapper: str, dtype: torch.dtype = torch.float16) -> Made:
    """Saves random weights as the authors' trainer would, and computes with the same rounded numbers."""
    randomise(model, seed)
    rounded(model, dtype)
    state = model.state_dict()
    torch.save({wrapper: state} if wrapper else state, folder / "model.pt")
    (folder / "EVA-tiny.json").write_text(json.dumps(cfg, indent=1) + "\n", encoding="utf-8")
    return run(model, folder) | {"file": "model.pt"}


@fixture
def eva_clip_02(folder: Path) -> Made:
    """As EVA02-B and L: rotary positions, SwiGLU, norms inside the branches. A quarter of the grid that they are scaled to."""
    cfg = config(**ROTARY, naiveswiglu=True, subln=True, mlp_ratio=2.6667)
    return saved(folder, CustomCLIP(**cfg), cfg, 51, "module")


@fixture
def eva_clip_01(folder: Path) -> Made:
    """As EVA01-g: queries, keys and values in one layer, a plain MLP; here with the text tower's names of OpenAI's."""
    cfg = config(mlp_ratio=4.3637)
    return saved(folder, CLIP(**cfg), cfg, 52, "model")


@fixture
def eva_clip_post_norm(folder: Path) -> Made:
    """As EVA02-E, in the type of the larger; its scale among the text tower's weights."""
    cfg = config(postnorm=True, mlp_ratio=2.0)
    model = CustomCLIP(**cfg)
    model.text.logit_scale = model.logit_scale
    del model.logit_scale
    return saved(folder, model, cfg, 53, "", torch.bfloat16)


@fixture
def eva_clip_layer_scale(folder: Path) -> Made:
    """As EVA01-B."""
    cfg = config(ls_init_value=0.1)
    return saved(folder, CustomCLIP(**cfg), cfg, 54, "state_dict")


@fixture
def eva_clip_8b(folder: Path) -> Made:
    """As EVA-CLIP-8B: RMS norms, no bias of queries, values and the head. The package is older, but takes any norm."""
    cfg = config(qkv_bias=False, use_rms_norm=True, mlp_ratio=5)
    model = CustomCLIP(**config(qkv_bias=False, mlp_ratio=5))
    model.visual = EVAVisionTransformer(
        img_size=32,
        patch_size=8,
        num_classes=24,
        embed_dim=32,
        depth=2,
        num_heads=4,
        mlp_ratio=5,
        use_mean_pooling=False,
        norm_layer=partial(nn.RMSNorm, eps=1e-6),
    )
    model.visual.head = nn.Linear(32, 24, bias=False)
    return saved(folder, model, cfg, 55, "module")
