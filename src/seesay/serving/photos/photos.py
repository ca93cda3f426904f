"""The library as the server uses it: in threads of its own, known to clients by ids and by the names of its folders."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from seesay.errors import InputError, PictureNotFound, PictureUnavailable
from seesay.library import Hit, Library
from seesay.library.listing import Item
from seesay.library.search.query import Query
from seesay.model import Model
from seesay.serving import limits
from seesay.serving.photos.archive import Exported
from seesay.serving.photos.folders import Folders
from seesay.serving.schemas.answers import BrowseAnswer, FileFacts, Found, ItemAnswer, Nothing
from seesay.serving.schemas.requests import BrowseRequest, FiltersAsked, SearchRequest
from seesay.system.paths import printable

T = TypeVar("T")


class Photos:
    def __init__(self, path: Path | None, model: Model) -> None:
        self.path = Library(path).path
        self.model = model
        self._own = threading.local()
        self._opened: list[Library] = []
        self._threads = ThreadPoolExecutor(limits.LIBRARY_THREADS, thread_name_prefix="seesay-library")

    async def run(self, work: Callable[[Library], T]) -> T:
        """What blocks, with this thread's connection to the library."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(self.library()))

    def library(self) -> Library:
        library: Library | None = getattr(self._own, "library", None)
        if library is None:
            library = self._own.library = Library(self.path, self.model)
            self._opened.append(library)
        return library

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for library in self._opened:
            library.close()


def folders(library: Library) -> Folders:
    with library.reading() as store:
        return Folders(store.roots())


@dataclass(frozen=True)
class Known:
    """The vectors (D,) of what a search asks for: of the pictures sent along, by their names, and of its words, by these."""

    pictures: dict[str, np.ndarray]
    words: dict[str, np.ndarray]


def search(library: Library, asked: SearchRequest, known: Known) -> list[Hit]:
    """Without a query, what passes the filters, by date. Raises InputError."""
    query = asked.query if asked.query.strip() else None
    if query is None and asked.kind == "text":
        raise InputError("query: expected words or a picture to look for texts by; texts have no date")
    if query is None and known.pictures:
        raise InputError("query: expected one that names the pictures that came with it, such as photo:NAME")
    return library.search(
        query,
        pictures=known.pictures,
        words=known.words,
        n=asked.n,
        filters=asked.filters.filters(under(library, asked.filters)),
        kind=asked.kind,
        sort="newest" if query is None and asked.sort == "score" else asked.sort,
        cursor=asked.cursor,
        likely=asked.likely,
        score=asked.score,
    )


def search_page(library: Library, asked: SearchRequest, known: Known) -> tuple[list[Found], str | None]:
    """What a search finds, and the cursor to go on with where there may be more."""
    hits, names = search(library, asked, known), folders(library)
    return [found(hit, names) for hit in hits], hits[-1].cursor if len(hits) == asked.n else None


def nothing(library: Library, asked: SearchRequest, known: Known) -> Nothing:
    """Why such a search finds nothing."""
    what = {"image": "picture", "text": "text"}[asked.kind]
    if asked.likely and search(library, asked.model_copy(update={"likely": False, "n": 1}), known):
        return Nothing(
            reason="likely",
            message='no picture here is likely to show this; without "likely" the nearest are shown all the same',
        )
    if asked.query.strip() and any(part.what == "name" for part in Query.of(asked.query).parts):
        return Nothing(reason="filters", message=f"no {what} has the name and passes the filters")
    if asked.filters != FiltersAsked():
        return Nothing(reason="filters", message=f"no {what} passes the filters")
    return Nothing(reason="library", message=f"the library holds no {what}s")


def under(library: Library, asked: FiltersAsked) -> str | None:
    return folders(library).path(asked.folder) if asked.folder else None


def found(hit: Hit, names: Folders) -> Found:
    folder, name = names.shown(hit.path)
    return Found(
        id=hit.id,
        name=name,
        folder=folder,
        width=hit.width,
        height=hit.height,
        taken_at=hit.taken_at,
        camera=hit.camera,
        latitude=hit.latitude,
        longitude=hit.longitude,
        tags=list(hit.tags),
        copies=len(hit.copies),
        available=hit.available,
        kind=hit.kind,
        text=hit.text,
        line=hit.line,
        score=None if hit.score is None else round(hit.score, 6),
        relevance=hit.relevance,
        likely=hit.likely,
        named=hit.named or None,
    )


def browse(library: Library, asked: BrowseRequest) -> BrowseAnswer:
    """Raises InputError."""
    listed = library.browse(filters=asked.filters.filters(under(library, asked.filters)), sort=asked.sort)
    return BrowseAnswer(
        ids=listed.ids,
        widths=[width for width, _ in listed.sizes],
        heights=[height for _, height in listed.sizes],
        dates=listed.dates,
        names=[printable(name) for name in listed.names],
    )


def item(library: Library, name: str) -> Item:
    """Raises PictureNotFound."""
    known = library.item(name)
    if known is None:
        raise PictureNotFound("the library holds no picture with this id")
    return known


def described(library: Library, name: str) -> ItemAnswer:
    """Raises PictureNotFound."""
    known, names = item(library, name), folders(library)
    files = [FileFacts(folder=folder, name=file) for folder, file in (names.shown(file.path) for file in known.files)]
    facts = known.facts
    return ItemAnswer(
        id=facts.id,
        name=files[0].name,
        folder=files[0].folder,
        width=facts.width,
        height=facts.height,
        taken_at=facts.taken_at,
        camera=facts.camera,
        latitude=facts.latitude,
        longitude=facts.longitude,
        tags=facts.tags.split("\n") if facts.tags else [],
        copies=len(files) - 1,
        available=there(known) is not None,
        bytes=known.files[0].size,
        files=files,
    )


def there(known: Item) -> Path | None:
    """The first of its files that can be seen now."""
    return next((path for file in known.files if (path := Path(file.path)).is_file()), None)


def files_of(library: Library, names: Sequence[str]) -> list[Exported]:
    """Those of them that are there now. Raises PictureNotFound where there is none."""
    found = [
        Exported(path, known.facts.taken_at)
        for name in names
        if (known := library.item(name)) is not None and (path := there(known)) is not None
    ]
    if not found:
        raise PictureNotFound("none of these pictures has a file that is there now")
    return found


def file_of(library: Library, name: str) -> Path:
    """Raises PictureNotFound."""
    path = there(item(library, name))
    if path is None:
        raise PictureUnavailable("the picture's file is not there now")
    return path
