"""Finds which of many queries a caption contains, all in one pass over it (Aho and Corasick 1975)."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from seesay.errors import InputError, MissingExtra
from seesay.system.paths import printable
from seesay.training.curation.spacing import pattern, spaced


class Matcher:
    """The automaton of a list of queries; queries are known by their position in it.

    ignore_case: upper and lower case are one; by default they differ, as in MetaCLIP. Raises InputError, MissingExtra.
    """

    def __init__(self, queries: Sequence[str], *, ignore_case: bool = False) -> None:
        try:
            import ahocorasick
        except ImportError:
            raise MissingExtra("balancing captions over queries", "data") from None
        self._ignore_case = ignore_case
        automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        self._twins: dict[int, list[int]] = {}  # further queries of one pattern, such as "Dog" and "dog" without case
        first: dict[str, int] = {}
        for number, query in enumerate(queries):
            text = pattern(query.casefold() if ignore_case else query)
            if first.setdefault(text, number) == number:
                automaton.add_word(text, number)
            else:
                self._twins.setdefault(first[text], []).append(number)
        automaton.make_automaton()
        self._matches = automaton.iter

    def find(self, caption: str) -> set[int]:
        """The queries that a caption contains, each once."""
        text = spaced(caption.casefold() if self._ignore_case else caption)
        found = {number for _, number in self._matches(text)}
        if self._twins:
            found |= {twin for number in found & self._twins.keys() for twin in self._twins[number]}
        return found


def read_queries(file: Path) -> tuple[str, ...]:
    """The queries of a text file, one a line, or of a JSON list (MetaCLIP's metadata.json), each once. Raises InputError."""
    try:
        content = file.read_text(encoding="utf-8-sig")
        lines = json.loads(content) if file.suffix.lower() == ".json" else content.splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{printable(file)}: expected a list of strings")
    if queries := unique(lines):
        return queries
    raise InputError(f"{printable(file)} has no queries; make a list with: seesay data queries captions.parquet -o queries.txt")


def unique(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines without the space around them, each once, in order; empty ones are left out."""
    return tuple(dict.fromkeys(text for line in lines if (text := line.strip())))
