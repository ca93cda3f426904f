"""Tiny checkpoints that can read: parity fixtures with random embeddings for whole vocabularies, in their original formats."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from seesay.checkpoints.containers.weights import open_weights
from tests.parity.test_checkpoints import DATA
from tests.parity.tokenizers import older_files

PIECES, CONTEXT = 49408, 77
CHINESE_PIECES = 21128


def _wider(state: dict[str, Tensor], rows: dict[str, int]) -> dict[str, Tensor]:
    """The embeddings named get so many rows, at random."""
    torch.manual_seed(3)
    return state | {name: 0.7 * torch.randn(count, state[name].shape[1]) for name, count in rows.items()}


def _edited(folder: Path, file: str, part: list[str], **values: object) -> None:
    config = json.loads((folder / file).read_text())
    at = config
    for key in part:
        at = at[key]
    at.update(values)
    (folder / file).write_text(json.dumps(config))


def make_openai(folder: Path) -> Path:
    weights = open_weights(DATA / "openai-vit-archive" / "model.pt")
    state = {name: weights.read(name).float().clone() for name in weights.names}
    state = _wider(state, {"token_embedding.weight": PIECES, "positional_embedding": CONTEXT})
    state |= {"input_resolution": torch.tensor(32), "context_length": torch.tensor(CONTEXT), "vocab_size": torch.tensor(PIECES)}
    folder.mkdir(parents=True)
    torch.save(state, folder / "openai.pt")
    return folder / "openai.pt"


def make_open_clip(folder: Path) -> Path:
    shutil.copytree(DATA / "open-clip-native", folder)
    file = folder / "open_clip_model.safetensors"
    save_file(_wider(load_file(file), {"token_embedding.weight": PIECES, "positional_embedding": CONTEXT}), file)
    _edited(folder, "open_clip_config.json", ["model_cfg", "text_cfg"], vocab_size=PIECES, context_length=CONTEXT)
    return folder


def make_hf(folder: Path) -> Path:
    shutil.copytree(DATA / "hf-clip-5", folder)
    file, embeddings = folder / "model.safetensors", "text_model.embeddings."
    rows = {f"{embeddings}token_embedding.weight": PIECES, f"{embeddings}position_embedding.weight": CONTEXT}
    save_file(_wider(load_file(file), rows), file, metadata={"format": "pt"})
    ends = {"bos_token_id": PIECES - 2, "eos_token_id": PIECES - 1, "pad_token_id": 1}
    _edited(folder, "config.json", ["text_config"], vocab_size=PIECES, max_position_embeddings=CONTEXT, **ends)
    for name, content in older_files("transformers CLIP").files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def make_hf_chinese(folder: Path) -> Path:
    shutil.copytree(DATA / "hf-chinese-clip-5", folder)
    file, embeddings = folder / "model.safetensors", "text_model.embeddings."
    rows = {f"{embeddings}word_embeddings.weight": CHINESE_PIECES, f"{embeddings}position_embeddings.weight": 512}
    save_file(_wider(load_file(file), rows), file, metadata={"format": "pt"})
    _edited(folder, "config.json", ["text_config"], vocab_size=CHINESE_PIECES, max_position_embeddings=512)
    for name, content in older_files("transformers BERT").files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


MAKERS = {"openai": make_openai, "open_clip": make_open_clip, "hf": make_hf, "hf_chinese": make_hf_chinese}
