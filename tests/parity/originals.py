"""The original tokenizers by name, our equivalent of each, and the form in which their ids are stored."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest.mock import patch

import numpy as np
from ftfy.fixes import remove_control_chars

from seesay.checkpoints.formats import open_clip_config
from seesay.tokenizers import SPECS, Tokenizer, pad_id, vocabulary
from seesay.tokenizers.from_files import bert_json, clip_json
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import VocabularyName
from tests.parity.strings import BLOCK

Rows = TypeVar("Rows", Sequence[str], np.ndarray)

DATA = Path(__file__).parent / "data"
STORED = DATA / "tokenizers.json"
HF_FOLDERS = DATA / "hf-tokenizers"  # as OpenCLIP publishes: made by make_hf_tokenizers.py
PACKAGED = tuple(SPECS)
HUGGING_FACE = ("transformers CLIP", "transformers BERT")
OPEN_CLIP_HF = {f"open_clip with {name}": name for name in ("bert", "roberta", "xlm-v", "mt5")}


@dataclass(frozen=True)
class OlderFiles:
    """A vocabulary as Hugging Face folders held it before tokenizer.json."""

    files: dict[str, str]
    spec: TokenizerSpec

    def tokenizer_json(self) -> bytes:
        if "merges.txt" in self.files:
            return clip_json(self.files["vocab.json"], self.files["merges.txt"])
        return bert_json(self.files["vocab.txt"])


def older_files(name: str) -> OlderFiles:
    if name == "transformers BERT":
        vocab = _model("chinese_clip")["vocab"]
        lines = "".join(f"{piece}\n" for piece in sorted(vocab, key=vocab.__getitem__))
        return OlderFiles({"vocab.txt": lines}, TokenizerSpec(52, pad_id=vocab["[PAD]"], padding="context"))
    model = _model("clip")
    vocab = {piece: number for piece, number in model["vocab"].items() if number < 49406}
    vocab |= {"<|startoftext|>": 49406, "<|endoftext|>": 49407}
    merges = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"] if a + b in vocab)
    spec = TokenizerSpec(77, pad_id=49407, padding="context")
    return OlderFiles({"vocab.json": json.dumps(vocab), "merges.txt": merges}, spec)


def _model(name: VocabularyName) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(vocabulary(name))["model"])


WITHOUT_FTFY = {"clip without ftfy": "clip", "open_clip without ftfy": "open_clip"}


def ours(name: str) -> Tokenizer:
    """Our tokenizer that should give the ids of the original called `name`, padded to its context."""
    if name in HUGGING_FACE:
        older = older_files(name)
        return Tokenizer(older.tokenizer_json(), older.spec)
    if name in OPEN_CLIP_HF:
        folder = HF_FOLDERS / OPEN_CLIP_HF[name]
        return Tokenizer(folder / "tokenizer.json", hf_spec(folder))
    name = WITHOUT_FTFY.get(name, name)
    return Tokenizer(vocabulary(cast("VocabularyName", name)), replace(SPECS[name], padding="context"))


def repairs(name: str) -> AbstractContextManager[object]:
    """Without ftfy, which takes longer than all the rest, both sides only remove control characters, as it would."""
    return patch("ftfy.fix_text", remove_control_chars) if name in WITHOUT_FTFY else nullcontext()


def hf_spec(folder: Path) -> TokenizerSpec:
    """The TokenizerSpec that the reader makes of an OpenCLIP folder, but always padded."""
    described = open_clip_config.describe(json.loads((folder / "open_clip_config.json").read_text()), None, folder.name)
    padding_id = pad_id(folder)
    assert described.tokenizer_spec
    assert padding_id is not None
    return replace(described.tokenizer_spec, pad_id=padding_id, padding="context")


def blocks(rows: Rows) -> Iterator[tuple[int, Rows]]:
    """(number of the first, 1,000 of them)."""
    return ((start, rows[start : start + BLOCK]) for start in range(0, len(rows), BLOCK))


def digest(ids: np.ndarray) -> str:
    """16 hex digits of an id array's SHA-256, padding and shape included."""
    return hashlib.sha256(str(ids.shape).encode() + ids.astype("<i8").tobytes()).hexdigest()[:16]


def digest_of_texts(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0\0".join(texts).encode()).hexdigest()[:16]
