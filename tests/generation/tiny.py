"""Tiny text encoders of generators, as folders of diffusers without a painter: the same bytes on every machine.

Widths of 8 and 12 and a vocabulary of single bytes and a few words keep what they compute at a few KB.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from seesay.tokenizers.from_files import END, START, byte_alphabet

WORDS = ("cat", "dog", "sun", "red", "in", "glasses", "photo")
WIDTHS = {"text_encoder": 8, "text_encoder_2": 12}
LAYERS, HEADS, CONTEXT = 4, 2, 77
PUNCTUATION = (",", ".")


def pieces() -> tuple[list[str], list[str]]:
    """The pieces of the vocabulary, and its merges: each word is built letter by letter."""
    letters = [byte_alphabet()[byte] for byte in sorted(byte_alphabet())]
    found = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merges.append(f"{parts[0]} {parts[1]}")
            parts = [parts[0] + parts[1], *parts[2:]]
            found.append(parts[0])
    return [*dict.fromkeys(found), START, END], list(dict.fromkeys(merges))


def vocabulary_size() -> int:
    return len(pieces()[0])


def values(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Random numbers that a name stands for."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if len(shape) == 1:
        return torch.from_numpy(0.3 * noise + (1 if "norm" in name and name.endswith("weight") else 0))
    return torch.from_numpy(noise * np.float32(0.7 if "embedding" in name else 1.2 / shape[-1] ** 0.5))


def state(part: str, *, projection: bool, layers: int = LAYERS) -> dict[str, torch.Tensor]:
    """The tensors of a CLIPTextModel, all of them random."""
    width = WIDTHS[part]
    shapes: dict[str, tuple[int, ...]] = {
        "text_model.embeddings.token_embedding.weight": (vocabulary_size(), width),
        "text_model.embeddings.position_embedding.weight": (CONTEXT, width),
        "text_model.final_layer_norm.weight": (width,),
        "text_model.final_layer_norm.bias": (width,),
    }
    linears = {f"self_attn.{kind}_proj": (width, width) for kind in ("q", "k", "v", "out")}
    linears |= {"mlp.fc1": (2 * width, width), "mlp.fc2": (width, 2 * width)}
    for i in range(layers):
        at = f"text_model.encoder.layers.{i}."
        for name, shape in linears.items():
            shapes |= {f"{at}{name}.weight": shape, f"{at}{name}.bias": shape[:1]}
        for norm in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{at}{norm}.weight": (width,), f"{at}{norm}.bias": (width,)}
    if projection:
        shapes["text_projection.weight"] = (width, width)
    return {name: values(f"{part}/{name}", shape) for name, shape in shapes.items()}


def config(part: str, *, projection: bool, layers: int = LAYERS) -> dict[str, Any]:
    end = vocabulary_size() - 1
    return {
        "model_type": "clip_text_model",
        "architectures": ["CLIPTextModelWithProjection" if projection else "CLIPTextModel"],
        "vocab_size": vocabulary_size(),
        "hidden_size": WIDTHS[part],
        "intermediate_size": 2 * WIDTHS[part],
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "max_position_embeddings": CONTEXT,
        "hidden_act": "quick_gelu" if part == "text_encoder" else "gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": WIDTHS[part],
        "bos_token_id": end - 1,
        "eos_token_id": end,
        "pad_token_id": end,
        "attention_dropout": 0.0,
    }


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_tokenizer(folder: Path, pad: str) -> None:
    found, merges = pieces()
    write_json(folder / "vocab.json", {piece: number for number, piece in enumerate(found)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    write_json(folder / "special_tokens_map.json", special)
    settings = {"model_max_length": CONTEXT, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    write_json(folder / "tokenizer_config.json", special | settings)


def write_encoder(folder: Path, *, projection: bool = False, layers: int = LAYERS) -> None:
    folder.mkdir(parents=True)
    tensors = state(folder.name, projection=projection, layers=layers)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", config(folder.name, projection=projection, layers=layers))


CHINESE = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只戴墨镜的红猫狗，在草地上", "cat", "dog"]
CHINESE_CONTEXT = 20


def chinese_state() -> dict[str, torch.Tensor]:
    """The tensors of a BertModel, all of them random."""
    width = WIDTHS["text_encoder"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(CHINESE), width),
        "embeddings.position_embeddings.weight": (CHINESE_CONTEXT, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
        "pooler.dense.weight": (width, width),
        "pooler.dense.bias": (width,),
    }
    linears = {f"attention.self.{kind}": (width, width) for kind in ("query", "key", "value")}
    linears |= {"attention.output.dense": (width, width), "intermediate.dense": (2 * width, width)}
    linears |= {"output.dense": (width, 2 * width)}
    for i in range(LAYERS):
        at = f"encoder.layer.{i}."
        for name, shape in linears.items():
            shapes |= {f"{at}{name}.weight": shape, f"{at}{name}.bias": shape[:1]}
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}{norm}.weight": (width,), f"{at}{norm}.bias": (width,)}
    return {name: values(f"taiyi/{name.replace('LayerNorm', 'norm')}", shape) for name, shape in shapes.items()}


def taiyi(folder: Path) -> Path:
    """A folder as Taiyi's: a BertModel reads the prompt, and is not told of padding."""
    (folder / "text_encoder").mkdir(parents=True)
    save_file(chinese_state(), folder / "text_encoder" / "model.safetensors", metadata={"format": "pt"})
    width = WIDTHS["text_encoder"]
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": len(CHINESE),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": CHINESE_CONTEXT,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    write_json(folder / "text_encoder" / "config.json", config)
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.txt").write_text("\n".join([*CHINESE, ""]), encoding="utf-8")
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    settings = {"model_max_length": CHINESE_CONTEXT, "tokenizer_class": "BertTokenizer", "do_lower_case": True}
    write_json(folder / "tokenizer" / "tokenizer_config.json", special | settings)
    parts = {"text_encoder": ["transformers", "BertModel"], "tokenizer": ["transformers", "BertTokenizer"]}
    write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.36.0"} | parts)
    return folder


def generator(folder: Path, family: str, **index: Any) -> Path:
    """A folder of "sd1", "sdxl", "sdxl-refiner", "sd3", "flux" or "taiyi": its text encoders and their tokenizers."""
    if family == "taiyi":
        return taiyi(folder)
    pipelines = {
        "sd1": "StableDiffusionPipeline",
        "sdxl": "StableDiffusionXLPipeline",
        "sdxl-refiner": "StableDiffusionXLImg2ImgPipeline",
        "sd3": "StableDiffusion3Pipeline",
        "flux": "FluxPipeline",
    }
    parts: Mapping[str, bool] = {
        "sd1": {"text_encoder": False},
        "sdxl": {"text_encoder": False, "text_encoder_2": True},
        "sdxl-refiner": {"text_encoder_2": True},
        "sd3": {"text_encoder": True, "text_encoder_2": True},
        "flux": {"text_encoder": False},
    }[family]
    content: dict[str, Any] = {"_class_name": pipelines[family], "_diffusers_version": "0.36.0"}
    for part, projection in parts.items():
        write_encoder(folder / part, projection=projection)
        tokenizer = part.replace("text_encoder", "tokenizer")
        write_tokenizer(folder / tokenizer, pad=END if part == "text_encoder" else "!")
        content[part] = ["transformers", f"CLIPTextModel{'WithProjection' if projection else ''}"]
        content[tokenizer] = ["transformers", "CLIPTokenizer"]
    write_json(folder / "model_index.json", content | index)
    return folder
