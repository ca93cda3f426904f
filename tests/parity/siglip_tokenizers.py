"""The texts of SigLIP and SigLIP 2 as their authors and transformers prepare them, beside ours, on 100,000 strings.

    PYTHONPATH=src python -m tests.parity.siglip_tokenizers [--store]

The authors (big_vision) clean a text, cut it with SentencePiece, keep the end when it is too long, and pad to 64; transformers'
SiglipTokenizer does the same but for an underscore, which it removes. --store writes the results, small, for `make test`.
"""

import itertools
import json
import re
import string
import sys
import unicodedata
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from seesay.checkpoints.formats import siglip
from seesay.tokenizers import Tokenizer
from tests.parity.originals import DATA, digest_of_texts
from tests.parity.strings import strings

FOLDERS = DATA / "siglip-tokenizers"
STORED = DATA / "siglip_tokenizers.json"
LENGTH = 64


def comparable(text: str) -> bool:
    """No mark on a character that SentencePiece normalises: the `tokenizers` library then leaves both as they are."""
    return not any(
        unicodedata.category(mark)[0] == "M" and unicodedata.normalize("NFKC", before) != before
        for before, mark in itertools.pairwise(text)
    )


def canonical(text: str) -> str:
    without = "".join(character for character in text.replace("_", " ") if character not in string.punctuation)
    return re.sub(r"\s+", " ", without.lower()).strip()


def lower(text: str) -> str:
    return text.encode().lower().decode()  # bytes know no letters but A to Z


# Name -> the folder, and what is done to a text before the original sees it.
CASES: dict[str, tuple[str, Callable[[str], str]]] = {
    "big_vision, SigLIP": ("siglip", str),
    "transformers, SiglipTokenizer": ("siglip", canonical),
    "big_vision, SigLIP 2": ("gemma", str),
}


def ours(name: str) -> Tokenizer:
    folder = FOLDERS / CASES[name][0]
    return Tokenizer(folder / "tokenizer.json", siglip.tokenizer_spec(folder, 0, LENGTH))


def originals() -> dict[str, Callable[[list[str]], np.ndarray]]:
    import sentencepiece
    from transformers import SiglipTokenizer

    slow = SiglipTokenizer(str(FOLDERS / "siglip" / "spiece.model"))
    models = [str(FOLDERS / name / "spiece.model") for name in ("siglip", "gemma")]
    unigrams, pairs = map(sentencepiece.SentencePieceProcessor, models)

    def by_transformers(texts: list[str]) -> np.ndarray:
        return np.asarray(slow(texts, padding="max_length", truncation=True, max_length=LENGTH)["input_ids"])

    return {
        "big_vision, SigLIP": partial(by_authors, unigrams, canonical, 1),
        "transformers, SiglipTokenizer": by_transformers,
        "big_vision, SigLIP 2": partial(by_authors, pairs, lower, 0),
    }


def by_authors(cut: Any, clean: Callable[[str], str], pad: int, texts: list[str]) -> np.ndarray:
    """Ids (N, LENGTH): cleaned, cut, ended, padded."""
    rows = np.full((len(texts), LENGTH), pad, dtype=np.int64)
    for row, text in zip(rows, texts, strict=True):
        ids = [*cut.encode(clean(text))[: LENGTH - 1], cut.eos_id()]
        row[: len(ids)] = ids
    return rows


def prepared(original: Callable[[list[str]], np.ndarray], before: Callable[[str], str]) -> Callable[[list[str]], np.ndarray]:
    return lambda texts: original(list(map(before, texts)))


def main() -> None:
    from tests.parity.tokenizers import compared

    texts, wrong, stored = list(filter(comparable, strings())), 0, {}
    for name, original in originals().items():
        count, result = compared(name, prepared(original, CASES[name][1]), ours(name), texts)
        wrong += count
        stored[name] = result["digests"]
    if "--store" in sys.argv:
        versions = {package: version(package) for package in ("sentencepiece", "transformers", "tokenizers")}
        content = {"versions": versions, "texts": digest_of_texts(texts), "digests": stored}
        Path(STORED).write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")
    if wrong:
        sys.exit(f"{wrong} differences")


if __name__ == "__main__":
    main()
