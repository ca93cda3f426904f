"""Prompts with weights, as they are written."""

import pytest

from seesay.errors import InputError
from seesay.generation.drawing.prompts import Prompt, parse_prompts


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a red apple", (Prompt("a red apple"),)),
        ("a red apple | on a table:0.5", (Prompt("a red apple"), Prompt("on a table", 0.5))),
        ("一只企鹅:2|雪", (Prompt("一只企鹅", 2.0), Prompt("雪"))),
        ("a clock at 12:30", (Prompt("a clock at 12:30"),)),
        ("sea : 1e-1", (Prompt("sea", 0.1),)),
        ("note: no weight", (Prompt("note: no weight"),)),
    ],
)
def test_texts_and_weights_are_told_apart(text: str, prompts: tuple[Prompt, ...]) -> None:
    assert parse_prompts(text) == prompts


@pytest.mark.parametrize("text", ["", "  ", "a cat|", "|", ":1"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a prompt is empty|nothing"):
        parse_prompts(text)


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "-inf", "1e9"])
def test_weights_must_be_above_nothing_and_finite(weight: str) -> None:
    with pytest.raises(InputError, match=f"behind 'a cat', got {weight}"):
        parse_prompts(f"a cat:{weight}")


def test_a_prompt_has_the_weight_of_its_kind() -> None:
    assert parse_prompts("a cat | a dog:2", 0.3) == (Prompt("a cat", 0.3), Prompt("a dog", 2.0))
