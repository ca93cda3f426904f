"""What people look for, as a sum: `"beach sunset" + photo:./pool.jpg - 0.5*people`.

    query    = [sign] part { sign part }
    sign     = "+" | "-"             at the beginning or after a space, so that a t-shirt stays one word
    part     = [ number "*" ] what   how much it counts, 1 unless said
    what     = words                 up to the next sign
             | '"' words '"'         with signs in it; \\" for a quotation mark, \\\\ for a backslash
             | "photo:" path         a file or URL, in quotation marks where it holds spaces
             | "like:" id            a picture or text of the library, by the id that every hit has

Full-width signs and the quotation marks of other languages mean the same. `str(query)` is read back as the same query.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from seesay.errors import InputError
from seesay.paths import printable

What = Literal["words", "photo", "like"]
SIGNS = {"+": 1.0, "＋": 1.0, "-": -1.0, "－": -1.0, "−": -1.0}
QUOTES = {'"': '"', "“": "”", "「": "」", "„": "“"}
LEAST, LARGEST = 0.001, 1000.0  # weights
NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*[*＊×]\s*")
KIND = re.compile(r"(photo|like)[:：](?!\s|$)", re.IGNORECASE)  # "photo: a dog" is words
ID = re.compile(r"[0-9a-f]{12}(:\d+)?")
PLAIN = re.compile(r"[^\s\"“”„「」\\]+")  # needs no quotation marks as a path


@dataclass(frozen=True)
class Part:
    """One summand: `value` is words, a path or URL, or an id; `weight` is negative for what shall not be there."""

    what: What
    value: str
    weight: float = 1.0

    def __str__(self) -> str:
        """Without its sign."""
        weight = "" if abs(self.weight) == 1 else f"{abs(self.weight)!r}*".replace(".0*", "*")
        if self.what == "like":
            return f"{weight}like:{self.value}"
        if self.what == "photo":
            return f"{weight}photo:{self.value if PLAIN.fullmatch(self.value) else _quoted(self.value)}"
        return weight + _quoted(self.value)


@dataclass(frozen=True)
class Query:
    parts: tuple[Part, ...]

    @staticmethod
    def of(text: str) -> "Query":
        """Raises InputError, which shows the place."""
        return Query(tuple(_Reader(text).parts()))

    @property
    def words(self) -> str | None:
        """The words, where the query is nothing else."""
        return self.parts[0].value if len(self.parts) == 1 and self.parts[0] == Part("words", self.parts[0].value) else None

    def __str__(self) -> str:
        if self.words is not None and _stays_plain(self.words):
            return self.words
        signs = [("-" if part.weight < 0 else "+") for part in self.parts]
        said = " ".join(f"{sign} {part}" for sign, part in zip(signs, self.parts, strict=True))
        return said.removeprefix("+ ")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def parts(self) -> Iterator[Part]:
        self._skip_spaces()
        if self._ended():
            raise InputError("the query is empty; write what the picture shows, such as: a dog on grass")
        sign = self._sign() or 1.0
        while True:
            yield self._part(sign)
            self._skip_spaces()
            if self._ended():
                return
            begin = self.at
            found = self._sign()
            if found is None:
                self._fail(
                    begin, "expected + or - between two parts; what holds signs or, as a path, spaces needs quotation marks"
                )
            sign = found

    def _part(self, sign: float) -> Part:
        self._skip_spaces()
        begin, weight = self.at, 1.0
        if number := NUMBER.match(self.text, self.at):
            weight, self.at = float(number[1]), number.end()
            if not LEAST <= weight <= LARGEST:
                self._fail(begin, f"expected a weight from {LEAST:g} to {LARGEST:g}, got {number[1]}")
        if kind := KIND.match(self.text, self.at):
            self.at = kind.end()
            value = self._quoted() if self._at_quote() else self._until(lambda at: self.text[at].isspace())
            if not value:
                self._fail(begin, f"expected {'a file or URL' if kind[1].lower() == 'photo' else 'an id'} after {kind[0]}")
            if kind[1].lower() == "photo":
                return Part("photo", value, sign * weight)
            if not ID.fullmatch(value):
                self._fail(begin, "expected the id of a hit after like:, twelve digits or letters a to f, as --json tells it")
            return Part("like", value, sign * weight)
        value = self._quoted() if self._at_quote() else self._until(self._sign_at).strip()
        if not value.strip():
            self._fail(begin, "expected words, photo:FILE or like:ID here")
        return Part("words", " ".join(value.split()), sign * weight)

    def _sign_at(self, at: int) -> bool:
        """Whether a sign stands there that joins two parts."""
        return self.text[at] in SIGNS and at > 0 and self.text[at - 1].isspace()

    def _sign(self) -> float | None:
        if self._ended() or self.text[self.at] not in SIGNS:
            return None
        self.at += 1
        return SIGNS[self.text[self.at - 1]]

    def _at_quote(self) -> bool:
        return not self._ended() and self.text[self.at] in QUOTES

    def _quoted(self) -> str:
        begin, end = self.at, QUOTES[self.text[self.at]]
        self.at += 1
        found: list[str] = []
        while not self._ended():
            letter = self.text[self.at]
            self.at += 1
            if letter == end:
                return "".join(found)
            if letter == "\\" and self.text[self.at : self.at + 1] in (end, "\\") and not self._ended():
                letter = self.text[self.at]
                self.at += 1
            found.append(letter)
        self._fail(begin, f"this quotation mark has no end; expected {end}")
        return None

    def _until(self, stop: Callable[[int], bool]) -> str:
        begin = self.at
        while not self._ended() and not stop(self.at):
            self.at += 1
        return self.text[begin : self.at]

    def _skip_spaces(self) -> None:
        while not self._ended() and self.text[self.at].isspace():
            self.at += 1

    def _ended(self) -> bool:
        return self.at >= len(self.text)

    def _fail(self, at: int, why: str) -> NoReturn:
        raise InputError(f"{why}\n    {printable(self.text)}\n    {' ' * _columns(printable(self.text[:at]))}^")


def _stays_plain(words: str) -> bool:
    """Whether words without quotation marks are read back as they are."""
    signs = any(sign in SIGNS and before.isspace() for before, sign in itertools.pairwise(words))
    return not (signs or words[0] in SIGNS or words[0] in QUOTES or NUMBER.match(words) or KIND.match(words))


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _columns(text: str) -> int:
    """How wide a terminal shows it."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text)
