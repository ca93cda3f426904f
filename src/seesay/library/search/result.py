"""`SearchResult`: the hits of a search, how to get the next page, and why there are none."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, overload

from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.storage.rows import ItemFacts
from seesay.library.vectors.index import Kind
from seesay.system.paths import printable

Reason = Literal["end", "likely", "filters", "library"]


@dataclass(frozen=True)
class Hit(ItemFacts):
    """One result of a search: a picture, or a text of an indexed list.

    score: cosine to the query's positive terms; None without a query. path: the picture's file, or the file that holds the
    text. copies: other files with the same content; links to one file count once. available: whether the file can be seen now
    (its disk may be unmounted, or it was deleted since the last index run). id: what a query calls it (`like:ID`). cursor:
    continues a search behind this hit.

    relevance: probability in 0..1 that a picture shows what a query in words asks for; likely: whether it is above the query's
    threshold (relevance.py). Both None for other queries. box: x0 y0 x1 y1 in pixels, the part of the picture that is nearer to
    the words than the whole (`index --regions`). named: the words are the name of the file, of a folder above it or of a tag.
    """

    score: float | None
    path: str
    copies: tuple[str, ...] = ()
    available: bool = True
    cursor: str = ""
    relevance: float | None = None
    likely: bool | None = None
    named: bool = False
    box: tuple[float, float, float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """The documented form (docs/cli.md): keys without a value are left out, except path, kind and id."""
        always: dict[str, Any] = {} if self.score is None else {"score": round(self.score, 6)}
        always |= {"path": self.path, "kind": self.kind, "id": self.id}
        if self.named:
            always["named"] = True
        if not self.available:
            always["available"] = False
        if self.box is not None:
            always["box"] = list(self.box)
        if self.copies:
            always["copies"] = list(self.copies)
        if self.tags:
            always["tags"] = list(self.tags)
        names = ("width", "height", "taken_at", "camera", "latitude", "longitude", "line", "text", "relevance", "likely")
        return always | {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __str__(self) -> str:
        text = f"{self.text}  ({printable(self.path)}:{self.line})" if self.text is not None else printable(self.path)
        return text if self.score is None else f"{self.score:.3f}  {text}"

    @property
    def size(self) -> str:
        """Width and height in pixels, such as "640 x 480"; empty where unknown."""
        return f"{self.width} x {self.height}" if self.width else ""

    @property
    def name(self) -> str:
        """The file's own name, printable."""
        return printable(os.path.basename(self.path))


class WhyEmpty(NamedTuple):
    """Why a search has no hits.

    reason: "end", there is nothing behind the cursor; "likely", something passes the filters, but nothing is likely to show
    what the query says and only likely pictures were requested; "filters", nothing passes them; "library", it holds nothing of
    this kind. filters: as they were passed. names: `name:` parts of the query, which filter too.
    """

    reason: Reason
    kind: Kind
    filters: Filters = EVERYTHING
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchResult(Sequence[Hit]):
    """The hits of a search, best first, as a sequence.

    next: the cursor that continues behind the last hit; None where there are fewer hits than requested, so no more.
    why_empty: set where there are no hits. answered_by: the index: "exact", "usearch i8", "usearch f16" or "milvus".
    """

    hits: tuple[Hit, ...]
    next: str | None = None
    why_empty: WhyEmpty | None = None
    answered_by: str = "exact"

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]
