"""Reviews a collection of pairs: sizes, languages, lengths, what is broken, what is there twice, what leaks a test set."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seesay.errors import UnreadableImage
from seesay.images.phash import bits, faint, waves
from seesay.images.read import read, read_bytes
from seesay.library.duplicates import ENOUGH_PX, NEAR
from seesay.system.chinese import is_chinese, is_ideograph
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.training.curation.hash_pairs import groups, near_pairs, packed
from seesay.training.data.samples import Sample, SampleFault
from seesay.training.data.skipped import SkippedSamples

SMALL_PX = 224  # the shorter side that most models want
LONG = 3.0  # a longer side of so many shorter ones; a centre crop loses two thirds of the picture
EXAMPLES = 10
LANGUAGES = ("english", "chinese", "mixed", "other", "none")
_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Spread:
    """Quantiles of a number: the least, the 5th of 100, the median, the 95th, the most."""

    least: float
    p5: float
    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of values; all 0 without any."""
        listed = np.fromiter(values, np.float64)
        return cls(*(np.quantile(listed, (0, 0.05, 0.5, 0.95, 1)).tolist() if len(listed) else [0.0] * 5))


@dataclass(frozen=True)
class Leak:
    """A picture or a caption of the collection that the test set has too. pair, test: their names; kind: what is the same."""

    pair: str
    test: str
    kind: str


@dataclass
class Review:
    """What was found. pictures: different names; broken: what cannot be used, by reason. duplicates are pictures besides the
    first of each group; examples have the names of a group. leaks: None where no test set was given."""

    pairs: int = 0
    pictures: int = 0
    broken: SkippedSamples = field(default_factory=SkippedSamples)
    shorter_side: Spread = field(default_factory=lambda: Spread.of(()))
    small: int = 0
    long: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    characters: Spread = field(default_factory=lambda: Spread.of(()))
    words: Spread = field(default_factory=lambda: Spread.of(()))
    different_captions: int = 0
    repeated: list[tuple[str, int]] = field(default_factory=list)
    same_bytes: int = 0
    near: int = 0
    duplicate_examples: list[list[str]] = field(default_factory=list)
    leaking_pictures: int = 0
    leaking_captions: int = 0
    leaks: list[Leak] | None = None


class _Seen(NamedTuple):
    """What is kept of a picture. phash: None for one that shows next to nothing."""

    name: str
    digest: bytes
    phash: int | None
    width: int
    height: int


def review(pairs: Iterable[Sample | SampleFault], against: Iterable[Sample | SampleFault] | None = None) -> Review:
    """The review of pairs (`pairs.read_pairs`), decoding every picture once. against: the pairs of a test set.

    Pictures are one where their bytes are equal, or their perceptual hashes differ in at most four of 64 bits
    (`library.duplicates`); captions where their letters and digits are, without case. Raises InputError, MissingExtra.
    """
    found = Review()
    captions = _Captions()
    pictures = list(_pictures(_counted(pairs, found, captions), found))
    found.pictures = len(pictures)
    captions.write(found)
    _write_sizes(found, pictures)
    _write_duplicates(found, pictures)
    if against is not None:
        _write_leaks(found, pictures, captions, against)
    return found


def _counted(pairs: Iterable[Sample | SampleFault], found: Review, captions: "_Captions") -> Iterator[Sample]:
    """The first pair of each picture; counts all."""
    names: set[bytes] = set()
    for pair in pairs:
        if isinstance(pair, SampleFault):
            found.broken.add(pair)
            continue
        found.pairs += 1
        captions.add(pair)
        name = _digest(f"{pair.image_id}\n{pair.name}".encode("utf-8", "surrogatepass"))
        if name not in names:
            names.add(name)
            yield pair


def _pictures(samples: Iterable[Sample], found: Review | None) -> Iterator[_Seen]:
    """What is kept of the pictures that can be read, in order; the others are counted as broken."""

    def look(sample: Sample) -> _Seen | SampleFault:
        try:
            data = read_bytes(sample.image, sample.name) if isinstance(sample.image, Path) else sample.image
            image = read(data, decode="fast", enough_px=ENOUGH_PX, name=sample.name)
        except UnreadableImage as error:
            return SampleFault(sample.name, error.reason or str(error))
        hashed = waves(image.image)
        phash = None if faint(hashed) else int(packed(bits(hashed[None]))[0])
        digest = _digest(data if isinstance(data, bytes) else image.image.tobytes())  # a URL's picture stands for it
        return _Seen(sample.name, digest, phash, image.width, image.height)

    for seen in prefetch(look, samples, threads=available_cores(), ahead=32):
        if isinstance(seen, _Seen):
            yield seen
        elif found is not None:
            found.broken.add(seen)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


