"""Writes the two packaged vocabularies, src/seesay/tokenizers/vocabularies/*.json: `python -m recipes.tokenizers.build`.

Both are read from the packages that publish them (requirements.txt), without importing those: the byte-pair merges of OpenAI's
CLIP, and the WordPiece vocabulary of Google's Chinese BERT as Chinese-CLIP ships it. The result is the same bytes at every run.

The files cut *cleaned* text into ids; cleaning, with lower-casing, is `seesay.tokenizers.cleaning`, since neither original's
can be said in a tokenizer.json (ftfy; Unicode tables of another age).
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

MERGES = 49152 - 256 - 2  # the file has more; CLIP uses as many as make its vocabulary 49,408
END = "</w>"

# The special tokens may stand in running text, where the originals read them as one token, though only where their pattern
# begins to match. Added tokens of the `tokenizers` library would be found anywhere, so merges must join the parts that the
# ordinary ones leave. A part of marks never meets a part of letters in any other word, so nothing else can match these.
SPECIALS = {
    "<|startoftext|>": ("<", "|", "star", "tof", "text", "|", ">" + END),
    "<|endoftext|>": ("<", "|", "endof", "text", "|", ">" + END),
    "<start_of_text>": ("<", "start", "_", "of", "_", "text", ">" + END),
    "<end_of_text>": ("<", "end", "_", "of", "_", "text", ">" + END),
}
# The originals match without regard to case, with the `regex` package. The text is in lower case by then, so that this shows
# in two characters only: the long s folds to a letter that occurs here, and U+0345, a mark that folds to the letter iota, is
# matched by nothing.
PATTERN = r"|'[sſ]|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}\x{345}]+"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    merges = gzip.decompress(package_file("clip", "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
    write("clip", clip([(a, b) for a, b in map(str.split, merges[1 : MERGES + 1])]))
    lines = package_file("cn_clip", "clip/vocab.txt").read_bytes().decode().split("\n")
    write("chinese", chinese(lines[:-1]))


def package_file(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; see recipes/tokenizers/README.md")
    return Path(spec.origin).parent / name


def write(name: str, content: dict[str, Any]) -> None:
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print(f"{file}: {len(content['model']['vocab']):,} entries, {file.stat().st_size / 1e6:.2f} MB")


def clip(merges: list[tuple[str, str]]) -> dict[str, Any]:
    alphabet = list(byte_alphabet().values())
    names = [*alphabet, *(letter + END for letter in alphabet), *(a + b for a, b in merges)]
    vocabulary = {name: number for number, name in enumerate(names)}
    assert len(vocabulary) == 49406
    start, end = len(vocabulary), len(vocabulary) + 1
    for (special, parts), token in zip(SPECIALS.items(), (start, end, start, end), strict=True):
        for left, right in joins(parts):
            assert left + right not in vocabulary
            # What is not whole yet gets a number that no text can come out with.
            whole = left + right == special + END
            vocabulary[left + right] = token if whole else len(vocabulary) + 2
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
    """Merges that join the parts, beginning where marks meet letters."""
    first = next(i for i, (left, right) in enumerate(pairwise(parts)) if right.isalpha() and not left.isalpha())
    done, pairs = parts[first], []
    for part in parts[first + 1 :]:
        pairs.append((done, part))
        done += part
    for part in reversed(parts[:first]):
        pairs.append((part, done))
        done = part + done
    return pairs


def chinese(lines: list[str]) -> dict[str, Any]:
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
    """A post-processor: one token before the text and one after it."""
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
