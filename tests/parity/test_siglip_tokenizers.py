"""Ours against what `tests.parity.siglip_tokenizers --store` stored of the originals."""

import json
from typing import Any

import numpy as np
import pytest

from tests.parity.originals import blocks, digest, digest_of_texts
from tests.parity.siglip_tokenizers import CASES, MOST, STORED, ours
from tests.parity.strings import BLOCK, strings

CONTENT: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(strings())


def test_the_strings_are_those_that_the_originals_were_given(texts: list[str]) -> None:
    assert digest_of_texts(texts) == CONTENT["texts"]


@pytest.mark.parametrize("name", CASES)
def test_ids_are_the_originals(name: str, texts: list[str]) -> None:
    """Every tenth block, for time, without the strings that are listed; the script takes all."""
    tokenizer, stored, listed = ours(name), CONTENT["digests"][name], np.array(CONTENT["differing"][name], dtype=np.int64)
    assert len(listed) <= MOST
    for start, block in list(blocks(texts))[::10]:
        others = np.setdiff1d(np.arange(len(block)), listed - start)
        assert digest(tokenizer(block).ids[others]) == stored[start // BLOCK], f"ids differ in the block from {start}"
