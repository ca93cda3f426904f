r"""Prompts with weights: `parse` reads what people write for image generators, `escape` writes a text so that it is only text.

    (word)  ((word))     1.1 times, 1.21 times
    (two words:1.3)      1.3 times
    [word]               divided by 1.1
    word++  word--       1.1 times for every +, 0.9 times for every -; (two words)++ for more than one word
    a sky BREAK a sea    what follows BREAK begins a new chunk
    \( \) \[ \] \\ \+ \- \:  \BREAK   the letters themselves

The first three forms are those of web interfaces, + and - those of compel. Weights inside weights multiply.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from seesay.errors import InputError

UP, DOWN = 1.1, 0.9  # a parenthesis and a "+"; a "-"
DEPTH = 100  # brackets inside brackets
LARGEST = 1000.0  # generators fall apart long before, from about 1.6 on
BREAK = "BREAK"
MARKS = ",.;:!?"  # end a word, with white space and brackets
CLOSING = {"(": ")", "[": "]"}
_special = re.compile(rf"[\\()\[\]+:-]|(?<!\w){BREAK}(?!\w)")
_escaped = re.compile(rf"\\([\\()\[\]+:-]|{BREAK}(?!\w))").match
_break = re.compile(rf"(?<!\w){BREAK}(?!\w)").match
_run = re.compile(r"\++|-+").match
_signs = re.compile(rf"(\++|-+)(?=$|[\s{MARKS})\]])").match
_editing = re.compile(r"(?<!\\)\||(?<!\\):\s*[\d.]+\s*$").search
_weight = re.compile(r":([^()\[\]:\\]*)\)").match
_number = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII).fullmatch


@dataclass(frozen=True)
class Fragment:
    """A part of a prompt with one weight. begin: of its first letter in the prompt as it was written, counted from 0."""

    text: str
    weight: float
    begin: int


@dataclass(frozen=True)
class Prompt:
    """A prompt's fragments, in sections that BREAK separates; neighbours within one section have different weights."""

    sections: tuple[tuple[Fragment, ...], ...]

    @property
    def fragments(self) -> tuple[Fragment, ...]:
        """Those of all sections."""
        return tuple(fragment for section in self.sections for fragment in section)

    @property
    def text(self) -> str:
        """The words alone."""
        return " ".join("".join(fragment.text for fragment in section) for section in self.sections)


def literal(text: str) -> Prompt:
    """The prompt of a text in which no letter has a meaning."""
    return Prompt(((Fragment(text, 1.0, 0),) if text else (),))


def escape(text: str) -> str:
    """A text as a prompt in which every letter is only a letter: `parse(escape(text))` is `literal(text)` but for positions."""
    return _special.sub(r"\\\g<0>", text)


def parse(source: str) -> Prompt:
    """Reads a prompt. Raises InputError, with the position, for brackets without a partner and weights that are no weights."""
    return _Parser(source).prompt()


@dataclass
class _Letter:
    """A letter and its weight so far; an empty one stands for BREAK. begin, end: in the prompt as it was written."""

    text: str
    begin: int
    end: int
    weight: float = 1.0

    @property
    def in_word(self) -> bool:
        return bool(self.text) and not self.text.isspace() and self.text not in MARKS


@dataclass
class _Group:
    """An open bracket: where it stands, and the number of letters before it."""

    bracket: str
    at: int
    first: int


