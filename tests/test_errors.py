"""The tree of errors: drawn as it is, with fields for callers."""

import inspect
import re

import pytest

from seesay import errors
from seesay.errors import InputError, SeeSayError
from seesay.library.search.filters import Filters
from seesay.library.search.query import Query


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^(?:│   |    )*[├└]── (\w+)|^(SeeSayError)$", errors.__doc__ or "", re.MULTILINE)
    classes = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SeeSayError)}
    assert {one or other for one, other in drawn} == classes
    parent: dict[int, str] = {0: "SeeSayError"}
    for bars, name in re.findall(r"^((?:│   |    )*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(bars) // 4
        assert getattr(errors, name).__bases__[0].__name__ == parent[depth], name
        parent[depth + 1] = name


def test_an_input_error_says_which_parameter_and_what_came() -> None:
    with pytest.raises(InputError) as raised:
        Filters(min_px=0)
    fault = raised.value
    assert str(fault) == "min_px: expected at least 1, got 0"
    assert (fault.parameter, fault.expected, fault.got, fault.position) == ("min_px", "at least 1", 0, None)
    assert fault.reason == "expected at least 1, got 0"


def test_an_input_error_about_a_text_has_its_position() -> None:
    with pytest.raises(InputError) as raised:
        Query.parse("dog + ")
    assert (raised.value.parameter, raised.value.got, raised.value.position) == ("query", "dog + ", 6)


def test_an_input_error_without_fields_has_none() -> None:
    fault = InputError("too few")
    assert (fault.parameter, fault.expected, fault.got, fault.position, fault.reason) == (None, None, None, None, "too few")
