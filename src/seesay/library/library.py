"""`Library`: folders of pictures, indexed once and searched in words or by picture."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seesay.errors import InputError, LibraryError, NoLibrary
from seesay.library.indexing.report import IndexReport
from seesay.library.search.encode import EncodedQuery, PartVectors
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.search.query import Query
from seesay.library.search.ranking import Sort
from seesay.library.search.result import SearchResult
from seesay.library.search.search import Options, Score, search, search_encoded
from seesay.library.search.terms import Terms
from seesay.library.session import Session, SessionCache
from seesay.library.storage.rows import FailedFile
from seesay.library.storage.schema import DATABASE, connect
from seesay.library.storage.store import Store
from seesay.library.vectors.choice import VectorChoice
from seesay.library.vectors.index import Kind
from seesay.models.vectors import normalize
from seesay.system.paths import absolute

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.library.duplicates import Group
    from seesay.library.embedding.intake import ImportReport
    from seesay.library.listing import Listing, Order, Picture
    from seesay.library.map import Map
    from seesay.library.tags import Tags
    from seesay.model import Model
    from seesay.system.progress import Progress


class Library:
    """A library in the folder `path` (default: $SEESAY_LIBRARY, else the user's data directory).

    `model` defaults to the bundled one, opened when first needed. Indexing decodes in "fast" mode (measured harmless for the
    bundled model, docs/benchmarks.md). Any number of processes may search while one indexes. Methods raise NoLibrary where
    nothing was indexed yet, SpaceMismatch where that was done with other models, LibraryError where the database is damaged.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, model: "Model | None" = None) -> None:
        self.path = default_path() if path is None else Path(absolute(path))
        self._model = model
        self._store: Store | None = None
        self._cache = SessionCache()

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database, which the next use opens again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    @cached_property
    def model(self) -> "Model":
        """The model that pictures and queries are encoded with."""
        from seesay.model import load

        return load() if self._model is None else self._model

    # Opening and locking

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One use of the library, for what `Library` has no method for."""
        try:
            yield self._session(self._open())
        except sqlite3.DatabaseError as error:
            raise LibraryError(
                f"the database of the library at {self.path} cannot be read: {error}. If it is damaged, make a new library "
                "with: seesay index FOLDER --library OTHER"
            ) from None

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The database, made where there is none, while this process is the library's one writer.

        Raises LibraryLocked, LibraryError.
        """
        from seesay.library.storage.lock import writer_lock

        if self._store is None:
            connect(self.path, create=True).close()  # also makes the folder that the lock is in
        with writer_lock(self.path):
            yield self._open(create=True)

    def check_exists(self) -> None:
        """Raises NoLibrary where nothing was indexed yet, LibraryError where the database cannot be opened."""
        self._open()

    def _open(self, *, create: bool = False) -> Store:
        if self._store is None:
            self._store = Store(self.path, create=create)
        return self._store

    def _session(self, store: Store) -> Session:
        return Session(store, lambda: self.model, self._cache)

    # Indexing

    def index(
        self,
        *paths: str | os.PathLike[str],
        exclude: Sequence[str | os.PathLike[str]] = (),
        regions: bool = False,
        vectors: VectorChoice | None = None,
        progress: "Progress | None" = None,
    ) -> IndexReport:
        """Brings folders (or single pictures, or .tsv, .csv and .txt lists of texts) into the library, or up to date.

        Without paths: everything indexed before. Only new and changed files are read; renamed and copied ones keep their
        vectors; deleted ones are forgotten, but not those of a folder that is missing altogether. A file that cannot be read is
        reported and costs nothing else. exclude: folders or files to forget and skip, in this run and in later ones, until one
        is named in paths. regions: also encode windows of these pictures, so that small things are found (docs/tasks.md): about
        seven times the time and memory. vectors: the index that searches use from now on (`VectorChoice.of`,
        docs/search-at-scale.md); it is built at the end of this run and brought up to date by later ones. Raises LibraryLocked
        while another process is indexing, InputError for a wrong path, MissingExtra, LibraryError where a Milvus does not
        answer.
        """
        from seesay.library.indexing.indexer import check_paths, index

        include, skip = [absolute(path) for path in paths], [absolute(path) for path in exclude]
        if not include and not (self.path / DATABASE).is_file():
            raise NoLibrary(f"there is no library at {self.path}. Make one with: seesay index FOLDER")
        check_paths(include)
        with self.writing() as store:
            session = self._session(store)
            if vectors is not None:
                session.choose(vectors)
            return index(session, include, skip, progress, regions=regions)

    def import_vectors(
        self,
        *files: str | os.PathLike[str],
        root: str | os.PathLike[str] | None = None,
        mixed: bool = False,
        progress: "Progress | None" = None,
    ) -> "ImportReport":
        """Takes the rows of Parquet files that `seesay embed` wrote, without encoding anything.

        A picture that changed since then or is missing is reported and left out; `index` brings it in. root: the folder that
        the pictures lie in now, if it has another path than when they were embedded. mixed: also vectors of another space than
        the library's, side by side, or of another build. Raises InputError, SpaceMismatch, LibraryLocked, MissingExtra.
        """
        from seesay.library.embedding.intake import take

        place = None if root is None else absolute(root)
        with self.writing() as store:
            report = take(store, [Path(absolute(file)) for file in files], place, mixed=mixed, progress=progress)
            session = self._session(store)
            if session.has_space():  # what another model's ranking needs is made by the index run that is given this model
                session.save_background()
                session.index.build(progress)
        return report

    def forget(self, path: str | os.PathLike[str], *, keep_out: bool = False) -> int:
        """Removes a folder (or file) and its vectors from the library; the files themselves stay. Returns how many files.

        A folder inside an indexed one comes back at its next index run; with keep_out, only when it is named itself.
        """
        self.check_exists()
        with self.writing() as store, store.transaction():
            count = store.exclude(absolute(path)) if keep_out else store.forget(absolute(path))
            store.remove_orphans()
        with self.session() as session:
            if session.has_space():
                session.save_background()
        return count

    # Searching

    def search(
        self,
        query: str | Query | None = None,
        *,
        image: "ImageInput | None" = None,
        pictures: Mapping[str, np.ndarray] | None = None,
        n: int = 10,
        filters: Filters = EVERYTHING,
        kind: Kind = "image",
        sort: Sort = "score",
        cursor: str | None = None,
        likely: bool = False,
        score: Score = "rank",
        words: Mapping[str, np.ndarray] | None = None,
        exact: bool = False,
    ) -> SearchResult:
        """The n nearest items that pass the filters, best first, to a query (`query.py` has its grammar), an image, or both.

        The search is exact, with and without filters, unless another index was chosen (`index`): then scores are exact, but a
        hit may be missed; with `exact`, every picture is compared all the same. The nearest are always shown; pictures found by
        words are marked as `likely` to show what the query says, or not. Pictures whose own or whose folder's name is the query
        come first. A hit's score is the cosine to the positive terms; words rank by it after correction by the library's
        background (`background.py`), with score="cosine" by it alone. Negative terms (`- people`) lower the ranks of pictures
        that show them. Without query and image: all that passes the filters, by date.

        kind "text": searches indexed texts instead of pictures. Copies of one picture, and equal texts, are one hit. sort
        "newest" or "oldest": likely ones by date, then the rest by rank. likely: only those marked so, which may be none.
        cursor: `SearchResult.next` or a hit's, to continue behind it with the same query; what is indexed or forgotten in
        between moves nothing else. pictures: vectors (D,) that `photo:NAME` means, by name; where given, a query opens no file
        and no URL. words: vectors (D,) of words of the query that are encoded already, by these
        (`search.encode.encode_words` makes them). Raises InputError, NoLibrary, SpaceMismatch.
        """
        if query is None and image is None and filters == EVERYTHING and sort == "score":
            raise InputError("search takes a query, an image=, or filters= or sort= to look through pictures without either")
        options = Options(n, filters, kind, sort, cursor, likely, score, exact)
        parsed = Query.parse(query) if isinstance(query, str) else query
        with self.session() as session:
            return search(session, parsed, options, image, PartVectors(pictures, words or {}))

    def search_vector(
        self,
        vector: np.ndarray,
        *,
        n: int = 10,
        filters: Filters = EVERYTHING,
        kind: Kind = "image",
        sort: Sort = "score",
        cursor: str | None = None,
    ) -> SearchResult:
        """The items nearest by cosine to a vector (D,) of the model's space, however it was made."""
        with self.session() as session:
            return search_encoded(session, EncodedQuery(Terms(normalize(vector))), Options(n, filters, kind, sort, cursor))

    def spreads(self, vectors: np.ndarray) -> np.ndarray:
        """The mean and the standard deviation of the pictures' cosines with each unit vector (K, D): (K, 2) float64."""
        with self.session() as session:
            pictures = session.vectors("image")
            cosines = (pictures.cosines(vector).astype(np.float64) for vector in np.asarray(vectors, dtype=np.float32))
            return np.array([(each.mean(), each.std()) for each in cosines]).reshape(-1, 2)

    # Features

    @property
    def tags(self) -> "Tags":
        """Tags of pictures: by hand, by rule."""
        from seesay.library.tags import Tags

        return Tags(self.session)

    def duplicates(
        self, *, filters: Filters = EVERYTHING, exact: bool = False, progress: "Progress | None" = None
    ) -> "list[Group]":
        """Pictures that are there more than once, each group with a proposed keeper: the same bytes, or (unless `exact`) the
        same picture resized, recompressed, turned or marked (`duplicates.py`). Nothing is deleted."""
        from seesay.library.duplicates import find_duplicates

        with self.session() as session:
            return find_duplicates(session, filters=filters, exact=exact, progress=progress)

    def map(
        self,
        *,
        filters: Filters = EVERYTHING,
        most: int = 3000,
        words: Sequence[str] = (),
        names: Sequence[str] | None = None,
        progress: "Progress | None" = None,
    ) -> "Map":
        """Pictures in two dimensions, similar ones together, in named groups; words placed at their hits (`map.py`).

        `seesay.render.map_page.write_map` and `seesay.render.map_figure.draw_map` show it. Raises InputError, MissingExtra.
        """
        from seesay.library.map import draw_map

        with self.session() as session:
            return draw_map(session, filters=filters, most=most, words=words, names=names, progress=progress)

    # Contents

    def item(self, name: str) -> "Picture | None":
        """A picture by its id, with every file that holds it; None where there is none."""
        from seesay.library.listing import picture

        with self.session() as session:
            return picture(session.store, name)

    def vector(self, name: str) -> np.ndarray | None:
        """The vector (D,) of a picture or text by its id, as the model made it; None where there is none."""
        from seesay.library.listing import stored_vector

        with self.session() as session:
            return stored_vector(session, name)

    def browse(self, *, filters: Filters = EVERYTHING, sort: "Order" = "newest") -> "Listing":
        """Every picture that passes the filters, in columns, by date or by name. Raises InputError."""
        from seesay.library.listing import listing

        with self.session() as session:
            return listing(session.store, filters, sort)

    def stats(self) -> dict[str, Any]:
        """Counts for reports: roots, paths excluded from them, files by kind, contents by kind (copies are one), and spaces
        with their vectors by kind."""
        with self.session() as session:
            store = session.store
            return {
                "path": str(self.path),
                "roots": [{"path": root, "available": os.path.lexists(root)} for root in store.roots()],
                "excluded": store.excluded(),
                "files": store.count_files(),
                "contents": store.count_contents(),
                "spaces": [
                    {"space_id": s.space_id, "model": s.model, "dim": s.dim, "vectors": store.count_vectors(s)}
                    for s in store.spaces()
                ],
            }

    def failures(self) -> list[FailedFile]:
        """Every file that could not be read."""
        with self.session() as session:
            return session.store.failures()


def default_path() -> Path:
    """$SEESAY_LIBRARY, else `seesay/library` in the platform's directory for user data."""
    chosen = os.environ.get("SEESAY_LIBRARY")
    if chosen:
        return Path(absolute(chosen))
    import platformdirs

    return Path(platformdirs.user_data_dir("seesay", appauthor=False)) / "library"
