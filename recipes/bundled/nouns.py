"""WordNet 3.0's nouns: what each is called, what it is a kind of, and what it means. ImageNet's class ids are its offsets."""

from dataclasses import dataclass
from pathlib import Path

from recipes.bundled.packages import fetch

PHYSICAL = "00001930"  # physical entity: what it is above can be seen


@dataclass(frozen=True)
class Noun:
    names: tuple[str, ...]
    kinds: tuple[str, ...]  # offsets of its hypernyms
    meaning: str


def nouns(work: Path) -> dict[str, Noun]:
    """By offset, eight digits: ImageNet's n02084071 is "02084071"."""
    file = next(fetch("wordnet-base", work).rglob("data.noun"))
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):  # the licence
            continue
        data, _, meaning = line.partition("|")
        fields = data.split()
        names = int(fields[3], 16)
        pointers = fields[5 + 2 * names :]
        kinds = tuple(pointers[i + 1] for i in range(0, len(pointers) - 1, 4) if pointers[i] in ("@", "@i"))
        called = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(names))
        found[fields[0]] = Noun(called, kinds, meaning.split(";")[0].strip())
    return found


def senses(work: Path) -> dict[str, list[str]]:
    """What a word may mean, as offsets, the commonest first."""
    file = next(fetch("wordnet-base", work).rglob("index.noun"))
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            found[fields[0].replace("_", " ")] = fields[-int(fields[2]) :]
    return found


def above(offset: str, known: dict[str, Noun]) -> dict[str, int]:
    """The noun and all that it is a kind of, with the number of steps to each."""
    found, edge = {offset: 0}, [offset]
    while edge:
        edge = [
            kind for here in edge for kind in known[here].kinds if found.setdefault(kind, found[here] + 1) == found[here] + 1
        ]
        edge = list(dict.fromkeys(edge))
    return found
