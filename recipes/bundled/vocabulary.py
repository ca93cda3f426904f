"""MiniLM's English vocabulary without the pieces that hardly any text uses, and with Chinese characters.

A character's row begins as the mean of the rows of what it means (CC-CEDICT), a traditional one as its simplified one's.
Full-width letters and digits become the ordinary ones (NFKC).
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
    tokenizer: bytes  # tokenizer.json
    rows: np.ndarray  # (V, 384) the first rows of the table


def extend(
    original: bytes, table: np.ndarray, english: Iterable[str], chinese: Iterable[str], words: list[Entry]
) -> Vocabulary:
    """`english`: texts whose pieces stay; `chinese`: texts whose characters must be there, besides those of several words."""
    spec = json.loads(original)
    old = spec["model"]["vocab"]
    special = [token["content"] for token in spec["added_tokens"]]
    tokenizer = Tokenizer.from_buffer(original)
    used: Counter[int] = Counter()
    texts = list(english)
    for start in range(0, len(texts), 10_000):
        for encoding in tokenizer.encode_batch_fast(texts[start : start + 10_000], add_special_tokens=False):
            used.update(encoding.ids)
    short = re.compile(r"(##)?[!-~]{1,2}")  # with these any word can be written
    kept = [
        token
        for token, number in sorted(old.items(), key=lambda item: item[1])
        if token in special or ((used[number] > 0 or short.fullmatch(token)) and not CHINESE.search(token))
    ]
    seen = Counter(c for entry in words for c in set(entry.simplified + entry.traditional))
    wanted = {c for text in chinese for c in CHINESE.findall(text)} | {c for c, count in seen.items() if count >= 2}
    new = [*sorted(wanted), *(mark for mark in MARKS if mark not in kept)]
    vocabulary = {token: number for number, token in enumerate([*kept, *new])}

    rows = np.empty((len(vocabulary), table.shape[1]), dtype=np.float32)
    rows[: len(kept)] = table[[old[token] for token in kept]]
    rows[len(kept) :] = _first_rows(new, words, tokenizer, table, old)
    spec["model"]["vocab"] = vocabulary
    spec["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, spec["normalizer"]]}
    for token in spec["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    for token in spec["post_processor"]["special_tokens"].values():
        token["ids"] = [vocabulary[token["id"]]]
    return Vocabulary(json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode(), rows)


def _first_rows(new: list[str], words: list[Entry], tokenizer: Tokenizer, table: np.ndarray, old: dict[str, int]) -> np.ndarray:
    ordinary = table[1000:].mean(axis=0)  # BERT's first thousand are placeholders
    alone: dict[str, list[np.ndarray]] = {}  # what a character means by itself
    within: dict[str, list[np.ndarray]] = {}  # what the words mean that it is part of
    for entry in words:
        ids = tokenizer.encode(re.sub(r"^to ", "", entry.meanings[0]), add_special_tokens=False).ids
        for c in set(entry.simplified + entry.traditional):
            (alone if len(entry.simplified) == 1 else within).setdefault(c, []).append(table[ids].mean(axis=0))
    meant = within | alone
    ascii_of = dict(zip(MARKS, ',.,;:!?""\'\'()"".-.', strict=True))
    rows = []
    for token in new:
        if token in ascii_of:
            rows.append(table[old[ascii_of[token]]])
        elif token in meant:
            rows.append(0.7 * np.mean(meant[token][:6], axis=0) + 0.3 * ordinary)
        else:
            rows.append(ordinary)
    return np.stack(rows)
