"""Parses queries, sums of words, photos, names and earlier hits: `"beach sunset" + photo:./pool.jpg - 0.5*people`.

query.ebnf beside this file is the grammar. Quotation marks of other languages and full-width signs mean the same as ASCII ones
around a whole part; elsewhere they are letters. `str(query)` is parsed as the same query. A part has its position in the text,
so that an error about what it names can point at it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from seesay.errors import InputError
from seesay.system.paths import printable

PartKind = Literal["words", "photo", "like", "name"]
SIGNS = {"+": 1.0, "＋": 1.0, "-": -1.0, "－": -1.0, "−": -1.0, "–": -1.0}
WIDE = "＋－"  # full-width signs, which need no spaces around them, as Chinese is written
DASH = "–"  # a sign only between spaces: elsewhere it joins numbers and names
QUOTES = {'"': '"', "＂": "＂", "“": "”", "„": "“”", "「": "」", "『": "』", "«": "»", "»": "«", "‘": "’"}
LEAST_WEIGHT = 0.001
LARGEST_WEIGHT = 1000.0
TIMES = r"(?:[*＊]|(?<![0-9０-９])×|×(?![0-9０-９]))"  # a 4×4 is a car
NUMBER = re.compile(rf"([0-9０-９]+(?:[.．][0-9０-９]*)?|[.．][0-9０-９]+)\s*{TIMES}\s*")
STRAIGHT = '"＂'  # other quotation marks are letters without an end or among words: phones type ‘90s, “dog and “dog” on grass
PREFIX = re.compile(rf"(photo|like|name)[:：](?![\s{WIDE}]|$)", re.IGNORECASE)  # "photo: a dog" is words
KINDS: dict[str, PartKind] = {"photo": "photo", "like": "like", "name": "name"}
EXPECTED: dict[PartKind, str] = {"photo": "a file or URL", "like": "an id", "name": "a part of a file's or folder's name"}
ID = re.compile(r"[0-9a-f]{12}(:\d+)?")
SHOWN = 60  # columns of the query in an error that points at it


@dataclass(frozen=True)
class Position:
    """A position in a text, in characters."""

    text: str
    at: int

    def fault(self, why: str) -> InputError:
        """An error whose message shows the text around the position, and an arrow below it."""
        before, behind = printable(self.text[: self.at]), printable(self.text[self.at :])
        left = _fitting(reversed(before), max(SHOWN // 2, SHOWN - _columns(behind)))[::-1]
        right = _fitting(behind, max(SHOWN // 2, SHOWN - _columns(before)))
        message = f"{why}\n    {left}{right}\n    {' ' * _columns(left)}^"
        return InputError(message, parameter="query", got=self.text, position=self.at)


@dataclass(frozen=True)
class Part:
    """One term of a query.

    value: words; a path or URL (photo); an id (like); a part of a file's or folder's name (name). weight: negative for negative
    terms; 1 or -1 for a name, which a picture has or has not.
    """

    kind: PartKind
    value: str
    weight: float = 1.0
    position: Position | None = field(default=None, compare=False, repr=False)

    def fault(self, why: str) -> InputError:
        """An error about this part, which points at it if it was parsed from a text."""
        return InputError(why, parameter="query") if self.position is None else self.position.fault(why)

    def __str__(self) -> str:
        """The part as it is written, without its sign."""
        weight = "" if abs(self.weight) == 1 else f"{abs(self.weight)!r}*".replace(".0*", "*")
        if self.kind == "words":
            return weight + _quoted(self.value)
        plain = f"{self.kind}:{self.value}"
        # An opening quotation mark without an end might find one in the next term.
        open_ended = self.value[0] in QUOTES or not _means(plain, self)
        return weight + (plain if self.kind == "like" or not open_ended else f"{self.kind}:{_quoted(self.value)}")


@dataclass(frozen=True)
class Query:
    """A sum of terms."""

    parts: tuple[Part, ...]

    @staticmethod
    def parse(text: str) -> "Query":
        """A query as people type it. Raises InputError, which points at the fault."""
        return Query(tuple(_Parser(text).parts()))

    @property
    def words(self) -> str | None:
        """The words of a query that is nothing but words of weight 1; None for others."""
        return self.parts[0].value if len(self.parts) == 1 and self.parts[0] == Part("words", self.parts[0].value) else None

    def __str__(self) -> str:
        if self.words is not None and self.words[0] not in QUOTES and _means(self.words, self.parts[0]):
            return self.words
        signs = [("-" if part.weight < 0 else "+") for part in self.parts]
        text = " ".join(f"{sign} {part}" for sign, part in zip(signs, self.parts, strict=True))
        return text.removeprefix("+ ")


class _Parser:
    """A recursive-descent parser of query.ebnf; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def parts(self) -> Iterator[Part]:
        self._skip_spaces()
        if self._ended():
            raise InputError(
                "the query is empty; write what the picture shows, such as: a dog on grass",
                parameter="query",
                expected="words",
                got=self.text,
            )
        sign = self._sign() or 1.0
        while True:
            yield self._part(sign)
            self._skip_spaces()
            if self._ended():
                return
            begin = self.at
            self._refuse_times(begin, self.text[begin : begin + 1])
            next_sign = self._sign()
            if next_sign is None:
                self._fail(
                    begin, "expected + or - between two parts; what holds signs or, as a path, spaces needs quotation marks"
                )
            sign = next_sign

    def _part(self, sign: float) -> Part:
        self._skip_spaces()
        begin, weight = self.at, 1.0
        position = Position(self.text, begin)
        if number := NUMBER.match(self.text, self.at):
            weight, self.at = float(number[1].replace("．", ".")), number.end()
            if not LEAST_WEIGHT <= weight <= LARGEST_WEIGHT:
                self._fail(begin, f"expected a weight from {LEAST_WEIGHT:g} to {LARGEST_WEIGHT:g}, got {number[1]}")
        if self._ended() or self._sign_at(self.at):
            self._fail(self.at, "expected words, photo:FILE, name:NAME or like:ID here")
        if prefix := PREFIX.match(self.text, self.at):
            kind = KINDS[prefix[1].lower()]
            self.at = prefix.end()
            value = self._quoted() if self._at_quote() else self._until(self._open_path_ends)
            if not value.strip():
                self._fail(begin, f"expected {EXPECTED[kind]} after {prefix[0]}")
            if kind == "like" and not ID.fullmatch(value):
                self._fail(begin, "expected the id of a hit after like:, twelve digits or letters a to f, as --json tells it")
            if kind == "name" and weight != 1:
                self._fail(begin, "a name has no weight: pictures have it, or after - they have it not")
            return Part(kind, value, sign * weight, position)
        begin = self.at
        quoted = self._quoted() if self._at_quote() else None
        if quoted is not None and (self.text[begin] in STRAIGHT or (quoted.strip() and self._part_ends())):
            value = quoted
        else:  # a quotation among words is words: “golden retriever” on grass
            self._refuse_times(self.at, self._until(self._joined_at))
            value = self.text[begin : self.at]
        if not value.strip():
            self._fail(begin, "expected words in these quotation marks")
        return Part("words", " ".join(value.split()), sign * weight, position)

    def _refuse_times(self, begin: int, words: str) -> None:
        """Fails at a multiplication sign: a weight behind its part, with a comma, or a second one, would be taken for words."""
        if times := re.search(TIMES, words):
            got = "".join(words[: times.start()].split()[-1:]) + times[0]
            self._fail(
                begin + times.start(),
                f"expected one number before a part, as in 0.5*dog, got {got} here; words with {times[0]} in them need "
                "quotation marks",
            )

    def _sign_at(self, at: int) -> bool:
        """Whether there is a sign at this position."""
        return self.text[at] in SIGNS and (self.text[at] != DASH or not self.text[at + 1 : at + 2].strip())

    def _joined_at(self, at: int) -> bool:
        """Whether there is a sign at this position that ends words without quotation marks."""
        return self.text[at] in WIDE or (self._sign_at(at) and at > 0 and self.text[at - 1].isspace())

    def _open_path_ends(self, at: int) -> bool:
        return self.text[at].isspace() or self.text[at] in WIDE

    def _sign(self) -> float | None:
        if self._ended() or not self._sign_at(self.at):
            return None
        self.at += 1
        return SIGNS[self.text[self.at - 1]]

    def _part_ends(self) -> bool:
        """Whether only spaces are left before the end or a sign."""
        at = self.at
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return at == len(self.text) or self._sign_at(at)

    def _at_quote(self) -> bool:
        """Whether there is an opening quotation mark here; other marks than straight ones need a closing one to count."""
        if self._ended() or self.text[self.at] not in QUOTES:
            return False
        begin = self.at
        closed = self._inside_quotes() is not None
        self.at = begin
        return closed or self.text[begin] in STRAIGHT

    def _quoted(self) -> str:
        begin = self.at
        inside = self._inside_quotes()
        if inside is None:
            self._fail(begin, f"this quotation mark has no end; expected {QUOTES[self.text[begin]][0]}")
        return inside

    def _inside_quotes(self) -> str | None:
        """The text up to the closing mark, behind which parsing continues; None where there is no closing mark."""
        end = QUOTES[self.text[self.at]]
        self.at += 1
        letters: list[str] = []
        while not self._ended():
            letter = self.text[self.at]
            self.at += 1
            if letter in end and not (letter == "’" and _is_latin(self.text[self.at : self.at + 1])):  # as in don’t
                return "".join(letters)
            if letter == "\\" and not self._ended() and self.text[self.at] in end + "\\":
                letter = self.text[self.at]
                self.at += 1
            letters.append(letter)
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
        raise Position(self.text, at).fault(why)


def _is_latin(letter: str) -> bool:
    return letter.isalnum() and letter < "\u0250"


def _means(text: str, part: Part) -> bool:
    """Whether a text is parsed as this part, weight aside."""
    try:
        return list(_Parser(text).parts()) == [Part(part.kind, part.value)]
    except InputError:
        return False


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _fitting(text: Iterable[str], columns: int) -> str:
    """The beginning of a text that fits into so many columns, with … if it is cut."""
    fitting = ""
    for letter in text:
        if _columns(fitting + letter) > columns:
            return fitting + "…"
        fitting += letter
    return fitting


def _columns(text: str) -> int:
    """The width of a text in a terminal."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text)
