"""The texts of SigLIP and SigLIP 2 as their authors and transformers prepare them, beside ours, on 100,000 strings.

    PYTHONPATH=src python -m tests.parity.siglip_tokenizers [--store]

The authors (big_vision) clean a text, cut it with SentencePiece, keep the end when it is too long, and pad to 64; transformers'
SiglipTokenizer does the same but for an underscore, which it removes, and a text that begins with white space or a mark.

The `tokenizers` library, which cuts ours and all fast tokenizers of transformers, differs from SentencePiece in two ways, which
touch up to MOST strings: it normalises no character that has a mark on it, and of two cuts that are equally likely but for the
rounding of a sum it may take the other. Those strings are listed with the stored results, everything else must be equal.
--store writes the results, small, for `make test`.
"""

import json
import re
import string
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from seesay.checkpoints.formats import siglip
from seesay.tokenizers import Tokenizer
from tests.parity.originals import DATA, blocks, digest, digest_of_texts
from tests.parity.strings import kind_of, strings

FOLDERS = DATA / "siglip-tokenizers"
STORED = DATA / "siglip_tokenizers.json"
LENGTH = 64
MOST, SHOWN = 400, 10


def canonical(text: str) -> str:
    without = "".join(character for character in text.replace("_", " ") if character not in string.punctuation)
    return re.sub(r"\s+", " ", without.lower()).strip()


def begun(text: str) -> str:
    """Cleaned, without spaces of no width at the beginning, before which SiglipTokenizer puts a piece of their own."""
    return canonical(text).lstrip("\u200b ")


def lower(text: str) -> str:
    return text.encode().lower().decode()  # bytes know no letters but A to Z


# Name -> the folder, and what is done to a text before the original sees it.
CASES: dict[str, tuple[str, Callable[[str], str]]] = {
    "big_vision, SigLIP": ("siglip", str),
    "transformers, SiglipTokenizer": ("siglip", begun),
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


def main() -> None:
    texts, stored, differing, too_many = list(strings()), {}, {}, []
    for name, original in originals().items():
        before = CASES[name][1]
        digests: list[str] = []
        wrong: list[int] = []
        for start, block in blocks(texts):
            expected, actual = original(list(map(before, block))), ours(name)(block).ids
            unequal = (expected != actual).any(axis=1)
            digests.append(digest(expected[~unequal]))
            wrong += [start + int(number) for number in np.flatnonzero(unequal)]
        kinds = dict(Counter(map(kind_of, wrong)))
        print(f"{name}: {len(wrong):,} of {len(texts):,} strings differ {kinds or ''}", flush=True)
        for number in wrong[:SHOWN]:
            print(f"  {number} ({kind_of(number)}): {texts[number][:200]!r}")
        stored[name], differing[name] = digests, wrong
        too_many += [name] if len(wrong) > MOST else []
    if "--store" in sys.argv:
        versions = {package: version(package) for package in ("sentencepiece", "transformers", "tokenizers")}
        content = {"versions": versions, "texts": digest_of_texts(texts), "digests": stored, "differing": differing}
        STORED.write_text(json.dumps(content) + "\n", encoding="utf-8")
    if too_many:
        sys.exit(f"more than {MOST} differences: {', '.join(too_many)}")


if __name__ == "__main__":
    main()
