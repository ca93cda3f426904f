"""Records that the library's tables return."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seesay.library.vectors.index import Kind

# The columns of `PictureFacts` behind its id; of the table `contents c`.
FACTS = """c.width, c.height, c.taken_at, c.camera, c.latitude, c.longitude,
           (SELECT json_group_array(tag) FROM tags t WHERE t.content_id = c.id)"""


@dataclass(frozen=True)
class Space:
    """A space that the library has vectors of.

    model: the name it was loaded by, for messages. token: random; names the folder of its vector index.
    """

    id: int
    space_id: str
    dim: int
    model: str
    token: str


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """The facts that a library stores of a picture; None where its file does not say.

    id: the first twelve digits of its content's SHA-256. width, height: pixels, auto-rotated. taken_at: ISO 8601, the camera's
    local time. latitude, longitude: degrees.
    """

    id: str = ""
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ItemFacts(PictureFacts):
    """The facts of a picture, or of a text in a list of texts. line: counts from 1; the id of a text ends in `:line`."""

    kind: Kind = "image"
    line: int | None = None
    text: str | None = None


class LiveItem(NamedTuple):
    """A picture or text that has a file now. paths: of the files that hold it, the one to show first."""

    facts: ItemFacts
    paths: list[str]


class Selection(NamedTuple):
    """Vectors that pass filters, each with its content and the time it was taken, "" where that is not known: all (N,)."""

    vectors: np.ndarray
    contents: np.ndarray
    taken_at: np.ndarray

    def where(self, mask: np.ndarray) -> "Selection":
        return Selection(*(column[mask] for column in self))


class PictureFile(NamedTuple):
    """A file of a picture. id: the picture's."""

    path: str
    size: int  # bytes
    width: int | None
    height: int | None
    taken_at: str | None
    id: str
    mtime_ns: int


class FailedFile(NamedTuple):
    """A file that could not be read. tries: how often that was tried."""

    path: str
    reason: str
    tries: int


class FileRecord(NamedTuple):
    """A file as the last run saw it. ready: its content has all its vectors in the space in question. reason: why it could not
    be read, if so. reader: the version of the reader that read it."""

    id: int
    size: int
    mtime_ns: int
    kind: str | None
    ready: bool
    reason: str | None
    transient: bool
    reader: int


def facts_from(columns: Sequence[Any]) -> dict[str, Any]:
    """The columns `FACTS` of a row -> arguments of `PictureFacts`."""
    width, height, taken_at, camera, latitude, longitude, tags = columns
    return {
        "width": width,
        "height": height,
        "taken_at": taken_at,
        "camera": camera,
        "latitude": latitude,
        "longitude": longitude,
        "tags": tuple(json.loads(tags)) if tags != "[]" else (),  # most pictures have none
    }
