"""What people look for, as a sum: `"beach sunset" + photo:./pool.jpg - 0.5*people`.

query.ebnf beside this file is the grammar. Quotation marks of other languages and full-width signs mean the same as ours
around a whole part; elsewhere they are letters.
`str(query)` is read back as the same query. A part knows its place, so that whoever cannot find what it names can point at it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from seesay.errors import InputError
from seesay.system.paths import printable

What = Literal["words", "photo", "like", "name"]
SIGNS = {"+": 1.0, "＋": 1.0, "-": -1.0, "－": -1.0, "−": -1.0, "–": -1.0}
WIDE = "＋－"  # signs without spaces too, as Chinese is written
DASH = "–"  # a sign between spaces only: in words it joins numbers and names
QUOTES = {'"': '"', "＂": "＂", "“": "”", "„": "“”", "「": "」", "『": "』", "«": "»", "»": "«", "‘": "’"}
LEAST, LARGEST = 0.001, 1000.0  # weights
TIMES = r"(?:[*＊]|(?<![0-9０-９])×|×(?![0-9０-９]))"  # a 4×4 is a car
NUMBER = re.compile(rf"([0-9０-９]+(?:[.．][0-9０-９]*)?|[.．][0-9０-９]+)\s*{TIMES}\s*")
STRAIGHT = '"＂'  # the others are letters where they have no end, or among words: phones write ‘90s, “dog and “dog” on grass
KIND = re.compile(rf"(photo|like|name)[:：](?![\s{WIDE}]|$)", re.IGNORECASE)  # "photo: a dog" is words
KINDS: dict[str, What] = {"photo": "photo", "like": "like", "name": "name"}
EXPECTED: dict[What, str] = {"photo": "a file or URL", "like": "an id", "name": "a part of a file's or folder's name"}
ID = re.compile(r"[0-9a-f]{12}(:\d+)?")
SHOWN = 60  # columns of a query in which a fault is pointed at


@dataclass(frozen=True)
class Place:
    """Where in a text."""

    text: str
    at: int

    def fault(self, why: str) -> InputError:
        """An error whose message shows the text around the place, and an arrow below it."""
        before, behind = printable(self.text[: self.at]), printable(self.text[self.at :])
        left = _fitting(reversed(before), max(SHOWN // 2, SHOWN - _columns(behind)))[::-1]
        right = _fitting(behind, max(SHOWN // 2, SHOWN - _columns(before)))
        message = f"{why}\n    {left}{right}\n    {' ' * _columns(left)}^"
        return InputError(message, parameter="query", got=self.text, position=self.at)


@dataclass(frozen=True)
class Part:
    """One term: `value` is words, a path or URL, an id, or a part of a file's or folder's name; `weight` is negative for what
    shall not be there, and 1 or -1 for a name, which pictures have or have not."""

    what: What
    value: str
    weight: float = 1.0
    place: Place | None = field(default=None, compare=False, repr=False)

    def fault(self, why: str) -> InputError:
        """An error about this part, which points at it if it was read from a text."""
        return InputError(why, parameter="query") if self.place is None else self.place.fault(why)

    def __str__(self) -> str:
        """Without its sign."""
        weight = "" if abs(self.weight) == 1 else f"{abs(self.weight)!r}*".replace(".0*", "*")
        if self.what == "words":
            return weight + _quoted(self.value)
        plain = f"{self.what}:{self.value}"
        # A mark that has no end here might find one in the next term.
        open_ended = self.value[0] in QUOTES or not _means(plain, self)
        return weight + (plain if self.what == "like" or not open_ended else f"{self.what}:{_quoted(self.value)}")


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
        if self.words is not None and self.words[0] not in QUOTES and _means(self.words, self.parts[0]):
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
            found = self._sign()
            if found is None:
                self._fail(
                    begin, "expected + or - between two parts; what holds signs or, as a path, spaces needs quotation marks"
                )
            sign = found

    def _part(self, sign: float) -> Part:
        self._skip_spaces()
        begin, weight = self.at, 1.0
        place = Place(self.text, begin)
        if number := NUMBER.match(self.text, self.at):
            weight, self.at = float(number[1].replace("．", ".")), number.end()
            if not LEAST <= weight <= LARGEST:
                self._fail(begin, f"expected a weight from {LEAST:g} to {LARGEST:g}, got {number[1]}")
        if self._ended() or self._sign_at(self.at):
            self._fail(self.at, "expected words, photo:FILE, name:NAME or like:ID here")
        if kind := KIND.match(self.text, self.at):
            what = KINDS[kind[1].lower()]
            self.at = kind.end()
            value = self._quoted() if self._at_quote() else self._until(self._open_path_ends)
            if not value.strip():
                self._fail(begin, f"expected {EXPECTED[what]} after {kind[0]}")
            if what == "like" and not ID.fullmatch(value):
                self._fail(begin, "expected the id of a hit after like:, twelve digits or letters a to f, as --json tells it")
            if what == "name" and weight != 1:
                self._fail(begin, "a name has no weight: pictures have it, or after - they have it not")
            return Part(what, value, sign * weight, place)
        begin = self.at
        quoted = self._quoted() if self._at_quote() else None
        if quoted is not None and (self.text[begin] in STRAIGHT or (quoted.strip() and self._part_ends())):
            value = quoted
        else:  # a quotation among words is words: “golden retriever” on grass
            self._refuse_times(self.at, self._until(self._joined_at))
            value = self.text[begin : self.at]
        if not value.strip():
            self._fail(begin, "expected words in these quotation marks")
        return Part("words", " ".join(value.split()), sign * weight, place)

    def _refuse_times(self, begin: int, words: str) -> None:
        """A weight behind its part, with a comma, of another kind, or a second one would be taken for words."""
        if times := re.search(TIMES, words):
            got = "".join(words[: times.start()].split()[-1:]) + times[0]
            self._fail(
                begin + times.start(),
                f"expected one number before a part, as in 0.5*dog, got {got} here; words with {times[0]} in them need "
                "quotation marks",
            )

    def _sign_at(self, at: int) -> bool:
        """Whether a sign stands there, if a sign can."""
        return self.text[at] in SIGNS and (self.text[at] != DASH or not self.text[at + 1 : at + 2].strip())

    def _joined_at(self, at: int) -> bool:
        """Whether a sign stands there that joins what is written without quotation marks to the next part."""
        return self.text[at] in WIDE or (self._sign_at(at) and at > 0 and self.text[at - 1].isspace())

    def _open_path_ends(self, at: int) -> bool:
        return self.text[at].isspace() or self.text[at] in WIDE

    def _sign(self) -> float | None:
        if self._ended() or not self._sign_at(self.at):
            return None
        self.at += 1
        return SIGNS[self.text[self.at - 1]]

    def _part_ends(self) -> bool:
        """Whether nothing but spaces stands between here and the end or a sign."""
        at = self.at
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return at == len(self.text) or self._sign_at(at)

    def _at_quote(self) -> bool:
        """Whether a quotation mark stands here, with its end behind it where only that tells it from a letter."""
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
        """What stands up to the end of the quotation, which is passed over; None where there is none."""
        end = QUOTES[self.text[self.at]]
        self.at += 1
        found: list[str] = []
        while not self._ended():
            letter = self.text[self.at]
            self.at += 1
            if letter in end and not (letter == "’" and _is_latin(self.text[self.at : self.at + 1])):  # as in don’t
                return "".join(found)
            if letter == "\\" and not self._ended() and self.text[self.at] in end + "\\":
                letter = self.text[self.at]
                self.at += 1
            found.append(letter)
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
        raise Place(self.text, at).fault(why)


def _is_latin(letter: str) -> bool:
    return letter.isalnum() and letter < "\u0250"


def _means(text: str, part: Part) -> bool:
    """Whether it is read as this part, whatever its weight."""
    try:
        return list(_Reader(text).parts()) == [Part(part.what, part.value)]
    except InputError:
        return False


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _fitting(text: Iterable[str], columns: int) -> str:
    """As much of its beginning as so many columns hold, with … where that is not all."""
    fitting = ""
    for letter in text:
        if _columns(fitting + letter) > columns:
            return fitting + "…"
        fitting += letter
    return fitting


def _columns(text: str) -> int:
    """How wide a terminal shows it."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter) for letter in text)
