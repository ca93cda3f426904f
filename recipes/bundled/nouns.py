"""WordNet 3.0's nouns: their names, hypernyms and glosses. ImageNet's class ids are their offsets."""

from dataclasses import dataclass
from pathlib import Path

from recipes.bundled.packages import fetch

PHYSICAL = "00001930"  # physical entity: its hyponyms can be seen


@dataclass(frozen=True)
class Noun:
    """A synset: its names, its hypernyms and its gloss."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]  # offsets of its direct hypernyms
    meaning: str


def nouns(work: Path) -> dict[str, Noun]:
    """All nouns by offset, eight digits: ImageNet's n02084071 is "02084071"."""
    file = next(fetch("wordnet-base", work).rglob("data.noun"))
    entries = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):  # the licence
            continue
        data, _, meaning = line.partition("|")
        fields = data.split()
        names = int(fields[3], 16)
        pointers = fields[5 + 2 * names :]
        kinds = tuple(pointers[i + 1] for i in range(0, len(pointers) - 1, 4) if pointers[i] in ("@", "@i"))
        lemmas = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(names))
        entries[fields[0]] = Noun(lemmas, kinds, meaning.split(";")[0].strip())
    return entries


def senses(work: Path) -> dict[str, list[str]]:
    """The senses of each word, as offsets, the most frequent first."""
    file = next(fetch("wordnet-base", work).rglob("index.noun"))
    entries = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            entries[fields[0].replace("_", " ")] = fields[-int(fields[2]) :]
    return entries


def hypernyms(offset: str, nouns: dict[str, Noun]) -> dict[str, int]:
    """The noun and all its hypernyms, with the number of steps to each."""
    steps, edge = {offset: 0}, [offset]
    while edge:
        edge = [
            kind for here in edge for kind in nouns[here].kinds if steps.setdefault(kind, steps[here] + 1) == steps[here] + 1
        ]
        edge = list(dict.fromkeys(edge))
    return steps