class _Captions:
    """What is kept of captions: counts of each, by a digest of its letters, with the first few words of those that repeat."""

    def __init__(self) -> None:
        self._characters: list[int] = []
        self._words: list[int] = []  # of captions that have spaces between words
        self._languages: Counter[str] = Counter()
        self._counts: Counter[bytes] = Counter()
        self._texts: dict[bytes, str] = {}
        self.first: dict[bytes, str] = {}  # name of the first pair with a caption

    def add(self, pair: Sample) -> None:
        """Counts the caption of a pair."""
        key = caption_key(pair.text)
        self._languages[language(pair.text)] += 1
        self._characters.append(len(pair.text))
        if not is_chinese(pair.text):
            self._words.append(len(pair.text.split()))
        self._counts[key] += 1
        self.first.setdefault(key, pair.name)
        if self._counts[key] == 2:
            self._texts[key] = pair.text[:80]

    def count(self, key: bytes) -> int:
        """Pairs with a caption."""
        return self._counts[key]

    def write(self, found: Review) -> None:
        """Writes what was counted into the review."""
        found.languages = {name: self._languages[name] for name in LANGUAGES if self._languages[name]}
        found.characters = Spread.of(self._characters)
        found.words = Spread.of(self._words)
        found.different_captions = len(self._counts)
        repeated = sorted(((count, self._texts[key]) for key, count in self._counts.items() if count > 1), reverse=True)
        found.repeated = [(text, count) for count, text in repeated[:EXAMPLES]]


def caption_key(text: str) -> bytes:
    """Equal for captions with the same letters and digits, whatever their case, width and punctuation."""
    return _digest(_MARKS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip().encode("utf-8", "surrogatepass"))


def language(text: str) -> str:
    """The language of a text by its script: "english" for Latin letters, "chinese", "mixed", "other", or "none" without any."""
    letters = [letter for letter in text if letter.isalpha()]
    chinese = sum(map(is_ideograph, letters))
    latin = sum(1 for letter in letters if letter.isascii() or "LATIN" in unicodedata.name(letter, ""))
    if not letters:
        return "none"
    if chinese + latin < len(letters) / 2:
        return "other"
    chinese *= 3  # letters that say about as much
    if min(chinese, latin) < max(chinese, latin) / 5:
        return "chinese" if chinese > latin else "english"
    return "mixed"


def _write_sizes(found: Review, pictures: Sequence[_Seen]) -> None:
    found.shorter_side = Spread.of(min(seen.width, seen.height) for seen in pictures)
    found.small = sum(1 for seen in pictures if min(seen.width, seen.height) < SMALL_PX)
    found.long = sum(1 for seen in pictures if max(seen.width, seen.height) > LONG * min(seen.width, seen.height))


def _write_duplicates(found: Review, pictures: Sequence[_Seen]) -> None:
    same = Counter(seen.digest for seen in pictures)
    found.same_bytes = sum(count - 1 for count in same.values())
    listed = groups(_same_pictures(pictures), len(pictures))
    found.near = sum(len(group) - 1 for group in listed) - found.same_bytes
    found.duplicate_examples = [[pictures[row].name for row in group[:EXAMPLES]] for group in listed[:EXAMPLES]]


def _same_pictures(pictures: Sequence[_Seen]) -> np.ndarray:
    """Pairs (P, 2) of rows that are one picture: by their bytes (each with the first), or by their hashes."""
    first: dict[bytes, int] = {}
    equal = [(first.setdefault(seen.digest, row), row) for row, seen in enumerate(pictures)]
    pairs = np.array([(i, j) for i, j in equal if i != j], np.int64).reshape(-1, 2)
    rows = np.array([row for row, seen in enumerate(pictures) if seen.phash is not None and equal[row][0] == row], np.int64)
    hashes = np.array([pictures[row].phash for row in rows.tolist()], np.uint64)
    return np.concatenate([pairs, rows[near_pairs(hashes, NEAR)]]) if len(rows) else pairs


def _write_leaks(
    found: Review, pictures: Sequence[_Seen], captions: _Captions, against: Iterable[Sample | SampleFault]
) -> None:
    tests: list[Sample] = []
    test_names: set[str] = set()
    known: dict[bytes, str] = {}
    for pair in against:
        if isinstance(pair, SampleFault):
            continue
        known.setdefault(caption_key(pair.text), pair.name)
        if pair.image_id not in test_names:
            test_names.add(pair.image_id)
            tests.append(pair)
    seen = list(_pictures(tests, None))
    both = _same_pictures([*seen, *pictures])
    across = both[(both[:, 0] < len(seen)) & (both[:, 1] >= len(seen))]
    of_digest = {pictures[j - len(seen)].digest: seen[i].name for i, j in across.tolist()}
    leaking = [(picture.name, of_digest[picture.digest]) for picture in pictures if picture.digest in of_digest]
    shared = [key for key in known if captions.count(key)]
    found.leaking_pictures = len(leaking)
    found.leaking_captions = sum(captions.count(key) for key in shared)
    found.leaks = [Leak(pair, test, "picture") for pair, test in leaking[:EXAMPLES]]
    found.leaks += [Leak(captions.first[key], known[key], "caption") for key in shared[:EXAMPLES]]
