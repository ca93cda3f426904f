"""`Session`: what one use of a library holds open: database, model, vectors and `Background`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.errors import LibraryError, NoLibrary, SpaceMismatch
from seesay.library.search.background import (
    Background,
    PhraseStatistics,
    measure,
    neutral_phrases,
    phrase_key,
    read_or_encode_phrases,
    search_spec,
)
from seesay.library.storage.regions import RegionRows
from seesay.library.storage.rows import Space
from seesay.library.storage.store import Store
from seesay.library.vectors import open_index
from seesay.library.vectors.choice import VectorChoice
from seesay.library.vectors.index import Kind, VectorIndex, VectorView
from seesay.library.vectors.sync import Source
from seesay.library.vectors.view import ArrayView, Vectors
from seesay.system.files import file_state

if TYPE_CHECKING:
    from seesay.model import Model

HEAL_ROWS = 1000  # an index further behind the database than this is synchronised by a reader, unless a writer is at work


class SessionCache:
    """Open indexes and backgrounds of a library by the token of their space, shared by its sessions, which have one model."""

    def __init__(self) -> None:
        self.background_files: dict[str, Path] = {}
        self.indexes: dict[str, VectorIndex] = {}
        self.backgrounds: dict[str, tuple[object, Background]] = {}  # with the `file_state` of their file when it was read
        self.owners: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}  # with the last id of a window then


class _Indexed(NamedTuple):
    """The rows of an index: every vector with an id up to `last_id`. behind: how many ids the database has given out since."""

    view: VectorView
    last_id: int
    generation: int
    behind: int


class Session:
    """One use of a library, made by `Library.session()`.

    load_model: returns the model, opened when first needed. Where a method or property needs the model's space it raises
    NoLibrary if the library is empty, SpaceMismatch if it holds vectors of other models only.
    """

    def __init__(self, store: Store, load_model: Callable[[], "Model"], cache: SessionCache | None = None) -> None:
        self.store = store
        self._load_model = load_model
        self._cache = SessionCache() if cache is None else cache

    @property
    def model(self) -> "Model":
        """The model that queries are encoded with."""
        return self._load_model()

    @cached_property
    def space(self) -> Space:
        """The model's space in this library."""
        space = self.store.space(self.model.space_id)
        if space is None:
            raise self._missing_space()
        return space

    def has_space(self) -> bool:
        """Whether the library has vectors of the model's space."""
        return self.store.space(self.model.space_id) is not None

    def require_space(self) -> None:
        """Raises NoLibrary or SpaceMismatch where the library has no vectors of the model's space."""
        _ = self.space

    def _missing_space(self) -> LibraryError:
        others = self.store.spaces()
        if not others:
            return NoLibrary(f"the library at {self.store.folder} is empty. Fill it with: seesay index FOLDER")
        names = ", ".join(f"{other.model!r} (space {other.space_id[:8]})" for other in others)
        return SpaceMismatch(
            f"the library at {self.store.folder} holds vectors of {names}; model {self.model.name!r} makes vectors of space "
            f"{self.model.space_id[:8]}, which cannot be compared with them. Use that model (--model NAME or PATH), or "
            "index again with this one: seesay index"
        )

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The database, while this process is the library's one writer. Raises LibraryLocked, LibraryError."""
        from seesay.library.storage.lock import writer_lock

        with writer_lock(self.store.folder):
            yield self.store

    @property
    def index(self) -> VectorIndex:
        """The vector index of the model's space, of the kind that the library's owner chose. Raises MissingExtra."""
        space, choice = self.space, VectorChoice.read(self.store.folder)
        key = f"{space.token}/{choice}"
        if key not in self._cache.indexes:
            self._cache.indexes[key] = open_index(self.store.vector_folder(space), space.dim, choice)
        return self._cache.indexes[key]

    def choose(self, choice: VectorChoice) -> None:
        """Stores which index searches use. Only for the holder of the lock. Raises MissingExtra, LibraryError where it does not
        answer, before anything is stored."""
        folder = self.store.folder / "vectors"
        index = open_index(folder, self.model.dim, choice)
        index.check()
        choice.write(self.store.folder)
        choice.delete_others(self.store.folder)

    @cached_property
    def regions(self) -> RegionRows:
        """The windows of pictures in the database."""
        return RegionRows(self.store.db)

    def region_vectors(self) -> Vectors | None:
        """All windows: those of their index, and those that the database has beyond it; None where there are none."""
        if not self.regions.last_vector_id():
            return None
        key = f"{self.space.token}/regions"
        if key not in self._cache.indexes:
            self._cache.indexes[key] = open_index(self.store.region_folder(self.space), self.space.dim)
        return self._with_newest(self._indexed(self._cache.indexes[key], self.regions, "image"), self.regions, "image")

    def region_owners(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows of windows, vector ids of their pictures), both (N,) int64, rows ascending; some may be deleted by now."""
        rows, token = self.regions, self.space.token
        last = rows.last_vector_id()
        if token not in self._cache.owners or self._cache.owners[token][0] != last:
            self._cache.owners[token] = (last, *rows.owners(self.space))
        return self._cache.owners[token][1:]

    def vectors(self, kind: Kind) -> Vectors:
        """All vectors of a kind: those of the index, and those that the database has beyond it."""
        indexed = self._indexed(self.index, self.store, kind)
        if indexed.behind > HEAL_ROWS and self._synchronise():
            indexed = self._indexed(self.index, self.store, kind)
        return self._with_newest(indexed, self.store, kind)

    def _with_newest(self, indexed: _Indexed, source: Source, kind: Kind) -> Vectors:
        """The rows of an index, and those that its source has beyond it."""
        newest = None
        if indexed.behind:
            newest = ArrayView.from_rows(source.vectors_after(indexed.last_id, self.space), kind, self.space.dim)
        return Vectors(indexed.view, newest if newest is not None and len(newest.ids) else None, indexed.generation)

    def _indexed(self, index: VectorIndex, source: Source, kind: Kind) -> _Indexed:
        """The rows of a kind in an index; none, where it is damaged or ahead of its source."""
        state = index.state()
        last = source.last_vector_id()  # read after the state: a writer that commits in between leaves the index behind
        view = index.view(kind, state) if state.last_id <= last else None
        if view is None:
            return _Indexed(ArrayView.from_rows((), kind, self.space.dim), 0, state.generation, last)
        return _Indexed(view, state.last_id, state.generation, last - state.last_id)

    def _synchronise(self) -> bool:
        """Brings the index up to the database. False where somebody else is writing or the disk is read-only: answers are right
        all the same, only slower."""
        from seesay.library.vectors.sync import sync

        try:
            with self.writing():
                sync(self.index, self.store, self.space)
        except LibraryError:
            return False
        return True

    def phrase_statistics(self, vectors: Vectors) -> PhraseStatistics:
        """How these vectors of pictures (`vectors("image")`) compare with the neutral phrases."""
        background = self._background(vectors)
        count = len(vectors.indexed.ids)
        hubs, spreads = background.hubs[:count], background.spreads[:count]
        if vectors.newest is not None:
            more_hubs, more_spreads = measure(vectors.newest.vectors @ read_or_encode_phrases(self.model).T)
            hubs, spreads = np.concatenate([hubs, more_hubs]), np.concatenate([spreads, more_spreads])
        return PhraseStatistics(hubs, spreads, background.nulls)

    def save_background(self) -> None:
        """Writes what searches would else compute each time; `nearest` again where too many pictures were deleted."""
        if self.model.config.text is None:  # no phrase can be encoded: its pictures are searched by pictures alone
            return
        vectors = self.vectors("image")
        background = self._background(vectors)
        live = self.store.live(vectors.indexed.ids)
        if background.stale(int(live.sum())):
            rows = vectors.indexed.read(0, len(live))
            background = background.without(rows, live, read_or_encode_phrases(self.model), search_spec(self.model))
        stored = Background.read(self._background_file)
        if stored is None or not stored.same(background):
            background.write(self._background_file)
        self._cache.backgrounds[self.space.token] = (file_state(self._background_file), background)

    def _background(self, vectors: Vectors) -> Background:
        """The measurements of the index's rows: cached or stored ones, with the rows behind them added."""
        state, rows = file_state(self._background_file), len(vectors.indexed.ids)
        read_at, background = self._cache.backgrounds.get(self.space.token, (None, None))
        if background is None or read_at != state or not background.is_prefix(vectors.generation, rows):
            background = Background.read(self._background_file)
            if background is None or not background.is_prefix(vectors.generation, rows):
                background = Background.empty(vectors.generation, len(neutral_phrases()))
        if (measured := len(background.hubs)) < rows:
            more = vectors.indexed.read(measured, rows)
            background = background.extended(more, read_or_encode_phrases(self.model), search_spec(self.model))
        self._cache.backgrounds[self.space.token] = (state, background)
        return background

    @property
    def _background_file(self) -> Path:
        files, token = self._cache.background_files, self.space.token
        if token not in files:  # its name has a checksum of the model's settings
            key = phrase_key(search_spec(self.model))
            files[token] = self.store.vector_folder(self.space) / f"background-{key}.npz"
        return files[token]
