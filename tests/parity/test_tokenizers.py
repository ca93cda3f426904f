"""Ours against what `tests.parity.tokenizers --store` stored of the originals: 100,000 strings, or every tenth block."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seesay.tokenizers import Tokenizer, vocabulary
from seesay.tokenizers.cleaning import CLEANINGS, unmarked
from tests.parity.originals import (
    HF_FOLDERS,
    HUGGING_FACE,
    OPEN_CLIP_HF,
    PACKAGED,
    STORED,
    blocks,
    digest,
    digest_of_texts,
    ours,
    repairs,
)
from tests.parity.strings import BLOCK, COUNT, special_strings, strings

CONTENT: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(strings())


@pytest.fixture(scope="module")
def clip_ids(texts: list[str]) -> np.ndarray:
    with repairs("clip without ftfy"):
        return ours("clip")(texts).ids


@pytest.fixture(scope="module")
def tidied(texts: list[str]) -> dict[int, list[str]]:
    """Every tenth block, repaired by ftfy: once for all the tokenizers that begin so."""
    return {start: list(map(CLEANINGS["whitespace"], block)) for start, block in list(blocks(texts))[::10]}


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
    assert digest_of_texts(texts + special_strings()) == CONTENT["texts"]
    assert len(set(texts)) == 100_000


@pytest.mark.parametrize("name", PACKAGED)
def test_examples_have_the_ids_of_the_original(name: str) -> None:
    """The same as below for a few hundred strings, written out, so that a difference can be read."""
    tokenizer = ours(name)
    for example in CONTENT["examples"]:
        (row,) = tokenizer([example["text"]]).ids.tolist()
        expected = example[name]
        assert row[: len(expected)] == expected, example["text"]


def test_clip_ids_are_the_originals(clip_ids: np.ndarray) -> None:
    """All strings, without ftfy on either side."""
    assert_equal_to_stored("clip without ftfy", dict(blocks(clip_ids)))


def test_open_clip_ids_are_the_originals(texts: list[str], clip_ids: np.ndarray) -> None:
    """OpenCLIP's differ from CLIP's at most where a text has a "<", perhaps as an entity: by its special tokens."""
    rows = [i for i, text in enumerate(texts) if "<" in text or "&" in text]
    ids = clip_ids.copy()
    with repairs("open_clip without ftfy"):
        ids[rows] = ours("open_clip")([texts[i] for i in rows]).ids
    assert_equal_to_stored("open_clip without ftfy", dict(blocks(ids)))


@pytest.mark.parametrize("name", ["clip", "open_clip"])
def test_repaired_texts_have_the_ids_of_the_original(name: str, tidied: dict[int, list[str]]) -> None:
    tokenizer = without_cleaning(name)
    assert_equal_to_stored(name, {start: tokenizer([text.lower() for text in block]).ids for start, block in tidied.items()})


@pytest.mark.parametrize("name", OPEN_CLIP_HF)
def test_ids_of_a_hugging_face_tokenizer_are_those_that_open_clip_gives(name: str, tidied: dict[int, list[str]]) -> None:
    """Special tokens in running text the whole way, and every twentieth block, repaired already; the script takes all."""
    tokenizer = ours(name)
    ids = {COUNT: tokenizer(special_strings()).ids}
    rest = {"whitespace": str, "canonicalize": unmarked}[tokenizer.spec.cleaning]
    cuts = Tokenizer(HF_FOLDERS / OPEN_CLIP_HF[name] / "tokenizer.json", replace(tokenizer.spec, cleaning="none"))
    ids |= {start: cuts(list(map(rest, block))).ids for start, block in list(tidied.items())[::2]}
    assert_equal_to_stored(name, ids)


def test_chinese_clip_ids_are_the_originals(texts: list[str]) -> None:
    tokenizer = ours("chinese_clip")
    assert_equal_to_stored("chinese_clip", {start: tokenizer(block).ids for start, block in blocks(texts)})


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_older_files_give_the_ids_of_transformers(name: str, texts: list[str]) -> None:
    """Every tenth block, for time; the script takes all."""
    tokenizer = ours(name)
    assert_equal_to_stored(name, {start: tokenizer(block).ids for start, block in list(blocks(texts))[::10]})
