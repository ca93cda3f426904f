"""A library such as people have: photos of people, things and groceries, 2,296 of them, with what is known of each.

Flickr8k's val part (1,000 photos, five captions each), photos-1k (1,000 photos, one of every ImageNet class, in ImageNet's
order) and the val part of the grocery set (296 photos, each of a fine and a coarse class).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pictures import linked

from seesay.library.library import Library
from seesay.model import Model

FLICKR, PHOTOS, GROCERY = SETS = ("flickr8k", "photos-1k", "grocery")


@dataclass(frozen=True)
class Photo:
    """captions: of Flickr8k's. number: of photos-1k's, its ImageNet class. labels: its class, in grocery fine and coarse."""

    file: Path
    of: str  # one of SETS
    captions: tuple[str, ...] = ()
    number: int | None = None
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """What it shows, in a few words."""
        return self.captions[0] if self.captions else self.labels[0]


def photos(data: Path) -> list[Photo]:
    """All of them, always in the same order."""
    captions: dict[Path, list[str]] = {}
    for row in _rows(data / FLICKR / "captions.tsv"):
        if row["split"] == "val" and row["lang"] == "en":
            captions.setdefault(data / FLICKR / "images" / row["image"], []).append(row["text"])
    found = [Photo(file, FLICKR, tuple(texts)) for file, texts in captions.items()]
    things = sorted(_rows(data / PHOTOS / "labels.tsv"), key=lambda row: row["wnid"])  # ImageNet's order
    for number, row in enumerate(things):
        found.append(Photo(data / PHOTOS / "images" / row["image"], PHOTOS, number=number, labels=(row["en"],)))
    with (data / GROCERY / "classes.csv").open(encoding="utf-8", newline="") as stream:
        names = {
            row["Class ID (int)"]: (row["Class Name (str)"], row["Coarse Class Name (str)"]) for row in csv.DictReader(stream)
        }
    groceries = _rows(data / GROCERY / "val.tsv")
    return [*found, *(Photo(data / GROCERY / "images" / row["image"], GROCERY, labels=names[row["fine"]]) for row in groceries)]


@dataclass(frozen=True)
class MixedLibrary:
    """The photos, and the library that they are in."""

    photos: list[Photo]
    library: Library

    @classmethod
    def made(cls, data: Path, folder: Path, model: Model) -> "MixedLibrary":
        """In a folder, where whatever an earlier call left is used again, also by another model."""
        found, links = photos(data), folder / "photos"
        if not links.exists():
            linked((photo.file for photo in found), links)
        library = Library(folder / "library", model)
        library.index(links)
        return cls(found, library)

    def number(self, path: str) -> int:
        """Of a hit's path, the place of its photo among the photos (`pictures.linked` begins a link's name with it)."""
        return int(Path(path).name.split("-")[0])


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
