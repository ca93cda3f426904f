"""Makes a list of queries from captions, after that of CLIP (Radford and others 2021, section 2.2) and MetaCLIP (Xu and others
2023, section 3.1): frequent words, pairs of words that go together, and names from lists.

Words of languages with spaces are those between spaces; two neighbours are a query where they meet far more often than by
chance (pointwise mutual information, Church and Hanks 1990). Chinese is cut without a dictionary: two to four characters are a
word where they hold together, which the same measure says of their weakest cut, and where what stands before and after them
varies (branching entropy, Jin and Tanaka-Ishii 2006). A frequent character is a query too.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import InputError
from seesay.system.chinese import is_chinese
from seesay.system.progress import Progress
from seesay.training.curation.counts import BoundedCounts
from seesay.training.curation.matcher import unique
from seesay.training.curation.spacing import spaced
from seesay.training.curation.tables import captions, parts, read_part, text_column

MOST = 500_000  # queries, as in both papers
PMI = 6.0  # bits: neighbours that meet 64 times as often as by chance
CHINESE_PMI = PMI - 2  # characters are fewer than words, and each is more frequent
ENTROPY = 1.0  # bits: as free as between two equally likely neighbours
FULL_COUNT, FEWEST = 100, 5  # occurrences of a word: in both papers' Wikipedia, and in small collections
WORDS_A_COUNT = 1_000_000  # words of a collection that demand one occurrence more, between these two
LONGEST = 4  # characters of a Chinese word; one more is counted, for what follows
KINDS = 2_000_000  # different words, pairs and runs of characters that are counted at a time
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+")
_WORD = re.compile(r"\w(?:.*\w)?")  # begins and ends with a letter or digit


@dataclass(frozen=True)
class QueryList:
    """Queries, names first, then words by frequency, then pairs by how much they go together. least: occurrences that a word
    needed; missing: by how much a count may be too low, 0 where all fitted into memory."""

    queries: tuple[str, ...]
    names: int
    words: int
    pairs: int
    chinese: int
    captions: int
    least: int
    missing: int


class Vocabulary:
    """What captions are made of: words, pairs of neighbouring words, and runs of Chinese characters, with their counts."""

    def __init__(self, kinds: int = KINDS) -> None:
        self.words, self.pairs, self.runs = BoundedCounts(kinds), BoundedCounts(kinds), BoundedCounts(kinds)
        self.captions = self.all_words = self.all_pairs = self.all_characters = 0

    def add(self, texts: Iterable[str]) -> None:
        """Counts what captions are made of."""
        words, pairs, runs = [], [], []
        for text in texts:
            self.captions += 1
            if is_chinese(text):
                for run in _CHINESE.findall(text):
                    self.all_characters += len(run)
                    runs += [run[at : at + n] for n in range(1, LONGEST + 2) for at in range(len(run) - n + 1)]
                text = _CHINESE.sub(" , ", text)
            previous = None
            for word in spaced(text).split():
                if not _WORD.fullmatch(word):
                    previous = None
                    continue
                words.append(word)
                if previous is not None:
                    pairs.append(f"{previous} {word}")
                previous = word
        self.all_words += len(words)
        self.all_pairs += len(pairs)
        self.words.add(words)
        self.pairs.add(pairs)
        self.runs.add(runs)

    def least(self) -> int:
        """The occurrences that a word needs: 100 as in the papers, fewer in collections under 100 million words."""
        return max(FEWEST, min(FULL_COUNT, (self.all_words + self.all_characters) // WORDS_A_COUNT))

    def frequent_words(self, least: int) -> list[str]:
        """Words with at least so many occurrences, the most frequent first."""
        return [word for word, count in self.words.most_common() if count >= least]

    def collocations(self, least: int, pmi: float) -> list[str]:
        """Pairs of words that meet so often, and so much more often than by chance, the closest first."""
        scored = []
        for pair, count in self.pairs.items():
            first, second = pair.split(" ", 1)
            if count >= least and self.words[first] and self.words[second]:
                expected = self.words[first] * self.words[second] / self.all_words
                score = math.log2(count / expected)
                if score >= pmi:
                    scored.append((-score, pair))
        return [pair for _, pair in sorted(scored)]

    def chinese_words(self, least: int, pmi: float, entropy: float = ENTROPY) -> list[str]:
        """Chinese words of one to four characters, the most frequent first; a frequent character alone is one."""
        before, after = _neighbours(self.runs)
        found = []
        for run, count in self.runs.items():
            if len(run) > LONGEST or count < least or (len(run) > 1 and self._cohesion(run, count) < pmi):
                continue
            if len(run) == 1 or min(_entropy(before[run], count), _entropy(after[run], count)) >= entropy:
                found.append((-count, run))
        return [run for _, run in sorted(found)]

    def _cohesion(self, run: str, count: int) -> float:
        """Bits by which a run is more frequent than by chance, at its weakest cut."""
        parts = [self.runs[run[:at]] * self.runs[run[at:]] for at in range(1, len(run))]
        return min(math.log2(count * self.all_characters / part) if part else 0.0 for part in parts)


def make_query_list(
    files: Sequence[Path],
    *,
    names: Sequence[Path] = (),
    column: str | None = None,
    least: int | None = None,
    pmi: float = PMI,
    most: int = MOST,
    lower: bool = False,
    progress: Progress | None = None,
) -> QueryList:
    """The queries for captions of tables.

    names: text files with a name a line, such as titles of an encyclopedia, which come first. least: occurrences that a word or
    a pair needs, by default scaled to the collection. lower: everything in lower case, for `curate` without regard to case.
    Memory is bounded by `KINDS`. Raises InputError, MissingExtra.
    """
    if most < 1:
        raise InputError(f"expected most of at least 1, got {most}", parameter="most")
    if least is not None and least < 1:
        raise InputError(f"expected least of at least 1, got {least}", parameter="least")
    column = text_column(files[0], column)
    vocabulary, listed = Vocabulary(), parts(files)
    for number, part in enumerate(listed, 1):
        for batch in read_part(part):
            texts = [text for text in captions(batch, column) if text]
            vocabulary.add([text.lower() for text in texts] if lower else texts)
        if progress is not None:
            progress(number, len(listed))
    return _chosen(vocabulary, _names(names, lower), least or vocabulary.least(), pmi, most)


def _chosen(vocabulary: Vocabulary, names: Sequence[str], least: int, pmi: float, most: int) -> QueryList:
    """The first `most` queries: names, then words of both kinds by frequency, then pairs."""
    words = vocabulary.frequent_words(least)
    chinese = vocabulary.chinese_words(least, pmi + CHINESE_PMI - PMI)
    counts = {**vocabulary.words, **{run: vocabulary.runs[run] for run in chinese}}
    by_count = sorted((*words, *chinese), key=lambda word: -counts[word])
    kinds: dict[str, str] = {}
    for kind, queries in (("name", names), ("word", by_count), ("pair", vocabulary.collocations(least, pmi))):
        for query in queries:
            if len(kinds) < most:
                kinds.setdefault(query, kind)
    of_kind = Counter(kinds.values())
    return QueryList(
        queries=tuple(kinds),
        names=of_kind["name"],
        words=of_kind["word"],
        pairs=of_kind["pair"],
        chinese=sum(1 for query in kinds if is_chinese(query)),
        captions=vocabulary.captions,
        least=least,
        missing=max(counted.missing for counted in (vocabulary.words, vocabulary.pairs, vocabulary.runs)),
    )


def _names(files: Sequence[Path], lower: bool) -> tuple[str, ...]:
    lines: list[str] = []
    for file in files:
        try:
            content = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
        lines += (content.lower() if lower else content).replace("_", " ").splitlines()
    return unique(lines)


def _neighbours(runs: Mapping[str, int]) -> tuple[Mapping[str, list[int]], Mapping[str, list[int]]]:
    """For each run of characters the counts of the characters that stand before it, and of those after it."""
    before: dict[str, list[int]] = defaultdict(list)
    after: dict[str, list[int]] = defaultdict(list)
    for run, count in runs.items():
        if len(run) > 1:
            before[run[1:]].append(count)
            after[run[:-1]].append(count)
    return before, after


def _entropy(neighbours: Iterable[int], count: int) -> float:
    """Bits of a run's neighbours. Where it stands at the edge of a text, each edge is a neighbour of its own."""
    shares = list(_shares(neighbours, count))
    edges = max(0.0, 1.0 - sum(shares))
    return -sum(share * math.log2(share) for share in shares) + edges * math.log2(count)


def _shares(neighbours: Iterable[int], count: int) -> Iterator[float]:
    return (each / count for each in neighbours if each)
