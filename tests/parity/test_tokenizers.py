"""Ours against what `python -m tests.parity.tokenizers --store` stored of the originals: 100,000 strings each."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seesay.tokenizers import Tokenizer, vocabulary
from seesay.tokenizers.cleaning import CLEANINGS
from tests.parity.originals import HUGGING_FACE, PACKAGED, STORED, blocks, digest, digest_of_texts, ours
from tests.parity.strings import BLOCK, strings

CONTENT: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(strings())


@pytest.fixture(scope="module")
def cleaned(texts: list[str]) -> list[str]:
    """Cleaned once for both vocabularies, since ftfy takes longer than all the rest; the examples below go the whole way."""
    return list(map(CLEANINGS["clip"], texts))


@pytest.fixture(scope="module")
def clip_ids(cleaned: list[str]) -> np.ndarray:
    return without_cleaning("clip")(cleaned).ids


def without_cleaning(name: str) -> Tokenizer:
    tokenizer = ours(name)
    assert tokenizer.spec.cleaning == "clip"
    return Tokenizer(vocabulary(name), replace(tokenizer.spec, cleaning="none"))  # type: ignore[arg-type]


def assert_equal_to_stored(name: str, ids: dict[int, np.ndarray]) -> None:
    """`ids`: those of each block, by the number of its first string."""
    stored = CONTENT["digests"][name]
    wrong = [start for start, rows in ids.items() if digest(rows) != stored[start // BLOCK]]
    assert not wrong, f"{name}: ids differ in the blocks of {BLOCK} strings from {wrong[:10]}; run tests/parity/tokenizers.py"


def test_the_strings_are_those_that_the_originals_were_given(texts: list[str]) -> None:
    assert digest_of_texts(texts) == CONTENT["texts"]
    assert len(set(texts)) == 100_000


@pytest.mark.parametrize("name", PACKAGED)
def test_examples_have_the_ids_of_the_original(name: str) -> None:
    """The same as below for a few hundred strings, written out, so that a difference can be read."""
    tokenizer = ours(name)
    for example in CONTENT["examples"]:
        (row,) = tokenizer([example["text"]]).ids.tolist()
        known = example[name]
        assert row[: len(known)] == known, example["text"]


def test_clip_ids_are_the_originals(clip_ids: np.ndarray) -> None:
    assert_equal_to_stored("clip", dict(blocks(clip_ids)))


def test_open_clip_ids_are_the_originals(cleaned: list[str], clip_ids: np.ndarray) -> None:
    """OpenCLIP's differ from CLIP's at most where a cleaned text has a "<": by the special tokens' other spelling."""
    rows = [i for i, text in enumerate(cleaned) if "<" in text]
    ids = clip_ids.copy()
    ids[rows] = without_cleaning("open_clip")([cleaned[i] for i in rows]).ids
    assert_equal_to_stored("open_clip", dict(blocks(ids)))


def test_chinese_clip_ids_are_the_originals(texts: list[str]) -> None:
    tokenizer = ours("chinese_clip")
    assert_equal_to_stored("chinese_clip", {start: tokenizer(block).ids for start, block in blocks(texts)})


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_older_files_give_the_ids_of_transformers(name: str, texts: list[str]) -> None:
    """Every tenth block, for time; the script takes all."""
    tokenizer = ours(name)
    assert_equal_to_stored(name, {start: tokenizer(block).ids for start, block in list(blocks(texts))[::10]})
