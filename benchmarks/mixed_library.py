"""`MixedLibrary`: 2,296 photos of people, things and groceries, a library such as people have, with captions or labels.

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
    """A photo of one of the sets.

    captions: in Flickr8k. number: its ImageNet class, in photos-1k. labels: its class; in grocery the fine and the coarse one.
    """

    file: Path
    dataset: str  # one of SETS
    captions: tuple[str, ...] = ()
    number: int | None = None
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """A caption or label of the photo."""
        return self.captions[0] if self.captions else self.labels[0]


def photos(data: Path) -> list[Photo]:
    """All of them, always in the same order."""
    captions: dict[Path, list[str]] = {}
    for row in _rows(data / FLICKR / "captions.tsv"):
        if row["split"] == "val" and row["lang"] == "en":
            captions.setdefault(data / FLICKR / "images" / row["image"], []).append(row["text"])
    every = [Photo(file, FLICKR, tuple(texts)) for file, texts in captions.items()]
    things = sorted(_rows(data / PHOTOS / "labels.tsv"), key=lambda row: row["wnid"])  # ImageNet's order
    for number, row in enumerate(things):
        every.append(Photo(data / PHOTOS / "images" / row["image"], PHOTOS, number=number, labels=(row["en"],)))
    with (data / GROCERY / "classes.csv").open(encoding="utf-8", newline="") as stream:
        names = {
            row["Class ID (int)"]: (row["Class Name (str)"], row["Coarse Class Name (str)"]) for row in csv.DictReader(stream)
        }
    groceries = _rows(data / GROCERY / "val.tsv")
    return [*every, *(Photo(data / GROCERY / "images" / row["image"], GROCERY, labels=names[row["fine"]]) for row in groceries)]


@dataclass(frozen=True)
class MixedLibrary:
    """The photos, and a library of them."""

    photos: list[Photo]
    library: Library

    @classmethod
    def made(cls, data: Path, folder: Path, model: Model) -> "MixedLibrary":
        """Made in a folder; what an earlier call made there is used again, also with another model."""
        every, links = photos(data), folder / "photos"
        if not links.exists():
            linked((photo.file for photo in every), links)
        library = Library(folder / "library", model)
        library.index(links)
        return cls(every, library)

    def number(self, path: str) -> int:
        """The position in `photos` of a hit's path, with which the names of links begin (`pictures.linked`)."""
        return int(Path(path).name.split("-")[0])


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
