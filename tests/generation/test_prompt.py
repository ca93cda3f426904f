"""Weights, escapes and BREAK are read as people write them, and what cannot be read is said with its position."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.errors import InputError
from seesay.generation.prompt import escape, literal, parse

SYNTAX = st.text(st.sampled_from("ab ,.\\()[]+-:13BREAK猫\n"), max_size=40)


def read(text: str) -> list[tuple[str, float]]:
    return [(fragment.text, round(fragment.weight, 4)) for fragment in parse(text).fragments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a cat", 1)]),
        ("a (cat:1.3) in", [("a ", 1), ("cat", 1.3), (" in", 1)]),
        ("(cat)", [("cat", 1.1)]),
        ("((cat))", [("cat", 1.21)]),
        ("[cat]", [("cat", 0.9091)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1), (" c", 0.5)]),
        ("(( cat : .5 ))", [(" cat ", 0.55)]),
        ("cat++ dog--", [("cat", 1.21), (" ", 1), ("dog", 0.81)]),
        ("cat+, dog", [("cat", 1.1), (", dog", 1)]),
        ("(two words)++", [("two words", 1.21)]),
        ("(two words)--", [("two words", 0.81)]),
        ("(two:1.5)+", [("two", 1.65)]),
        ("[two]++", [("two", 1.1)]),
        ("(a)b++", [("a", 1.1), ("b", 1.21)]),
        ("well-known C++11 a - b -- c", [("well-known C++11 a - b -- c", 1)]),
        ("16:9 (style: x:1.2)", [("16:9 ", 1), ("style: x", 1.2)]),
        (r"\(cat\) \[dog\] C\+\+ \: \\", [(r"(cat) [dog] C++ : " + "\\", 1)]),
        (r"(cat\:2)", [("cat:2", 1.1)]),
        (r"\n \x", [(r"\n \x", 1)]),
        ("(猫:1.2)和狗", [("猫", 1.2), ("和狗", 1)]),
        ("()", []),
        ("", []),
        ("(cat:0)", [("cat", 0)]),
        ("(cat:1.0)s", [("cats", 1)]),
    ],
)
def test_weights_are_read(text: str, expected: list[tuple[str, float]]) -> None:
    assert read(text) == expected


def test_break_begins_a_section_and_is_no_part_of_a_word() -> None:
    assert [len(section) for section in parse("a (b BREAK c:1.2)").sections] == [2, 1]
    assert read(r"BREAKFAST in \BREAK") == [("BREAKFAST in BREAK", 1)]
    assert parse("BREAK").sections == ((), ())


def test_fragments_know_where_they_begin() -> None:
    assert [(fragment.text, fragment.begin) for fragment in parse("a (cat:1.3) \\(in++").fragments] == [
        ("a ", 0),
        ("cat", 3),
        (" ", 11),
        ("(in", 12),
    ]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a (cat", 2, r"the \( at character 3 of the prompt is never closed; add \)"),
        ("[a (b)", 0, r"the \[ at character 1 of the prompt is never closed; add \]"),
        ("a) b", 1, r"the \) at character 2 of the prompt closes nothing"),
        ("(a]", 2, r"the \] at character 3 of the prompt closes nothing"),
        ("[a:1.2)", 0, r"the \[ at character 1 of the prompt is closed by \)"),
        ("(a:nan)", 2, "expected a weight of 0 or more after the : at character 3 of the prompt, got 'nan'"),
        ("(a:inf)", 2, "got 'inf'"),
        ("(a:-1)", 2, "got '-1'"),
        ("(a:1e999)", 2, "got '1e999'"),
        ("(a:1_0)", 2, "got '1_0'"),
        ("(a:big)", 2, "got 'big'"),
        ("(a:)", 2, "got ''"),
        ("[cat:dog:0.5]", 0, "is another prompt for some steps"),
        ("[cat|dog]", 0, "is another prompt for some steps"),
        ("x" + "+" * 200, 0, "multiply to more than 1000"),
        ("((a:900):900)", 2, "multiply to more than 1000"),
        ("(" * 101, 100, "more than 100 brackets inside each other"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_position(text: str, position: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.parameter == "prompt"


@given(SYNTAX | st.text())
def test_an_escaped_text_is_only_text(text: str) -> None:
    found = parse(escape(text))
    assert found == literal(text)


@given(SYNTAX)
def test_any_text_is_a_prompt_or_an_error_with_a_position(text: str) -> None:
    try:
        found = parse(text)
    except InputError as error:
        found, position = None, error.position
    if found is None:
        assert position in range(len(text))
        return
    for section in found.sections:
        assert all(0 <= fragment.weight <= 1000 and fragment.text for fragment in section)
        assert all(a.weight != b.weight for a, b in pairwise(section))


def test_a_long_prompt_is_read_in_linear_time() -> None:
    import time

    times = []
    for count in (2_000, 20_000):
        start = time.perf_counter()
        parse("(word:1.2), -" * count)
        times.append(time.perf_counter() - start)
    assert times[1] < 40 * times[0] + 0.5
