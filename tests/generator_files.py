"""Writes generators' files of every layout around given text encoders, whose tensors have transformers' names."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

State = Mapping[str, Tensor]
UNET = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(4, 4, 3, 3)}
VAE = {"first_stage_model.encoder.conv_in.weight": torch.zeros(4, 3, 3, 3)}
BLOCK = {
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
}


def random_state(
    width: int, layers: int, vocabulary: int, *, projection: int | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """The tensors of a CLIPTextModel, all of them random."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int, scale: float = 0.1, middle: float = 0.0) -> Tensor:
        return torch.randn(*shape, generator=generator) * scale + middle

    state = {
        "text_model.embeddings.token_embedding.weight": drawn(vocabulary, width),
        "text_model.embeddings.position_embedding.weight": drawn(77, width),
    }
    for i in range(layers):
        at = f"text_model.encoder.layers.{i}."
        for norm in ("layer_norm1", "layer_norm2"):
            state |= {f"{at}{norm}.weight": drawn(width, middle=1.0), f"{at}{norm}.bias": drawn(width)}
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            state |= {f"{at}self_attn.{name}.weight": drawn(width, width), f"{at}self_attn.{name}.bias": drawn(width)}
        state |= {f"{at}mlp.fc1.weight": drawn(2 * width, width), f"{at}mlp.fc1.bias": drawn(2 * width)}
        state |= {f"{at}mlp.fc2.weight": drawn(width, 2 * width), f"{at}mlp.fc2.bias": drawn(width)}
    state |= {"text_model.final_layer_norm.weight": drawn(width, middle=1.0), "text_model.final_layer_norm.bias": drawn(width)}
    if projection is not None:
        state["text_projection.weight"] = drawn(projection, width)
    return state


def in_open_clip(state: State) -> dict[str, Tensor]:
    """A text tower under OpenCLIP's names: queries, keys and values fused, the projection transposed."""
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if match := re.fullmatch(r"text_model\.encoder\.layers\.(\d+)\.(.+)", name):
            at, rest = f"transformer.resblocks.{match[1]}.", match[2]
            if rest.startswith("self_attn.q_proj."):
                part = rest.rsplit(".", 1)[1]
                begin = name[: -len(rest)] + "self_attn."
                out[f"{at}attn.in_proj_{part}"] = torch.cat([state[f"{begin}{kind}_proj.{part}"] for kind in "qkv"])
            elif not rest.startswith(("self_attn.k_proj.", "self_attn.v_proj.")):
                old = next(old for old in BLOCK if rest.startswith(old))
                out[at + rest.replace(old, BLOCK[old])] = tensor
    embeddings = "text_model.embeddings."
    out["token_embedding.weight"] = state[f"{embeddings}token_embedding.weight"]
    out["positional_embedding"] = state[f"{embeddings}position_embedding.weight"]
    out |= {f"ln_final.{part}": state[f"text_model.final_layer_norm.{part}"] for part in ("weight", "bias")}
    if (projection := state.get("text_projection.weight")) is not None:
        out["text_projection"] = projection.T
    return out


def nested(state: State, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def stored(state: State, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """In one dtype, each tensor with memory of its own; whole numbers as they are."""
    return {n: (t.to(dtype) if t.is_floating_point() else t).clone().contiguous() for n, t in state.items()}


def positions(*, as_float: bool = False) -> Tensor:
    return torch.arange(77)[None].to(torch.float32 if as_float else torch.int64)


def sd1(state: State) -> dict[str, Tensor]:
    """A Stable Diffusion 1.x file with the stray position ids."""
    ids = {"text_model.embeddings.position_ids": positions()}
    return {**UNET, **VAE, **nested({**state, **ids}, "cond_stage_model.transformer.")}


def merged_sd1(state: State) -> dict[str, Tensor]:
    """A merge without the level `text_model`, its position ids stored as floats."""
    flat = {name.removeprefix("text_model."): tensor for name, tensor in state.items()}
    flat["embeddings.position_ids"] = positions(as_float=True)
    return {**UNET, **VAE, **nested(flat, "cond_stage_model.transformer.")}


def sd2(state: State) -> dict[str, Tensor]:
    scale = {"logit_scale": torch.tensor(4.6)}
    return {**UNET, **VAE, **nested(in_open_clip(state) | scale, "cond_stage_model.model.")}


def sdxl(first: State, second: State) -> dict[str, Tensor]:
    return {
        **UNET,
        **VAE,
        **nested(first, "conditioner.embedders.0.transformer."),
        **nested(in_open_clip(second), "conditioner.embedders.1.model."),
    }


def refiner(state: State) -> dict[str, Tensor]:
    return {**UNET, **VAE, **nested(in_open_clip(state), "conditioner.embedders.0.model.")}


def sd3(first: State, second: State) -> dict[str, Tensor]:
    return {
        "model.diffusion_model.joint_blocks.0.x_block.attn.proj.weight": torch.zeros(4, 4),
        **VAE,
        **nested(first, "text_encoders.clip_l.transformer."),
        **nested(second, "text_encoders.clip_g.transformer."),
        "text_encoders.t5xxl.transformer.shared.weight": torch.zeros(8, 4),
    }


def write(state: State, path: Path, dtype: torch.dtype = torch.float32) -> Path:
    save_file(stored(state, dtype), path)
    return path


def text_config(state: State, *, activation: str, heads: int) -> dict[str, Any]:
    """config.json of a CLIPTextModel with these tensors."""
    vocabulary, width = state["text_model.embeddings.token_embedding.weight"].shape
    projection = state.get("text_projection.weight")
    return {
        "model_type": "clip_text_model",
        "architectures": ["CLIPTextModel" if projection is None else "CLIPTextModelWithProjection"],
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": state["text_model.encoder.layers.0.mlp.fc1.bias"].shape[0],
        "num_hidden_layers": sum(name.endswith("layer_norm1.weight") for name in state),
        "num_attention_heads": heads,
        "max_position_embeddings": state["text_model.embeddings.position_embedding.weight"].shape[0],
        "hidden_act": activation,
        "layer_norm_eps": 1e-5,
        "projection_dim": width if projection is None else projection.shape[0],
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }


def write_folder(home: Path, pipeline: str, encoders: Mapping[str, tuple[State, dict[str, Any]]], file: str) -> Path:
    """A diffusers folder with these text encoders and their configurations."""
    index: dict[str, Any] = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DConditionModel"]}
    for name, (state, config) in encoders.items():
        (home / name).mkdir(parents=True)
        write(state, home / name / file)
        (home / name / "config.json").write_text(json.dumps(config), encoding="utf-8")
        index[name] = ["transformers", config["architectures"][0]]
    (home / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return home
