"""Ours against what `tests.parity.siglip_tokenizers --store` stored of the originals."""

import json
from typing import Any

import pytest

from tests.parity.originals import blocks, digest, digest_of_texts
from tests.parity.siglip_tokenizers import CASES, STORED, comparable, ours
from tests.parity.strings import strings

CONTENT: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(filter(comparable, strings()))


def test_the_strings_are_those_that_the_originals_were_given(texts: list[str]) -> None:
    assert digest_of_texts(texts) == CONTENT["texts"]
    assert len(texts) > 95_000


@pytest.mark.parametrize("name", CASES)
def test_ids_are_the_originals(name: str, texts: list[str]) -> None:
    """Every tenth block, for time; the script takes all."""
    tokenizer, stored = ours(name), CONTENT["digests"][name]
    wrong = [start for start, block in list(blocks(texts))[::10] if digest(tokenizer(block).ids) != stored[start // 1000]]
    assert not wrong, f"ids differ in the blocks from {wrong}; run tests/parity/siglip_tokenizers.py"
