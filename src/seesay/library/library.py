"""`Library`: folders of pictures, indexed once and searched in words or by picture."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seesay.errors import InputError, LibraryError, LibraryLocked, NoLibrary, SpaceMismatch
from seesay.library.indexing.report import IndexReport
from seesay.library.search import search
from seesay.library.search.background import (
    Background,
    file_state,
    measured,
    neutral_phrases,
    phrase_key,
    phrase_vectors,
    search_spec,
)
from seesay.library.search.filters import Filters
from seesay.library.search.query import ID, Query
from seesay.library.search.ranking import EVERYTHING, Sort
from seesay.library.search.result import Hit
from seesay.library.search.search import Kind, Options, Score
from seesay.library.search.terms import Terms
from seesay.library.storage.reads import Space
from seesay.library.storage.schema import DATABASE, connect, is_full
from seesay.library.storage.store import Store
from seesay.library.vectors.matrix import Matrix
from seesay.library.vectors.view import Vectors
from seesay.models.vectors import normalize
from seesay.system.files import lock_file
from seesay.system.paths import absolute

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.library.duplicates import Group
    from seesay.library.listing import Item, Listing, Order
    from seesay.library.map import Map
    from seesay.library.tags import Tags
    from seesay.model import Model
    from seesay.system.progress import Progress

HEAL_ROWS = 1000  # a matrix further behind than this is brought up to date by a reader, if no writer is at it


class Library:
    """A library in the folder `path` (default: $SEESAY_LIBRARY, else the user's data directory).

    `model` defaults to the bundled one, opened when first needed. Indexing decodes in "fast" mode (measured harmless for the
    bundled model, docs/benchmarks.md). Any number of processes may search while one indexes.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, model: "Model | None" = None) -> None:
        self.path = default_path() if path is None else Path(absolute(path))
        self._given_model = model
        self._store: Store | None = None
        self._matrices: dict[str, Matrix] = {}
        self._backgrounds: dict[str, tuple[object, Background]] = {}

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    @cached_property
    def model(self) -> "Model":
        from seesay.model import load

        return load() if self._given_model is None else self._given_model

    # Indexing

    def index(
        self,
        *paths: str | os.PathLike[str],
        exclude: Sequence[str | os.PathLike[str]] = (),
        progress: "Progress | None" = None,
    ) -> IndexReport:
        """Brings folders (or single pictures, or .tsv, .csv and .txt lists of texts) into the library, or up to date.

        Without paths: everything indexed before. Only new and changed files are read; renamed and copied ones keep their
        vectors; deleted ones are forgotten, but not those of a folder that is not there at all. A file that cannot be read is
        reported and costs nothing else. exclude: folders or files to forget and pass over, in this run and in later ones,
        until one is named in paths. Raises LibraryLocked while another process is indexing, InputError for a wrong path.
        """
        from seesay.library.indexing.indexer import Indexer, Target, check_excluded, check_paths, plan_targets

        wanted, left_out = [absolute(path) for path in paths], [absolute(path) for path in exclude]
        if not wanted and not (self.path / DATABASE).is_file():
            raise NoLibrary(f"there is no library at {self.path}. Make one with: seesay index FOLDER")
        check_paths(wanted)
        with self.writing() as store:
            check_excluded(store, wanted, left_out)
            with store.transaction():
                for path in wanted:
                    store.include(path)
                forgotten = sum(store.exclude(path) for path in left_out)
                if forgotten:  # else a list of texts that is half read goes on where it was
                    store.remove_orphans()
            everything = [Target(root, path, "") for path, root in store.roots().items()]
            targets = plan_targets(store, wanted) if wanted else everything
            report = Indexer(store, self.model.sharing().with_decode("fast"), progress).run(targets)
            report.removed += forgotten
            if (space := store.space(self.model.space_id)) is not None:
                self._keep_background(store, space)
            return report

    def forget(self, path: str | os.PathLike[str], *, keep_out: bool = False) -> int:
        """Removes a folder (or file) and its vectors from the library; the files themselves stay. Returns how many files.

        A folder inside an indexed one comes back at the next index run of that one, but for keep_out: then only when it is
        named itself.
        """
        self._open()
        with self.writing() as store, store.transaction():
            count = store.exclude(absolute(path)) if keep_out else store.forget(absolute(path))
            store.remove_orphans()
        with self.reading() as store:
            if (space := store.space(self.model.space_id)) is not None:
                self._keep_background(store, space)
        return count

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The library's one writer: holds its lock, which the system lets go however the process ends."""
        if self._store is None:
            connect(self.path, create=True).close()  # also makes the folder in which the lock lives
        owner = self.path / "writer.txt"
        try:
            lock = lock_file(self.path / "writer.lock", wait=False)
        except BlockingIOError:
            who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "another process"
            raise LibraryLocked(
                f"{self.path} is being written to by {who}. Wait until it is done, or use another --library; "
                "searching still works"
            ) from None
        except OSError as error:
            raise LibraryError(f"cannot write to the library at {self.path}: {error.strerror or error}") from None
        try:
            with suppress(OSError):  # on a full disk there may still be something to forget
                owner.write_text(f"process {os.getpid()}\n", encoding="utf-8")
            yield self._open(create=True)
        except sqlite3.DatabaseError as error:
            again = ". What was indexed so far is kept. If the disk is full, make room there; then run it again"
            told = f"{error}{again if is_full(error) else ''}"
            raise LibraryError(f"cannot write to the library at {self.path}: {told}") from None
        finally:
            lock.release()

    @contextmanager
    def reading(self) -> Iterator[Store]:
        try:
            yield self._open()
        except sqlite3.DatabaseError as error:
            raise LibraryError(
                f"the database of the library at {self.path} cannot be read: {error}. If it is damaged, make a new library "
                "with: seesay index FOLDER --library OTHER"
            ) from None

    def _open(self, *, create: bool = False) -> Store:
        if self._store is None:
            self._store = Store(self.path, create=create)
        return self._store

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
    ) -> list[Hit]:
        """The n nearest items that pass the filters, best first, to a query (`query.py` has its grammar), an image, or both.

        The search is exact, with and without filters. Whatever is nearest is shown; of pictures found by words, `likely` tells
        whether they are likely to show what was asked for. Pictures whose own or whose folder's name the words are come first.
        A hit's score is the cosine to what is looked for; words rank by it with what the library's pictures have in common
        with anything taken off (`background.py`), score="cosine" by it alone. What a query takes away (`- people`) lowers the
        ranks of pictures that show it. Without query and image: all that passes the filters, by date.

        kind "text": among indexed texts instead of pictures. Copies of one picture, and equal texts, are one hit. sort
        "newest" or "oldest": likely ones by date, then the rest by rank. likely: only those marked so, which may be none.
        cursor: a hit's, to go on behind it with the same query; what was indexed or forgotten in between moves nothing else.
        pictures: vectors (D,) that `photo:NAME` means, by name; where they are given, a query opens no file and no URL.
        words: vectors (D,) of words of the query that are encoded already, by these (`tasks.phrasing.query_embeddings` makes
        them). Raises InputError, NoLibrary, SpaceMismatch."""
        if query is None and image is None and filters == EVERYTHING and sort == "score":
            raise InputError("search takes a query, an image=, or filters= or sort= to look through pictures without either")
        options = Options(n, filters, kind, sort, cursor, likely, score)
        return search.search(self, Query.of(query) if isinstance(query, str) else query, image, pictures, options, words)

    def search_vector(
        self,
        vector: np.ndarray,
        *,
        n: int = 10,
        filters: Filters = EVERYTHING,
        kind: Kind = "image",
        sort: Sort = "score",
        cursor: str | None = None,
    ) -> list[Hit]:
        """The items nearest by cosine to a vector (D,) of the model's space, however it was made."""
        return search.ranked(self, Terms(normalize(vector)), Options(n, filters, kind, sort, cursor))

    def vectors(self, store: Store, space: Space, kind: Kind) -> Vectors:
        """Every vector of a kind: those of the matrix, and whatever the database holds beyond it."""
        matrix = self.matrix(store, space)
        state = matrix.published()
        last = store.last_vector_id()
        rows = matrix.rows(kind, state) if state.last_id <= last else None
        covered = state.last_id if rows is not None else 0
        if last - covered > HEAL_ROWS and self._heal(store, space):
            state = matrix.published()
            rows = matrix.rows(kind, state)
            covered = state.last_id if rows is not None else 0
        nothing = np.empty(0, dtype=np.int64), np.empty((0, space.dim), dtype=np.float32)
        parts = [nothing if rows is None else (rows.ids, rows.vectors)]
        if covered < last:
            tail = [(i, np.frombuffer(blob, "<f4")) for i, k, blob in store.vectors_after(covered, space) if k == kind]
            if tail:
                parts.append((np.array([i for i, _ in tail], dtype=np.int64), np.stack([v for _, v in tail])))
        return Vectors(parts, state.generation)

    def _heal(self, store: Store, space: Space) -> bool:
        from seesay.library.indexing.indexer import sync_matrix

        try:
            with self.writing():
                sync_matrix(store, space)
            return True
        except LibraryError:  # a writer is at it, or the disk is read-only: the answer is right all the same, only slower
            return False

    # What the pictures have in common with anything

    def background(self, store: Store, space: Space, vectors: Vectors | None = None) -> Background:
        """What neutral phrases find among the pictures of the matrix: as it is kept beside it, and brought up to it here."""
        vectors = self.vectors(store, space, "image") if vectors is None else vectors
        file = self._background_file(store, space)
        state = file_state(file)
        before, known = self._backgrounds.get(space.token, (None, None))
        if known is None or before != state or not known.covers(vectors):
            known = Background.read(file)
            if known is None or not known.covers(vectors):
                known = Background.empty(vectors.generation, len(neutral_phrases()))
        if len(known.hubs) < len(vectors.kept[0]):
            more = vectors.kept[1][len(known.hubs) :]
            known = known.extended(more, phrase_vectors(self.model), search_spec(self.model))
        self._backgrounds[space.token] = (state, known)
        return known

    def measured(self, known: Background, vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
        """The hubs and spreads (N,) of these vectors of pictures, in their order; known: what there is of those kept."""
        count = len(vectors.kept[0])
        if len(vectors.parts) == 1:
            return known.hubs[:count], known.spreads[:count]
        hubs, spreads = [known.hubs[:count]], [known.spreads[:count]]
        for _, rows in vectors.parts[1:]:
            some = measured(rows @ phrase_vectors(self.model).T)
            hubs.append(some[0])
            spreads.append(some[1])
        return np.concatenate(hubs), np.concatenate(spreads)

    def _keep_background(self, store: Store, space: Space) -> None:
        """Writes what a search would else compute; without pictures that are gone, where these could matter."""
        if self.model.config.text is None:  # no phrase can be put to it: its pictures are searched by pictures alone
            return
        ids, vectors = (everything := self.vectors(store, space, "image")).kept
        known = self.background(store, space, everything)
        live = store.live(ids)
        if known.stale(int(live.sum())):
            known = known.without(vectors, live, phrase_vectors(self.model), search_spec(self.model))
        file = self._background_file(store, space)
        kept = Background.read(file)
        if kept is None or not kept.same(known):
            known.write(file)
        self._backgrounds[space.token] = (file_state(file), known)

    def _background_file(self, store: Store, space: Space) -> Path:
        return self.matrix(store, space).folder / self._background_name

    @cached_property
    def _background_name(self) -> str:
        return f"background-{phrase_key(search_spec(self.model))}.npz"

    def matrix(self, store: Store, space: Space) -> Matrix:
        return self._matrices.setdefault(space.token, store.matrix(space))

    def space(self, store: Store) -> Space:
        space = store.space(self.model.space_id)
        if space is not None:
            return space
        others = store.spaces()
        if not others:
            raise NoLibrary(f"the library at {self.path} is empty. Fill it with: seesay index FOLDER")
        names = ", ".join(f"{other.model!r} (space {other.space_id[:8]})" for other in others)
        raise SpaceMismatch(
            f"the library at {self.path} holds vectors of {names}; model {self.model.name!r} makes vectors of space "
            f"{self.model.space_id[:8]}, which cannot be compared with them. Use that model (--model NAME or PATH), or "
            "index again with this one: seesay index"
        )

    @property
    def tags(self) -> "Tags":
        """Tags of pictures: by hand, by rule."""
        from seesay.library.tags import Tags

        return Tags(self)

    def duplicates(
        self, *, filters: Filters = EVERYTHING, exact: bool = False, progress: "Progress | None" = None
    ) -> "list[Group]":
        """Pictures that are there more than once, each group with a proposed keeper: the same bytes, or (unless `exact`) the
        same picture resized, recompressed, turned or marked (`duplicates.py`). Nothing is deleted."""
        from seesay.library.duplicates import find

        return find(self, filters=filters, exact=exact, progress=progress)

    def map(
        self,
        *,
        filters: Filters = EVERYTHING,
        most: int = 3000,
        words: Sequence[str] = (),
        names: Sequence[str] | None = None,
        progress: "Progress | None" = None,
    ) -> "Map":
        """Pictures in two dimensions, alike ones together, in named groups; where words lie among them (`map.py`).

        `seesay.render.map_page.write_map` and `seesay.render.map_figure.draw_map` show it. Raises InputError, MissingExtra.
        """
        from seesay.library.map import chart

        return chart(self, filters=filters, most=most, words=words, names=names, progress=progress)

    # Looking at it

    def item(self, name: str) -> "Item | None":
        """A picture by its id, with every file that holds it; None where there is none."""
        from seesay.library.listing import item

        with self.reading() as store:
            return item(store, name)

    def vector(self, name: str) -> np.ndarray | None:
        """The vector (D,) of a picture or text by its id, as the model made it; None where there is none."""
        if not ID.fullmatch(name):
            return None
        with self.reading() as store:
            found = store.vector_of(name, self.space(store))
        return None if found is None else np.frombuffer(found, "<f4")

    def browse(self, *, filters: Filters = EVERYTHING, sort: "Order" = "newest") -> "Listing":
        """Every picture that passes the filters, in columns, by date or by name. Raises InputError."""
        from seesay.library.listing import listing

        with self.reading() as store:
            return listing(store, filters, sort)

    def stats(self) -> dict[str, Any]:
        """What the library holds: roots, what is excluded from them, files by kind, contents by kind (copies are one), and
        spaces with their counts of vectors."""
        with self.reading() as store:
            spaces = [
                {"space_id": s.space_id, "model": s.model, "dim": s.dim, "vectors": store.count_vectors(s)}
                for s in store.spaces()
            ]
            return {
                "path": str(self.path),
                "roots": [{"path": root, "available": os.path.lexists(root)} for root in store.roots()],
                "excluded": store.excluded(),
                "files": store.count_files(),
                "contents": store.count_contents(),
                "spaces": spaces,
            }

    def failures(self) -> list[tuple[str, str, int]]:
        """(path, reason, tries) of every file that could not be read."""
        with self.reading() as store:
            return store.failures()


def default_path() -> Path:
    """$SEESAY_LIBRARY, else `seesay/library` in the platform's directory for user data."""
    chosen = os.environ.get("SEESAY_LIBRARY")
    if chosen:
        return Path(absolute(chosen))
    import platformdirs

    return Path(platformdirs.user_data_dir("seesay", appauthor=False)) / "library"
