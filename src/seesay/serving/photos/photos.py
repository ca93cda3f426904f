"""`Photos`: the library in threads of its own; clients see ids and folder names instead of paths."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from seesay.errors import InputError, PictureNotFound, PictureUnavailable
from seesay.library import Hit, Library
from seesay.library.listing import Picture
from seesay.library.search.encode import PartVectors
from seesay.library.search.result import SearchResult, WhyEmpty
from seesay.library.storage.rows import PictureFacts
from seesay.model import Model
from seesay.serving import limits
from seesay.serving.photos.archive import Exported
from seesay.serving.photos.folders import Folders
from seesay.serving.schemas.answers import BrowseAnswer, FileFacts, Found, ItemAnswer, Nothing
from seesay.serving.schemas.requests import BrowseRequest, FiltersAsked, SearchRequest
from seesay.system.paths import printable

T = TypeVar("T")
_FACTS = tuple(field.name for field in fields(PictureFacts))


class Photos:
    """The library of a server. path: its folder, None for the user's."""

    def __init__(self, path: Path | None, model: Model) -> None:
        self.path = Library(path).path
        self.model = model
        self._own = threading.local()
        self._opened: list[Library] = []
        self._threads = ThreadPoolExecutor(limits.LIBRARY_THREADS, thread_name_prefix="seesay-library")
        self._searcher = ThreadPoolExecutor(1, thread_name_prefix="seesay-search")

    async def run(self, work: Callable[[Library], T]) -> T:
        """Runs blocking work in a thread of the library, with this thread's connection to it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(self.library()))

    async def run_search(self, work: Callable[[Library], T]) -> T:
        """Runs a search in the one thread for them. Between its many short reads a search gives the interpreter away, so four
        at once take four times as long and more: together they are half as fast as one after another."""
        return await asyncio.get_running_loop().run_in_executor(self._searcher, lambda: work(self.library()))

    def library(self) -> Library:
        """The library as this thread has it open."""
        library: Library | None = getattr(self._own, "library", None)
        if library is None:
            library = self._own.library = Library(self.path, self.model)
            self._opened.append(library)
        return library

    def close(self) -> None:
        """Waits for work that is under way, and closes the library."""
        for threads in (self._threads, self._searcher):
            threads.shutdown(wait=True)
        for library in self._opened:
            library.close()


def folders(library: Library) -> Folders:
    """The names under which clients know the library's folders."""
    with library.session() as session:
        return Folders(session.store.roots())


def search(library: Library, request: SearchRequest, vectors: PartVectors) -> SearchResult:
    """The result of a search; without a query, of all pictures that pass the filters, by date. Raises InputError.

    vectors: of the words of the query and of the pictures that came with it.
    """
    query = request.query if request.query.strip() else None
    if query is None and request.kind == "text":
        raise InputError("query: expected words or a picture to look for texts by; texts have no date")
    if query is None and vectors.photos:
        raise InputError("query: expected one that names the pictures that came with it, such as photo:NAME")
    return library.search(
        query,
        pictures=vectors.photos,
        words=vectors.words,
        n=request.n,
        filters=request.filters.filters(under(library, request.filters)),
        kind=request.kind,
        sort="newest" if query is None and request.sort == "score" else request.sort,
        cursor=request.cursor,
        likely=request.likely,
        score=request.score,
    )


class SearchPage(NamedTuple):
    """The parts of a `SearchAnswer`. next: the cursor of the next page. nothing: why there are no results at all."""

    results: list[Found]
    next: str | None
    nothing: Nothing | None


def search_page(library: Library, request: SearchRequest, vectors: PartVectors) -> SearchPage:
    """A page of results of `search`, as clients see them."""
    result, names = search(library, request, vectors), folders(library)
    return SearchPage([_found(hit, names) for hit in result], result.next, nothing(result.why_empty))


def nothing(why: WhyEmpty | None) -> Nothing | None:
    """Why a search has no results, in words; None behind a cursor, where there were some."""
    if why is None or why.reason == "end":
        return None
    kind = {"image": "picture", "text": "text"}[why.kind]
    if why.reason == "likely":
        return Nothing(
            reason="likely",
            message='no picture here is likely to show this; without "likely" the nearest are shown all the same',
        )
    if why.reason == "library":
        return Nothing(reason="library", message=f"the library holds no {kind}s")
    named = "has the name and passes" if why.names else "passes"
    return Nothing(reason="filters", message=f"no {kind} {named} the filters")


def under(library: Library, filters: FiltersAsked) -> str | None:
    """The absolute path of the folder in a request's filters. Raises InputError."""
    return folders(library).path(filters.folder) if filters.folder else None


def _found(hit: Hit, names: Folders) -> Found:
    """A hit as clients see it."""
    folder, name = names.shown(hit.path)
    return Found(
        name=name,
        folder=folder,
        copies=len(hit.copies),
        available=hit.available,
        kind=hit.kind,
        text=hit.text,
        line=hit.line,
        score=None if hit.score is None else round(hit.score, 6),
        relevance=hit.relevance,
        likely=hit.likely,
        box=hit.box,
        named=hit.named or None,
        **_facts(hit),
    )


def _facts(picture: PictureFacts) -> dict[str, Any]:
    """The facts of a picture as arguments of an answer."""
    return {name: getattr(picture, name) for name in _FACTS}


def browse(library: Library, request: BrowseRequest) -> BrowseAnswer:
    """Every picture that passes the filters, in columns. Raises InputError."""
    listed = library.browse(filters=request.filters.filters(under(library, request.filters)), sort=request.sort)
    return BrowseAnswer(
        ids=listed.ids,
        widths=[width for width, _ in listed.sizes],
        heights=[height for _, height in listed.sizes],
        dates=listed.dates,
        names=[printable(name) for name in listed.names],
    )


def item(library: Library, name: str) -> Picture:
    """A picture by its id. Raises PictureNotFound."""
    picture = library.item(name)
    if picture is None:
        raise PictureNotFound("the library holds no picture with this id")
    return picture


def described(library: Library, name: str) -> ItemAnswer:
    """A picture by its id, as clients see it, with all its files. Raises PictureNotFound."""
    picture, names = item(library, name), folders(library)
    files = [FileFacts(folder=folder, name=file) for folder, file in (names.shown(file.path) for file in picture.files)]
    return ItemAnswer(
        name=files[0].name,
        folder=files[0].folder,
        copies=len(files) - 1,
        available=available_file(picture) is not None,
        bytes=picture.files[0].size,
        files=files,
        **_facts(picture.facts),
    )


def available_file(picture: Picture) -> Path | None:
    """The first of a picture's files that can be seen now."""
    return next((path for file in picture.files if (path := Path(file.path)).is_file()), None)


def files_of(library: Library, names: Sequence[str]) -> list[Exported]:
    """The available files of pictures by their ids. Raises PictureNotFound where there is none."""
    files = [
        Exported(path, picture.facts.taken_at)
        for name in names
        if (picture := library.item(name)) is not None and (path := available_file(picture)) is not None
    ]
    if not files:
        raise PictureNotFound("none of these pictures has a file that is there now")
    return files


def file_of(library: Library, name: str) -> Path:
    """The available file of a picture by its id. Raises PictureNotFound, PictureUnavailable."""
    path = available_file(item(library, name))
    if path is None:
        raise PictureUnavailable("the picture's file is not there now")
    return path
