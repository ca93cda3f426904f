"""Queries in English and Chinese, and the photos of the mixed library that are right for each (`everyday.tsv`).

A row is a need: what is typed, and what makes a photo right. Its columns:

    key        a name for it
    kind       word, phrase, or absent: no photo shows it
    topic      animals, people, doing, places, food or things; nothing where it is absent
    en, zh     the query, as a person types it
    captions   a regular expression of whole words: a Flickr8k photo is right if `least` of its five captions have it
    also       a second one, which as many captions must have, not always the same ones
    least      how many captions; 2 where nothing is said, 1 for rare things
    maybe      a regular expression: a Flickr8k photo that is not right by the others, and has this in a caption, is not judged
    photos     photos-1k's classes that are right, as numbers in ImageNet's order: 281-285,850
    groceries  grocery's classes that are right, fine or coarse
    unjudged   sets, classes of photos-1k and classes of grocery that may show it or may not

A photo of photos-1k has one label and may show more: a beach has people, water and a sky. Where that is likely, the set, or
those of its classes, are not judged, but for the classes that are right. A Flickr8k photo of which fewer captions speak than
should, or speak of something that often comes with it (a street in a city, a girl for a woman), is not judged either. Photos
that are not judged are passed over in a ranking (`rankings.py`).

What no caption mentions counts as not there, so some photos count as wrong that are right: the scores are too low by that, for
every model alike. Of an absent thing `captions` is what no caption and no class's name may have.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mixed_library import FLICKR, GROCERY, PHOTOS, SETS, Photo

TABLE = Path(__file__).with_name("everyday.tsv")
COLUMNS = ("key", "kind", "topic", "en", "zh", "captions", "also", "least", "maybe", "photos", "groceries", "unjudged")
KINDS = ("word", "phrase", "absent")
TOPICS = ("animals", "people", "doing", "places", "food", "things")
LANGUAGES = ("en", "zh")
FEWEST = 3  # right photos of a need


@dataclass(frozen=True)
class Judgement:
    """Numbers of the photos that are right for a need, and of those that are not judged."""

    right: frozenset[int]
    unjudged: frozenset[int]


@dataclass(frozen=True)
class Need:
    key: str
    kind: str
    topic: str
    queries: dict[str, str]  # by language
    captions: str = ""
    also: str = ""
    least: int = 2
    maybe: str = ""
    classes: frozenset[int] = frozenset()
    groceries: frozenset[str] = frozenset()
    unjudged: frozenset[int | str] = frozenset()  # classes of photos-1k, classes of grocery, and sets

    @classmethod
    def of(cls, row: dict[str, str]) -> "Need":
        """The need of a row. Raises ValueError for a wrong row."""
        if row["kind"] not in KINDS:
            raise ValueError(f"{row['key']}: kind is one of {', '.join(KINDS)}, got {row['kind']!r}")
        if row["topic"] not in (("",) if row["kind"] == "absent" else TOPICS):
            raise ValueError(f"{row['key']}: topic is one of {', '.join(TOPICS)}, got {row['topic']!r}")
        unjudged: set[int | str] = set()
        for item in filter(None, row["unjudged"].split(",")):
            unjudged |= _numbers(item) if item[0].isdigit() else {item}
        return cls(
            row["key"],
            row["kind"],
            row["topic"],
            {language: row[language] for language in LANGUAGES},
            row["captions"],
            row["also"],
            int(row["least"] or 2),
            row["maybe"],
            _numbers(row["photos"]),
            frozenset(filter(None, row["groceries"].split(","))),
            frozenset(unjudged),
        )

    @cached_property
    def expressions(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_whole_words, filter(None, (self.captions, self.also))))

    @cached_property
    def doubtful(self) -> re.Pattern[str] | None:
        return _whole_words(self.maybe) if self.maybe else None

    def judged(self, photos: Sequence[Photo]) -> Judgement:
        right, unjudged = set(), set()
        for number, photo in enumerate(photos):
            verdict = self.right(photo)
            if verdict is None:
                unjudged.add(number)
            elif verdict:
                right.add(number)
        return Judgement(frozenset(right), frozenset(unjudged))

    def right(self, photo: Photo) -> bool | None:
        """Whether a photo is right; None if it is not judged."""
        if photo.dataset == FLICKR:
            speaking = min((sum(map(bool, map(e.search, photo.captions))) for e in self.expressions), default=0)
            if speaking >= self.least:
                return True
            doubtful = self.doubtful is not None and any(map(self.doubtful.search, photo.captions))
            return None if speaking or doubtful or FLICKR in self.unjudged else False
        if photo.number in self.classes or self.groceries.intersection(photo.labels):
            return True
        named = {photo.dataset, photo.number, *(photo.labels if photo.dataset == GROCERY else ())}
        return None if self.unjudged & named else False

    def mentions(self, photos: Sequence[Photo]) -> list[str]:
        """The captions and class names that mention it."""
        texts = (text for photo in photos for text in (*photo.captions, *photo.labels))
        return [text for text in texts if any(expression.search(text.replace("-", " ")) for expression in self.expressions)]


def read_needs(table: Path = TABLE) -> list[Need]:
    """Reads the table. Raises ValueError for a wrong row."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{table.name}: expected the columns {', '.join(COLUMNS)}")
    return [Need.of(row) for row in rows]


def faults(needs: Sequence[Need], photos: Sequence[Photo]) -> list[str]:
    """Faults of needs for these photos: too few are right, an absent thing is present, a name matches nothing."""
    labels = {label for photo in photos if photo.dataset == GROCERY for label in photo.labels}
    numbers = {photo.number for photo in photos if photo.dataset == PHOTOS}
    found = []
    for need in needs:
        if need.kind == "absent":
            found += [f"{need.key}: said to be absent, but there is {text!r}" for text in need.mentions(photos)[:1]]
            continue
        if (count := len(need.judged(photos).right)) < FEWEST:
            found.append(f"{need.key}: {count} right photos")
        unknown = (need.classes - numbers) | (need.groceries - labels) | (need.unjudged - numbers - labels - set(SETS))
        found += [f"{need.key}: nothing is named {name}" for name in sorted(map(str, unknown))]
    return found


def _whole_words(expression: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{expression})\b", re.IGNORECASE)


def _numbers(given: str) -> frozenset[int]:
    """The numbers of a list such as "1,3-5": 1, 3, 4 and 5."""
    numbers: set[int] = set()
    for item in filter(None, given.split(",")):
        first, _, last = item.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
