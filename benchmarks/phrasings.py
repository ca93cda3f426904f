"""Dependence of a search on the wording: thirteen wordings of each noun in `phrasings.tsv`.

Columns of the table: noun, plural, zh, and measure, the Chinese measure word that stands between a number and the noun.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark import Result, Table
from rankings import CUT, agreement

TABLE = Path(__file__).with_name("phrasings.tsv")
COLUMNS = ("noun", "plural", "zh", "measure")
QUICK = 5  # nouns of a quick run


@dataclass(frozen=True)
class Noun:
    noun: str
    plural: str
    zh: str
    measure: str

    @property
    def english(self) -> tuple[str, ...]:
        one = f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"
        return (
            self.noun,
            self.plural,
            self.noun.capitalize(),
            one,
            f"{one}.",
            f"{self.noun}!",
            f"my {self.noun}",
            f"a photo of {one}",
            f"picture of {self.plural}",
        )

    @property
    def chinese(self) -> tuple[str, ...]:
        return (self.zh, f"{self.zh}。", f"一{self.measure}{self.zh}", f"{self.zh}的照片")


def read_nouns(table: Path = TABLE) -> list[Noun]:
    """Reads the table of nouns. Raises ValueError for a wrong row."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{table.name}: expected the columns {', '.join(COLUMNS)}")
    return [Noun(**row) for row in rows]


def compare(result: Result, search: Callable[[str], Sequence[int]], *, quick: bool) -> None:
    """Searches for all wordings. search: query -> numbers of the first pictures."""
    nouns = read_nouns()[: QUICK if quick else None]
    told = {}
    for noun in nouns:
        english, chinese = ([search(query) for query in queries] for queries in (noun.english, noun.chinese))
        told[noun.noun] = (agreement(english), agreement(chinese), agreement([*english, *chinese]))
    means = [sum(column) / len(nouns) for column in zip(*told.values(), strict=True)]
    result.figures["phrasings"] = dict(zip(("en", "zh", "both"), (round(mean / CUT, 4) for mean in means), strict=True))
    result.details["phrasings_by_noun"] = told
    rows: list[tuple[str, ...]] = [(noun, *map(str, shared)) for noun, shared in told.items()]
    rows.append((f"mean of {len(nouns)}", *(f"{mean:.1f}" for mean in means)))
    ways = f"{len(nouns[0].english)} English and {len(nouns[0].chinese)} Chinese"
    title = f"Pictures among the first {CUT} that the two ways to type a noun share that agree least, of {ways}"
    result.tables.append(Table(title, ("noun", "both English", "both Chinese", "any two"), rows))
