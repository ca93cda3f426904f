"""What a search finds."""

import os
from dataclasses import dataclass
from typing import Any, Literal

from seesay.system.paths import printable


@dataclass(frozen=True)
class Hit:
    """One result, best first. `score` is the cosine to the query's positive terms; None where nothing was searched for.

    path: the picture's file, or the file that holds the text; copies: other files with the same content, links to one file
    being one. id: what a query calls it (`like:ID`), made from its content. cursor: what a search takes to go on behind this
    hit. relevance: the probability, 0 to 1, that a picture found by words shows what they say; likely: whether it is likely to,
    as `library/relevance.py` tells it; both None for other queries. named: the words are the name of the file or of a folder
    that it lies in. `available` is false where the file cannot be seen now (an unmounted disk, or deleted since the last index
    run)."""

    score: float | None
    path: str
    id: str = ""
    copies: tuple[str, ...] = ()
    available: bool = True
    kind: Literal["image", "text"] = "image"
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    line: int | None = None
    text: str | None = None
    cursor: str = ""
    relevance: float | None = None
    likely: bool | None = None
    named: bool = False
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented form (docs/cli.md): keys without a value are left out, except path, kind and id."""
        always: dict[str, Any] = {} if self.score is None else {"score": round(self.score, 6)}
        always |= {"path": self.path, "kind": self.kind, "id": self.id}
        if self.named:
            always["named"] = True
        if not self.available:
            always["available"] = False
        if self.copies:
            always["copies"] = list(self.copies)
        if self.tags:
            always["tags"] = list(self.tags)
        names = ("width", "height", "taken_at", "camera", "latitude", "longitude", "line", "text", "relevance", "likely")
        return always | {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __str__(self) -> str:
        what = f"{self.text}  ({printable(self.path)}:{self.line})" if self.text is not None else printable(self.path)
        return what if self.score is None else f"{self.score:.3f}  {what}"

    @property
    def size(self) -> str:
        """Such as "640 x 480", empty where unknown."""
        return f"{self.width} x {self.height}" if self.width else ""

    @property
    def name(self) -> str:
        return printable(os.path.basename(self.path))
