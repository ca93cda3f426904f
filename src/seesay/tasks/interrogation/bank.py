"""`PhraseBank`: phrases that people type into image generators, each of a kind, in English or Chinese.

The packaged lists (phrases/) are written in sections, `# light`, of phrases between commas; `a {red|blue} hat` stands for one
phrase per alternative. They name no living artists.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seesay.errors import InputError
from seesay.system.chinese import is_chinese

CONTENT = ("subject", "action", "place")  # what is in the picture; the other kinds say how it is shown
KINDS = (*CONTENT, "medium", "style", "light", "colour", "composition", "camera")
LANGUAGES = ("en", "zh")
LETTERS = 200  # most of a phrase
PHRASES = 100_000  # most of a bank
_COMMA = re.compile(r"[,，]\s*(?![^{]*\})")  # not within alternatives
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class PhraseBank:
    """Phrases without repetition, with the kind of each, and the text that joins them in a prompt."""

    texts: tuple[str, ...]
    kinds: tuple[str, ...]
    separator: str

    @staticmethod
    def parse(content: str, name: str) -> "PhraseBank":
        """Reads a list in the form of the packaged ones, or of one phrase per line. name: of its source, for messages.

        Phrases before any section are of the kind "subject". Raises InputError for an unknown kind, and where there are no
        phrases or too many.
        """
        kinds: dict[str, str] = {}
        for text, kind in _phrases(content, name):
            if len(text) > LETTERS:
                raise InputError(f"{name}: a phrase has at most {LETTERS} letters, got {len(text)}: {text[:40]!r} ...")
            kinds.setdefault(text, kind)
            if len(kinds) > PHRASES:
                raise InputError(f"{name}: a list has at most {PHRASES:,} phrases; split it")
        if not kinds:
            raise InputError(f"{name} has no phrases; write them between commas, or one per line")
        chinese = 2 * sum(map(is_chinese, kinds)) > len(kinds)
        return PhraseBank(tuple(kinds), tuple(kinds.values()), "，" if chinese else ", ")


@cache
def phrase_bank(language: str) -> PhraseBank:
    """The packaged phrases of a language, "en" or "zh". Raises InputError."""
    if language not in LANGUAGES:
        raise InputError(f"phrases come in {' and '.join(LANGUAGES)}, got {language!r}")
    file = Path(__file__).parent / "phrases" / f"{language}.txt"
    return PhraseBank.parse(file.read_text(encoding="utf-8"), file.name)


def _phrases(content: str, name: str) -> Iterator[tuple[str, str]]:
    """Every phrase with its kind."""
    kind = KINDS[0]
    for number, line in enumerate(content.removeprefix("\ufeff").splitlines(), start=1):
        line = line.strip()
        if line.startswith("# "):
            kind = line[2:].strip()
            if kind not in KINDS:
                raise InputError(f"{name}, line {number}: expected a kind ({', '.join(KINDS)}), got {kind!r}")
            continue
        for pattern in _COMMA.split(line):
            for text in _expanded(pattern.strip()):
                if text:
                    yield text, kind


def _expanded(pattern: str) -> Iterator[str]:
    """`{a|the} cat` -> `a cat`, `the cat`."""
    parts = _ALTERNATIVES.split(pattern)  # the odd ones are alternatives
    options: list[Sequence[str]] = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    return map("".join, itertools.product(*options))
