"""MiniLM's English vocabulary without unused pieces, extended with Chinese characters.

The initial row of a character is the mean of the rows of its meanings (CC-CEDICT); traditional characters get those of the
simplified ones. Full-width letters and digits are normalized (NFKC).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from recipes.bundled.dictionary import Entry

CHINESE = re.compile(r"[\u3400-\u9fff]")
MARKS = "，。、；：！？“”‘’（）《》…—·"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer with the initial rows of its embedding table."""

    tokenizer: bytes  # tokenizer.json
    rows: np.ndarray  # (V, 384)


def extend(
    original: bytes, table: np.ndarray, english: Iterable[str], chinese: Iterable[str], words: list[Entry]
) -> Vocabulary:
    """english: texts whose pieces are retained; chinese: texts whose characters are added, besides those of several words."""
    spec = json.loads(original)
    old = spec["model"]["vocab"]
    special = [token["content"] for token in spec["added_tokens"]]
    tokenizer = Tokenizer.from_buffer(original)
    used: Counter[int] = Counter()
    texts = list(english)
    for start in range(0, len(texts), 10_000):
        for encoding in tokenizer.encode_batch_fast(texts[start : start + 10_000], add_special_tokens=False):
            used.update(encoding.ids)
    short = re.compile(r"(##)?[!-~]{1,2}")  # pieces with which any word can be written
    retained = [
        token
        for token, number in sorted(old.items(), key=lambda item: item[1])
        if token in special or ((used[number] > 0 or short.fullmatch(token)) and not CHINESE.search(token))
    ]
    uses = Counter(c for entry in words for c in set(entry.simplified + entry.traditional))
    characters = {c for text in chinese for c in CHINESE.findall(text)} | {c for c, count in uses.items() if count >= 2}
    new = [*sorted(characters), *(mark for mark in MARKS if mark not in retained)]
    vocabulary = {token: number for number, token in enumerate([*retained, *new])}

    rows = np.empty((len(vocabulary), table.shape[1]), dtype=np.float32)
    rows[: len(retained)] = table[[old[token] for token in retained]]
    rows[len(retained) :] = _first_rows(new, words, tokenizer, table, old)
    spec["model"]["vocab"] = vocabulary
    spec["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, spec["normalizer"]]}
    for token in spec["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    for token in spec["post_processor"]["special_tokens"].values():
        token["ids"] = [vocabulary[token["id"]]]
    return Vocabulary(json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode(), rows)


def _first_rows(new: list[str], words: list[Entry], tokenizer: Tokenizer, table: np.ndarray, old: dict[str, int]) -> np.ndarray:
    mean_row = table[1000:].mean(axis=0)  # BERT's first thousand are placeholders
    own_meanings: dict[str, list[np.ndarray]] = {}  # meanings of the character as a word
    word_meanings: dict[str, list[np.ndarray]] = {}  # meanings of the words that contain it
    for entry in words:
        ids = tokenizer.encode(re.sub(r"^to ", "", entry.meanings[0]), add_special_tokens=False).ids
        for c in set(entry.simplified + entry.traditional):
            (own_meanings if len(entry.simplified) == 1 else word_meanings).setdefault(c, []).append(table[ids].mean(axis=0))
    meanings = word_meanings | own_meanings
    ascii_of = dict(zip(MARKS, ',.,;:!?""\'\'()"".-.', strict=True))
    rows = []
    for token in new:
        if token in ascii_of:
            rows.append(table[old[ascii_of[token]]])
        elif token in meanings:
            rows.append(0.7 * np.mean(meanings[token][:6], axis=0) + 0.3 * mean_row)
        else:
            rows.append(mean_row)
    return np.stack(rows)
