"""Writes a vocabulary as the files that Hugging Face transformers reads."""

import json
from typing import Any

from seesay.tokenizers.from_files import END, START, bert_json, clip_json
from seesay.tokenizers.vocabulary import vocabulary

MERGES = 48_894  # of OpenAI's vocabulary; later ones in the packaged file spell special tokens in running text
FIRST_SPECIAL = 49_406


def transformers_files(content: bytes, length: int) -> dict[str, Any]:
    """A tokenizer.json -> file name -> text or JSON. A packaged vocabulary gets transformers' own form, any other is unchanged.

    transformers does not clean texts as OpenAI's code does: it repairs no mojibake and knows no HTML entities.
    """
    if content in (vocabulary("clip"), vocabulary("open_clip")):
        return _clip(length)
    if content == vocabulary("chinese_clip"):
        return _chinese(length)
    return {"tokenizer.json": content.decode()}


def _clip(length: int) -> dict[str, Any]:
    model = json.loads(vocabulary("clip"))["model"]
    pieces = {piece: number for piece, number in model["vocab"].items() if number < FIRST_SPECIAL}
    pieces |= {START: FIRST_SPECIAL, END: FIRST_SPECIAL + 1}
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"][:MERGES]]
    vocab, lines = json.dumps(pieces, ensure_ascii=False), "\n".join(["#version: 0.2", *merges]) + "\n"
    return {
        "vocab.json": vocab,
        "merges.txt": lines,
        "tokenizer.json": clip_json(vocab, lines).decode(),
        "tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": length,
            "bos_token": START,
            "eos_token": END,
            "unk_token": END,
            "pad_token": END,
            "do_lower_case": True,
            "errors": "replace",
        },
    }


def _chinese(length: int) -> dict[str, Any]:
    pieces = json.loads(vocabulary("chinese_clip"))["model"]["vocab"]
    text = "\n".join(sorted(pieces, key=pieces.__getitem__)) + "\n"
    return {
        "vocab.txt": text,
        "tokenizer.json": bert_json(text).decode(),
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer",
            "model_max_length": length,
            "do_lower_case": True,
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "mask_token": "[MASK]",
        },
    }