@dataclass
class _Parser:
    source: str
    at: int = 0
    letters: list[_Letter] = field(default_factory=list)
    groups: list[_Group] = field(default_factory=list)

    def prompt(self) -> Prompt:
        while self.at < len(self.source):
            self._step()
        if self.groups:
            group = self.groups[-1]
            raise self.fault(
                f"the {group.bracket} at character {group.at + 1} of the prompt is never closed; add {CLOSING[group.bracket]}, "
                f"or write \\{group.bracket} for a bracket that is only text",
                group.at,
            )
        return Prompt(tuple(self._sections()))

    def _step(self) -> None:
        character = self.source[self.at]
        if found := _escaped(self.source, self.at):
            self._add(found[1], found.end())
        elif character in CLOSING:
            self._open(character)
        elif character in CLOSING.values():
            self._close(character)
        elif character == ":" and self.groups and (found := _weight(self.source, self.at)):
            self._weigh(found)
        elif found := _run(self.source, self.at):
            self._sign(found[0])
        elif found := _break(self.source, self.at):
            self._add("", found.end())
        else:
            self._add(character, self.at + 1)

    def _add(self, text: str, end: int) -> None:
        self.letters.append(_Letter(text, self.at, end))
        self.at = end

    def _open(self, bracket: str) -> None:
        if len(self.groups) == DEPTH:
            raise self.fault(
                f"the prompt has more than {DEPTH} brackets inside each other; write a weight: (word:1.3)", self.at
            )
        self.groups.append(_Group(bracket, self.at, len(self.letters)))
        self.at += 1

    def _close(self, bracket: str) -> None:
        group = self.groups[-1] if self.groups else None
        if group is None or CLOSING[group.bracket] != bracket:
            raise self.fault(
                f"the {bracket} at character {self.at + 1} of the prompt closes nothing that is open; remove it, or write "
                f"\\{bracket} for a bracket that is only text",
                self.at,
            )
        self.at += 1
        signs = _signs(self.source, self.at)
        if group.bracket == "[":
            self._check_editing(group)
            self._multiply(group.first, 1 / UP)
        elif signs is None:  # with signs, a parenthesis only says what they are for
            self._multiply(group.first, UP)
        self._end_group(signs)

    def _weigh(self, found: re.Match[str]) -> None:
        group = self.groups[-1]
        if group.bracket == "[":
            raise self.fault(f"the [ at character {group.at + 1} of the prompt is closed by )", group.at)
        text = found[1].strip()
        weight = float(text) if _number(text) else math.nan
        if not (math.isfinite(weight) and weight >= 0):
            raise self.fault(
                f"expected a weight of 0 or more after the : at character {self.at + 1} of the prompt, got {text!r}; write "
                "(word:1.3), or \\: for a colon that is only text",
                self.at,
            )
        self._multiply(group.first, weight)
        self.at = found.end()
        self._end_group(_signs(self.source, self.at))

    def _end_group(self, signs: re.Match[str] | None) -> None:
        """Closes the innermost group, and applies the signs behind it."""
        group = self.groups.pop()
        if signs is not None:
            self._multiply(group.first, _factor(signs[1]))
            self.at = signs.end()

    def _check_editing(self, group: _Group) -> None:
        inside = self.source[group.at + 1 : self.at - 1]
        if _editing(inside):
            raise self.fault(
                f"[{inside}] at character {group.at + 1} of the prompt is another prompt for some steps of drawing, which one "
                "conditioning cannot be; make one for each, or write \\[ for a bracket that is only text",
                group.at,
            )

    def _sign(self, run: str) -> None:
        """Signs at the end of a word are its weight; elsewhere they are text."""
        first = self._word() if _signs(self.source, self.at) else len(self.letters)
        if first < len(self.letters):
            self._multiply(first, _factor(run))
            self.at += len(run)
        else:
            self._add(run, self.at + len(run))

    def _word(self) -> int:
        """The number of letters before the word that ends here; of all letters where none does."""
        first, end = len(self.letters), self.at
        least = self.groups[-1].first if self.groups else 0
        while first > least and (letter := self.letters[first - 1]).in_word and letter.end == end:
            first, end = first - 1, letter.begin
        return first

    def _multiply(self, first: int, factor: float) -> None:
        for letter in self.letters[first:]:
            letter.weight *= factor
            if letter.weight > LARGEST:
                raise self.fault(f"the weights of the prompt multiply to more than {LARGEST:g}", letter.begin)

    def _sections(self) -> Iterator[tuple[Fragment, ...]]:
        """The letters, those of one weight that follow each other joined."""
        breaks = [-1, *(i for i, letter in enumerate(self.letters) if not letter.text), len(self.letters)]
        for before, end in pairwise(breaks):
            runs = (list(run) for _, run in groupby(self.letters[before + 1 : end], key=lambda letter: letter.weight))
            yield tuple(Fragment("".join(letter.text for letter in run), run[0].weight, run[0].begin) for run in runs)

    def fault(self, message: str, at: int) -> InputError:
        return InputError(message, parameter="prompt", got=self.source, position=at)


def _factor(signs: str) -> float:
    return float((UP if signs[0] == "+" else DOWN) ** min(len(signs), 1000))
