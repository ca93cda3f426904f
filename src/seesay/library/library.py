"""`Library`: folders of pictures, indexed once and searched in words or by picture."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from seesay.errors import InputError, LibraryError, LibraryLocked, NoLibrary, SpaceMismatch
from seesay.library.filters import Filters
from seesay.library.hits import Hit
from seesay.library.matrix import Matrix
from seesay.library.query import ID, Part, Query
from seesay.library.ranking import EVERYTHING, Candidates, Sort, by_date, by_score
from seesay.library.reads import Space
from seesay.library.relevance import NEAREST, Neutral, Relevance, refreshed
from seesay.library.report import IndexReport
from seesay.library.schema import DATABASE, connect
from seesay.library.store import Store
from seesay.library.sum import Sum
from seesay.paths import absolute, is_url
from seesay.tasks.encoder import unit
from seesay.tasks.retrieve import top_k

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.library.duplicates import Group
    from seesay.library.indexer import Progress
    from seesay.library.listing import Item, Listing, Order
    from seesay.library.map import Map
    from seesay.library.tags import Tags
    from seesay.model import Model

Kind = Literal["image", "text"]
SORTS = get_args(Sort)
NEAREST_OF = 8  # times as many are looked at where too many of a query's nearest are forgotten ones
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

    def index(self, *paths: str | os.PathLike[str], progress: "Progress | None" = None) -> IndexReport:
        """Brings folders (or single pictures, or .tsv, .csv and .txt lists of texts) into the library, or up to date.

        Without paths: everything indexed before. Only new and changed files are read; renamed and copied ones keep their
        vectors; deleted ones are forgotten, but not those of a folder that is not there at all. A file that cannot be read is
        reported and costs nothing else. Raises LibraryLocked while another process is indexing, InputError for a wrong path.
        """
        from seesay.library.indexer import Indexer, Target, check_paths, plan_targets

        wanted = [absolute(path) for path in paths]
        if not wanted and not (self.path / DATABASE).is_file():
            raise NoLibrary(f"there is no library at {self.path}. Make one with: seesay index FOLDER")
        check_paths(wanted)
        with self.writing() as store:
            everything = [Target(root, path, "") for path, root in store.roots().items()]
            targets = plan_targets(store, wanted) if wanted else everything
            report = Indexer(store, self.model.sharing().with_decode("fast"), progress).run(targets)
            if (space := store.space(self.model.space_id)) is not None:
                matrix = self.matrix(store, space)
                self.neutral(matrix, Neutral.read(matrix.folder))  # here, where a few seconds do not count
            return report

    def forget(self, path: str | os.PathLike[str]) -> int:
        """Removes a folder (or file) and its vectors from the library; the files themselves stay. Returns how many files.

        A folder inside an indexed one comes back at the next index run of that one.
        """
        self._open()
        with self.writing() as store, store.transaction():
            count = store.forget(absolute(path))
            store.remove_orphans()
        with self.reading() as store:
            for space in store.spaces():
                matrix = self.matrix(store, space)
                if (before := Neutral.read(matrix.folder)) is not None:  # what it says is of pictures that are there
                    self.neutral(matrix, before)
        return count

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The library's one writer: holds its lock, which the system lets go however the process ends."""
        import filelock

        if self._store is None:
            connect(self.path, create=True).close()  # also makes the folder in which the lock lives
        owner = self.path / "writer.txt"
        lock = filelock.FileLock(self.path / "writer.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "another process"
            raise LibraryLocked(
                f"{self.path} is being written to by {who}. Wait until it is done, or use another --library; "
                "searching still works"
            ) from None
        except OSError as error:
            raise LibraryError(f"cannot write to the library at {self.path}: {error.strerror or error}") from None
        try:
            owner.write_text(f"process {os.getpid()}\n", encoding="utf-8")
            yield self._open(create=True)
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"cannot write to the library at {self.path}: {error}") from None
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
        relevant: bool = False,
    ) -> list[Hit]:
        """The n nearest items, best first, to a query (`query.py` has its grammar), to an image, or to their sum.

        The search is exact, with and without filters; a score is the cosine to the sum. kind "text": among indexed texts
        instead of pictures. Copies of one picture, and equal texts, are one hit. cursor: a hit's, to go on behind it with the
        same query; what was indexed or forgotten in between moves nothing else. sort "newest" or "oldest": by date, of pictures
        that are relevant or have a min_score; without one of these it would be all pictures by date. relevant: where words
        look for pictures, only what has to do with them (`relevance.py`), which may be nothing. pictures: vectors (D,) that
        `photo:NAME` means, by name; where they are given, a query opens no file and no URL. Raises InputError, NoLibrary,
        SpaceMismatch.
        """
        if query is None and image is None:
            raise InputError("search takes a query, an image=, or both")
        parts = () if query is None else (Query.of(query) if isinstance(query, str) else query).parts
        if n < 1:
            raise InputError(f"n must be at least 1, got {n}")
        if kind not in ("image", "text"):
            raise InputError(f"kind is 'image' or 'text', got {kind!r}")
        # What only takes away is like nothing that the phrases say: every picture is as far from it as can be.
        in_words = kind == "image" and image is None and all(part.what == "words" for part in parts)
        in_words = in_words and any(part.weight > 0 for part in parts)
        _check_sort(sort, kind, ended=filters.min_score is not None or (relevant and in_words))
        with self.reading() as store:
            space = self.space(store)  # before any encoding: a foreign library should not cost a model
            known = [self._known(store, space, part, pictures) for part in parts]
        asked = self._sum(parts, known, [] if image is None else [image])
        return self._search(space, asked, n, filters, kind, sort, cursor, relevant if in_words else None)

    def _known(self, store: Store, space: Space, part: Part, pictures: Mapping[str, np.ndarray] | None) -> np.ndarray | None:
        """The vector of a part that names an item, or one of the pictures. Raises InputError where there is none."""
        if part.what == "photo" and pictures is not None:
            if part.value not in pictures:
                raise InputError(part.pointed(f"photo:{part.value}: no picture of that name came with the query"))
            return unit(pictures[part.value])
        if part.what != "like":
            return None
        found = store.vector_of(part.value, space)
        if found is None:
            raise InputError(part.pointed(f"like:{part.value}: the library has nothing with that id, seen by this model"))
        return np.frombuffer(found, "<f4")

    def _sum(self, parts: Sequence[Part], known: Sequence[np.ndarray | None], images: "list[ImageInput]") -> Sum:
        """Of the parts, and of images. Raises InputError where nothing is left."""
        left = [part for part, vector in zip(parts, known, strict=True) if vector is None]
        words = [part.value for part in left if part.what == "words"]
        texts = iter(self.model.encode_text(words)) if words else iter(())
        photos = map(self._photo, (part for part in left if part.what == "photo"))
        vectors = [
            vector if vector is not None else next(texts if part.what == "words" else photos)
            for part, vector in zip(parts, known, strict=True)
        ]
        pictures = self.model.encode_image(images) if images else ()
        weights = [part.weight for part in parts] + [1.0] * len(images)
        try:
            return Sum.of([*vectors, *pictures], weights)
        except InputError as nothing:  # an image alone does not take itself away, so there are parts
            raise InputError(parts[-1].pointed(str(nothing))) from None

    def _photo(self, part: Part) -> np.ndarray:
        """The vector (D,) of the file or URL that a part names. Raises InputError that points at it."""
        try:
            vector: np.ndarray = self.model.encode_image([_where(part.value)])[0]
        except InputError as fault:
            raise InputError(part.pointed(str(fault))) from fault
        return vector

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
        """The same for a vector (D,) of the model's space, however it was made."""
        _check_sort(sort, kind, ended=filters.min_score is not None)
        with self.reading() as store:
            return self._search(self.space(store), Sum(vector), n, filters, kind, sort, cursor)

    def _search(
        self,
        space: Space,
        asked: Sum,
        n: int,
        filters: Filters,
        kind: Kind,
        sort: Sort,
        cursor: str | None,
        relevant: bool | None = None,
    ) -> list[Hit]:
        """relevant None: a query of which nothing is known."""
        with self.reading() as store:
            vector = asked.vector
            if vector.shape != (space.dim,):
                raise InputError(f"expected a vector ({space.dim},), got an array {vector.shape}")
            found = self._scores(store, space, kind, unit(vector))
            known = None if relevant is None else self._relevance(store, space, found, asked, needed=relevant)
            least = -np.inf if filters.min_score is None else filters.min_score
            if relevant and known is not None:
                least = max(least, known.least())
            found = found.where(found.scores >= least)
            if sort == "score":
                hits = by_score(store, space, found, n, filters, kind=kind, cursor=cursor)
            else:
                hits = by_date(store, space, found, n, filters, newest=sort == "newest", cursor=cursor)
            return hits if known is None else [replace(hit, relevance=round(known.of(hit.score), 3)) for hit in hits]

    def _relevance(self, store: Store, space: Space, found: Candidates, asked: Sum, *, needed: bool) -> Relevance | None:
        """None where there is nothing to compare with, or nothing at hand and it is not needed."""
        matrix = self.matrix(store, space)
        neutral = Neutral.read(matrix.folder) or (self.neutral(matrix, None) if needed else None)
        take, nearest = 0, np.empty((0, space.dim), dtype=np.float32)
        while len(nearest) < NEAREST and take < len(found.ids):  # the best may be forgotten ones
            take = NEAREST_OF * take or NEAREST
            nearest = store.vectors(found.ids[top_k(found.scores, take)].tolist())
        if neutral is None or not len(nearest):
            return None
        return neutral.relevance(nearest[top_k(nearest @ asked.vector, NEAREST)], asked)

    def neutral(self, matrix: Matrix, before: Neutral | None) -> Neutral | None:
        """What neutral phrases find among the pictures now; None where there is none."""
        rows = matrix.rows("image", matrix.published())
        with self.reading() as store:
            live = None if rows is None else store.live(rows.ids)
        if rows is None or live is None or not live.any():
            return None
        if before is not None and not before.stale(int(live.sum())):
            return before
        return refreshed(matrix.folder, rows.vectors if live.all() else rows.vectors[live], self.model, before)

    def matrix(self, store: Store, space: Space) -> Matrix:
        return self._matrices.setdefault(space.token, store.matrix(space))

    def _scores(self, store: Store, space: Space, kind: Kind, query: np.ndarray) -> Candidates:
        parts = [(ids, vectors @ query) for ids, vectors in self.vectors(store, space, kind)]
        if len(parts) == 1:
            return Candidates(*parts[0])
        if not parts:
            return Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        return Candidates(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))

    def vectors(self, store: Store, space: Space, kind: Kind) -> list[tuple[np.ndarray, np.ndarray]]:
        """(ids (N,), vectors (N, D)) of the matrix, and of whatever the database holds beyond it."""
        matrix = self.matrix(store, space)
        state = matrix.published()
        last = store.last_vector_id()
        rows = matrix.rows(kind, state) if state.last_id <= last else None
        covered = state.last_id if rows is not None else 0
        if last - covered > HEAL_ROWS and self._heal(store, space):
            state = matrix.published()
            rows = matrix.rows(kind, state)
            covered = state.last_id if rows is not None else 0
        parts = [(rows.ids, rows.vectors)] if rows is not None else []
        if covered < last:
            tail = [(i, np.frombuffer(blob, "<f4")) for i, k, blob in store.vectors_after(covered, space) if k == kind]
            if tail:
                parts.append((np.array([i for i, _ in tail], dtype=np.int64), np.stack([v for _, v in tail])))
        return parts

    def _heal(self, store: Store, space: Space) -> bool:
        from seesay.library.indexer import sync_matrix

        try:
            with self.writing():
                sync_matrix(store, space)
            return True
        except LibraryError:  # a writer is at it, or the disk is read-only: the answer is right all the same, only slower
            return False

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
    ) -> "Map":
        """Pictures in two dimensions, alike ones together, in named groups; where words lie among them (`map.py`).

        `seesay.map_page.write_map` and `seesay.map_figure.draw_map` show it. Raises InputError, MissingExtra.
        """
        from seesay.library.map import chart

        return chart(self, filters=filters, most=most, words=words, names=names)

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
        """What the library holds: roots, files by kind, spaces with their counts of vectors."""
        with self.reading() as store:
            spaces = [
                {"space_id": s.space_id, "model": s.model, "dim": s.dim, "vectors": store.count_vectors(s)}
                for s in store.spaces()
            ]
            return {
                "path": str(self.path),
                "roots": [{"path": root, "available": os.path.lexists(root)} for root in store.roots()],
                "files": store.count_files(),
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


def _check_sort(sort: str, kind: Kind, *, ended: bool) -> None:
    if sort not in SORTS:
        raise InputError(f"sort is one of {', '.join(map(repr, SORTS))}, got {sort!r}")
    if sort == "score":
        return
    if kind == "text":
        raise InputError(f"sort={sort!r}: texts have no date; only pictures can be sorted by it")
    if not ended:
        raise InputError(
            f"sort={sort!r} needs an end to what is found, or it would be all pictures by date: words alone that are to be "
            "relevant, or a min_score"
        )


def _where(said: str) -> str:
    return said if is_url(said) else os.path.expanduser(said)
