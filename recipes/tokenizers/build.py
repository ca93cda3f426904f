"""Writes the two packaged vocabularies, src/seesay/tokenizers/vocabularies/*.json: `python -m recipes.tokenizers.build`.

Both are read from the packages that publish them (requirements.txt), without importing these: the byte-pair merges of OpenAI's
CLIP, and the WordPiece vocabulary of Google's Chinese BERT as Chinese-CLIP ships it. Every run writes the same bytes.

The files split *cleaned* text into ids. Cleaning, with lower-casing, is `seesay.tokenizers.cleaning`, since a tokenizer.json
can express neither of the originals (ftfy; older Unicode tables).
"""

import gzip
import importlib.util
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from seesay.tokenizers.from_files import byte_alphabet
from seesay.tokenizers.vocabulary import FOLDER, OPENAI_SPECIALS

MERGES = 49152 - 256 - 2  # CLIP uses these many of the file's merges, for a vocabulary of 49,408
END = "</w>"

# Special tokens may occur in running text, where the originals read each as one token, but only where their pattern begins to
# match. Added tokens of the `tokenizers` library would match anywhere, so merges must join the parts that the ordinary merges
# leave. In no other word does a part of punctuation meet a part of letters, so these merges match nothing else.
SPECIALS = {
    "<|startoftext|>": ("<", "|", "star", "tof", "text", "|", ">" + END),
    "<|endoftext|>": ("<", "|", "endof", "text", "|", ">" + END),
    "<start_of_text>": ("<", "start", "_", "of", "_", "text", ">" + END),
    "<end_of_text>": ("<", "end", "_", "of", "_", "text", ">" + END),
}
# The originals match with the `regex` package, ignoring case. The text is in lower case by then, so this matters for two
# characters only: the long s folds to a letter in this pattern, and U+0345, a mark that folds to the letter iota, matches
# nothing.
PATTERN = r"|'[sſ]|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}\x{345}]+"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    merges = gzip.decompress(package_file("clip", "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
    write("clip", clip([(a, b) for a, b in map(str.split, merges[1 : MERGES + 1])]))
    lines = package_file("cn_clip", "clip/vocab.txt").read_bytes().decode().split("\n")
    write("chinese", chinese(lines[:-1]))


def package_file(package: str, name: str) -> Path:
    """A file inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; see recipes/tokenizers/README.md")
    return Path(spec.origin).parent / name


def write(name: str, content: dict[str, Any]) -> None:
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print(f"{file}: {len(content['model']['vocab']):,} entries, {file.stat().st_size / 1e6:.2f} MB")


def clip(merges: list[tuple[str, str]]) -> dict[str, Any]:
    """CLIP's tokenizer.json."""
    alphabet = list(byte_alphabet().values())
    names = [*alphabet, *(letter + END for letter in alphabet), *(a + b for a, b in merges)]
    vocabulary = {name: number for number, name in enumerate(names)}
    assert len(vocabulary) == 49406
    start, end = len(vocabulary), len(vocabulary) + 1
    for (special, parts), token in zip(SPECIALS.items(), (start, end, start, end), strict=True):
        for left, right in joins(parts):
            assert left + right not in vocabulary
            # An incomplete token gets an id that no text can produce.
            complete = left + right == special + END
            vocabulary[left + right] = token if complete else len(vocabulary) + 2
            merges = [*merges, (left, right)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": OPENAI_SPECIALS + PATTERN},
                    "behavior": "Removed",
                    "invert": True,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": around("<|startoftext|>", start, "<|endoftext|>", end),
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": END,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def joins(parts: Sequence[str]) -> list[tuple[str, str]]:
    """Merges that join the parts, beginning where punctuation meets letters."""
    first = next(i for i, (left, right) in enumerate(pairwise(parts)) if right.isalpha() and not left.isalpha())
    joined, pairs = parts[first], []
    for part in parts[first + 1 :]:
        pairs.append((joined, part))
        joined += part
    for part in reversed(parts[:first]):
        pairs.append((part, joined))
        joined = part + joined
    return pairs


def chinese(lines: list[str]) -> dict[str, Any]:
    """Chinese BERT's tokenizer.json; lines: one piece each."""
    vocabulary = {name: number for number, name in enumerate(lines)}
    assert len(vocabulary) == 21128
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": around("[CLS]", vocabulary["[CLS]"], "[SEP]", vocabulary["[SEP]"]),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 200,
            "vocab": vocabulary,
        },
    }


def around(first: str, first_id: int, last: str, last_id: int) -> dict[str, Any]:
    """A post-processor that adds one token before a text and one after it."""
    return {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": first, "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": last, "type_id": 0}},
        ],
        "pair": [
            {"SpecialToken": {"id": first, "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": last, "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 0}},
            {"SpecialToken": {"id": last, "type_id": 0}},
        ],
        "special_tokens": {
            first: {"id": first, "ids": [first_id], "tokens": [first]},
            last: {"id": last, "ids": [last_id], "tokens": [last]},
        },
    }


if __name__ == "__main__":
    main()
