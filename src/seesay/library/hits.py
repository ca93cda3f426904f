"""What a search finds."""

import os
from dataclasses import dataclass
from typing import Any, Literal

from seesay.paths import printable


@dataclass(frozen=True)
class Hit:
    """One result, best first. `score` is the cosine to the query.

    path: the picture's file, or the file that holds the text; copies: other files with the same content. id: what a query calls
    it (`like:ID`), made from its content. cursor: what a search takes to go on behind this hit. relevance: 0 to 1, of
    a picture found by words: the share of other phrases that nothing in the library fits so well. `available` is false where
    the file cannot be seen now (an unmounted disk, or deleted since the last index run).
    """

    score: float
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
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented form (docs/cli.md): keys without a value are left out, except the first four."""
        always = {"score": round(self.score, 6), "path": self.path, "kind": self.kind, "id": self.id}
        if not self.available:
            always["available"] = False
        if self.copies:
            always["copies"] = list(self.copies)
        if self.tags:
            always["tags"] = list(self.tags)
        names = ("width", "height", "taken_at", "camera", "latitude", "longitude", "line", "text", "relevance")
        return always | {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __str__(self) -> str:
        what = f"{self.text}  ({printable(self.path)}:{self.line})" if self.text is not None else printable(self.path)
        return f"{self.score:.3f}  {what}"

    @property
    def size(self) -> str:
        """Such as "640 x 480", empty where unknown."""
        return f"{self.width} x {self.height}" if self.width else ""

    @property
    def name(self) -> str:
        return printable(os.path.basename(self.path))
