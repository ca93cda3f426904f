"""Folders of tiny models that find things, with CLIP's whole vocabulary, as Hugging Face repositories have them."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.parity.originals import older_files
from tests.parity.test_checkpoints import DATA

PIECES = 49408
TEXT_TABLE = "text_model.embeddings.token_embedding.weight"


def finder_folder(place: Path, fixture: str) -> Path:
    """A copy of a fixture that takes any text: its table of tokens has a row for each of CLIP's pieces."""
    folder = place / fixture
    shutil.copytree(DATA / fixture, folder, ignore=shutil.ignore_patterns("expected.npz", "facts.json"))
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    config["text_config"] |= {"vocab_size": PIECES, "bos_token_id": PIECES - 2, "eos_token_id": PIECES - 1}
    (folder / "config.json").write_text(json.dumps(config))
    state = load_file(folder / "model.safetensors")
    name = next(name for name in state if name.endswith(TEXT_TABLE))
    table = torch.randn(PIECES, state[name].shape[1], generator=torch.Generator().manual_seed(1)) * 0.7
    save_file(state | {name: table}, folder / "model.safetensors")
    for file, content in older_files("transformers CLIP").files.items():
        (folder / file).write_text(content, encoding="utf-8")
    return folder


def rewrite(folder: Path, change: Any) -> None:
    """Saves the folder's weights again, changed: change(state), in place."""
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
