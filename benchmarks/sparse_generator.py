"""A Stable Diffusion XL file of its real size, 7 GB, without its numbers: a safetensors header, and a hole on the disk."""

import json
import struct
from math import prod
from pathlib import Path

Shapes = dict[str, tuple[int, ...]]
GB = 1_000_000_000


def make(file: Path, gigabytes: float = 7.0) -> None:
    """Writes the file: both text encoders by their names and shapes, and a UNet and VAE of 1680 and 248 tensors."""
    shapes = {
        **{f"conditioner.embedders.0.transformer.text_model.{name}": shape for name, shape in clip_l().items()},
        **{f"conditioner.embedders.1.model.{name}": shape for name, shape in open_clip(1280, 32).items()},
        **{f"first_stage_model.decoder.up.{i}.conv.weight": (512, 512, 3, 3) for i in range(20)},
        **{f"first_stage_model.encoder.down.{i}.norm.weight": (512,) for i in range(228)},
    }
    left = int(gigabytes * GB) // 2 - sum(map(prod, shapes.values()))
    shapes |= {f"model.diffusion_model.input_blocks.{i}.weight": (1280, left // 1680 // 1280) for i in range(1680)}
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at := at + 2 * prod(shape)]}
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + at)


def clip_l() -> Shapes:
    """OpenAI's ViT-L/14 text tower under transformers' names."""
    shapes: Shapes = {
        "embeddings.token_embedding.weight": (49408, 768),
        "embeddings.position_embedding.weight": (77, 768),
        "embeddings.position_ids": (1, 77),
        **layer("final_layer_norm", 768),
    }
    for i in range(12):
        at = f"encoder.layers.{i}."
        shapes |= layer(f"{at}layer_norm1", 768) | layer(f"{at}layer_norm2", 768)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= layer(f"{at}self_attn.{name}", 768, 768)
        shapes |= layer(f"{at}mlp.fc1", 3072, 768) | layer(f"{at}mlp.fc2", 768, 3072)
    return shapes


def open_clip(width: int, layers: int) -> Shapes:
    """A text tower under OpenCLIP's names."""
    shapes: Shapes = {
        "token_embedding.weight": (49408, width),
        "positional_embedding": (77, width),
        "text_projection": (width, width),
        "logit_scale": (),
        **layer("ln_final", width),
    }
    for i in range(layers):
        at = f"transformer.resblocks.{i}."
        shapes |= layer(f"{at}ln_1", width) | layer(f"{at}ln_2", width) | layer(f"{at}attn.out_proj", width, width)
        shapes |= {f"{at}attn.in_proj_weight": (3 * width, width), f"{at}attn.in_proj_bias": (3 * width,)}
        shapes |= layer(f"{at}mlp.c_fc", 4 * width, width) | layer(f"{at}mlp.c_proj", width, 4 * width)
    return shapes


def layer(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
