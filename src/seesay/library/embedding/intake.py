"""Takes vectors that were made elsewhere into a library (`take`): nothing is encoded, and every file is checked."""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from seesay.errors import InputError, SpaceMismatch, UnreadableImage, UnreadableText
from seesay.images.decoding.formats import READER, is_read
from seesay.images.metadata import Metadata
from seesay.images.read import read_bytes
from seesay.library.embedding.candidate import Candidate, candidates, count_rows
from seesay.library.embedding.table import Origin, read_origin
from seesay.library.indexing.crawl import CrawledFile, is_text_list, stat
from seesay.library.indexing.indexer import check_excluded, check_paths, plan_targets
from seesay.library.indexing.report import Failure
from seesay.library.indexing.texts import parse_texts
from seesay.library.storage.rows import Space
from seesay.library.storage.store import Store
from seesay.library.vectors import open_index
from seesay.library.vectors.choice import VectorChoice
from seesay.library.vectors.index import VectorIndex
from seesay.library.vectors.sync import compact, sync
from seesay.system.cpu import available_cores
from seesay.system.paths import below, printable
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress

SYNC_TABLES = 16  # of 1024 rows each
BUILDS = 1000  # vectors of a library whose build is looked at
HASHED_AHEAD = 16


@dataclass
class ImportReport:
    """Counts of rows after an import.

    taken: pictures whose files are now in the library with a vector from here. known: they were already. texts: lines taken, or
    known. changed: pictures whose bytes, or lines whose words, are not those that were embedded; missing: that have no file;
    both left out, by path. outside: rows of no folder (URLs, archives, texts by themselves), left out. failed: rows, or lists,
    that cannot be used, with the reason.
    """

    taken: int = 0
    known: int = 0
    texts: int = 0
    outside: int = 0
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _List:
    """A list of texts whose lines are taken: its content in the database, and what its lines say."""

    content: int
    file: CrawledFile
    lines: dict[int, str]


def take(
    store: Store, files: Sequence[Path], root: str | None = None, *, mixed: bool = False, progress: Progress | None = None
) -> ImportReport:
    """Takes the rows of Parquet files of `seesay embed` into the library. Only for the holder of the lock.

    root: the folder that the pictures lie in now, if it is another than when they were embedded. mixed: also vectors of another
    space or build than the library's, or than the first file's. Killed, it goes on at the next call. Raises InputError,
    MissingExtra, SpaceMismatch before anything is changed; InputError for a damaged file when it is reached.
    """
    started = time.monotonic()
    origins = {file: read_origin(file) for file in dict.fromkeys(files)}
    for file, origin in origins.items():
        _check(store, file, origin, next(iter(origins.values())), mixed)
    roots = {file: _roots(file, origin, root) for file, origin in origins.items()}
    places = [root] if root is not None else list(dict.fromkeys(each for some in roots.values() for each in some))
    check_paths(places)
    check_excluded(store, places, [])
    with store.transaction():
        for place in places:
            store.include(place)
    targets = {target.root: target.root_id for target in plan_targets(store, places)} if places else {}
    report = ImportReport()
    total, done = sum(map(count_rows, origins)), 0
    intake = _Intake(store, targets, report)
    try:
        for file, origin in origins.items():
            intake.begin(origin)
            for number, part in enumerate(candidates(file, origin, root, roots[file]), start=1):
                intake.add(part.rows)
                report.failed += part.failed
                report.outside += part.outside
                done += part.read
                if number % SYNC_TABLES == 0:
                    intake.sync()
                if progress is not None:
                    progress(done, total)
    finally:  # also on Ctrl-C
        intake.finish()
    report.seconds = time.monotonic() - started
    return report


def _check(store: Store, file: Path, origin: Origin, first: Origin, mixed: bool) -> None:
    """Raises where vectors of this origin do not belong with those of the library, or of the first file."""
    shown = printable(file)
    if origin.reader > READER:
        raise InputError(f"{shown} was written by a newer SeeSay; import it with that, or a newer one")
    same_space = next((space for space in store.spaces() if space.space_id == origin.space_id), None)
    if same_space is not None and same_space.dim != origin.dim:
        raise InputError(f"{shown}: expected vectors of {same_space.dim} dimensions as in the library, got {origin.dim}")
    if mixed:
        return
    others = [f"{space.model!r} (space {space.space_id[:8]})" for space in store.spaces()]
    if origin.space_id != first.space_id or (others and same_space is None):
        held = ", ".join(others) or f"{first.model!r} (space {first.space_id[:8]})"
        raise SpaceMismatch(
            f"{shown} has vectors of {origin.model!r} (space {origin.space_id[:8]}), which cannot be compared with those of "
            f"{held}. Import it into another --library, or side by side with --mixed"
        )
    builds = {first.build_id} | (set() if same_space is None else store.builds(same_space, BUILDS))
    if builds != {origin.build_id}:
        held = ", ".join(sorted(builds - {origin.build_id}))
        raise InputError(
            f"{shown} was made by {origin.build_id}, the library or the first file by {held}: the same space, with vectors "
            "that differ a little. To take it all the same: --mixed"
        )


def _roots(file: Path, origin: Origin, root: str | None) -> tuple[str, ...]:
    """The folders, single pictures and lists that a file's rows are from, as they were called when it was made."""
    if root is not None:
        if len(origin.roots) > 1:
            listed = ", ".join(map(printable, origin.roots))
            raise InputError(f"{printable(file)} was made of {listed}; --root can stand for one folder only")
        return origin.roots
    for each in origin.roots:
        if not os.path.lexists(each):
            raise InputError(
                f"{printable(file)} was made of {printable(each)}, which is not here. Name the folder that the pictures lie in "
                "now with --root"
            )
    return origin.roots


class _Intake:
    """Rows on their way into the database."""

    def __init__(self, store: Store, targets: dict[str, int], report: ImportReport) -> None:
        self._store, self._targets, self._report = store, targets, report
        self._excluded = store.excluded()
        self._last_content = store.last_content()
        self._lists: dict[tuple[Space, str], _List | None] = {}
        self._origin: Origin
        self._space: Space

    def begin(self, origin: Origin) -> None:
        """The rows from now on are of this origin."""
        self._origin = origin
        self._space = self._store.ensure_space(origin.space_id, origin.dim, origin.model)
        self._index = self._open(self._space)

    def add(self, rows: Sequence[Candidate]) -> None:
        """Stores rows in one transaction."""
        pictures = [(row, file) for row in rows if row.facts["text"] is None and (file := self._file(row)) is not None]
        same = self._same(pictures)
        with self._store.transaction():
            for (row, file), is_same in zip(pictures, same, strict=True):
                if is_same:
                    self._put_picture(row, file)
                else:
                    self._report.changed.append(row.path)
            for row in rows:
                if row.facts["text"] is not None:
                    self._put_text(row)

    def sync(self) -> None:
        """Brings the index of vectors up to the database."""
        sync(self._index, self._store, self._space)

    def finish(self) -> None:
        """Gives complete lists of texts their file, and removes what replaced pictures leave behind."""
        with self._store.transaction():
            for (space, path), texts in self._lists.items():
                if texts is not None:
                    self._finish_list(space, path, texts)
            self._store.remove_orphans("image")  # a list of which lines are missing has no file yet: an index run continues it
        for space in self._store.spaces():
            index = self._open(space)
            sync(index, self._store, space)
            compact(index, self._store, space)

    def _open(self, space: Space) -> VectorIndex:
        return open_index(self._store.vector_folder(space), space.dim, VectorChoice.read(self._store.folder))

    def _file(self, row: Candidate) -> CrawledFile | None:
        """The row's file as it is now, with its path below its root; None, and reported, where there is none to take."""
        target = self._target(row.path)
        if target is None or any(below(row.path, each) is not None for each in self._excluded):
            self._report.outside += 1
            return None
        if not is_read(os.path.splitext(row.path)[1].lower()):
            self._report.failed.append(Failure(row.path, "is not a picture by its name"))
            return None
        file = stat(target, below(row.path, target) or "")
        if file is None:
            self._report.missing.append(row.path)
        return file

    def _target(self, path: str) -> str | None:
        return next((root for root in self._targets if below(path, root) is not None), None)

    def _same(self, pictures: Sequence[tuple[Candidate, CrawledFile]]) -> list[bool]:
        """Whether each file has the bytes that were embedded: by size and time, else by its hash."""

        def matches(each: tuple[Candidate, CrawledFile]) -> bool:
            row, file = each
            if row.facts["size"] != file.size:
                return False
            if row.facts["mtime_ns"] == file.mtime_ns:
                return True
            with suppress(UnreadableImage):
                digest = hashlib.sha256(read_bytes(Path(row.path), row.path)).digest()
                return digest == bytes(row.facts["hash"])
            return False

        doubtful = [
            at
            for at, (row, file) in enumerate(pictures)
            if row.facts["size"] == file.size and row.facts["mtime_ns"] != file.mtime_ns
        ]
        if not doubtful:
            return [matches(each) for each in pictures]
        return list(prefetch(matches, pictures, threads=available_cores(), ahead=HASHED_AHEAD))

    def _put_picture(self, row: Candidate, file: CrawledFile) -> None:
        store, facts, root = self._store, row.facts, self._targets[self._target(row.path) or ""]
        held = store.held(root, file.path, self._space)
        if held == (file.size, file.mtime_ns, facts["hash"]):
            self._report.known += 1
            return
        about = Metadata(
            taken_at=facts["taken_at"], camera=facts["camera"], latitude=facts["latitude"], longitude=facts["longitude"]
        )
        sides = facts["width"], facts["height"]
        content = store.put_content(
            facts["hash"], "image", *sides, about, facts["waves"], bool(facts["recolored"]), reader=self._origin.reader
        )
        store.put_vector(store.put_item(content), self._space, self._origin.build_id, row.vector)
        if content > self._last_content:
            store.carry_tags(root, file.path, content)
        store.put_file(root, file.path, file.size, file.mtime_ns, content)
        self._report.taken += 1

    def _put_text(self, row: Candidate) -> None:
        line, text = row.facts["line"], row.facts["text"]
        texts = self._list(row.path)
        if texts is None:
            return
        if texts.lines.get(line) != text:
            self._report.changed.append(f"{row.path}:{line}")
            return
        item = self._store.put_item(texts.content, line=line, text=text)
        self._store.put_vector(item, self._space, self._origin.build_id, row.vector)
        self._report.texts += 1

    def _list(self, path: str) -> _List | None:
        """A list of texts, read once; None, and reported once, where it cannot be."""
        key = self._space, path
        if key not in self._lists:
            self._lists[key] = self._read_list(path)
        return self._lists[key]

    def _read_list(self, path: str) -> _List | None:
        target = self._target(path)
        file = stat(target, below(path, target) or "") if target is not None and is_text_list(path) else None
        if file is None:
            self._report.missing.append(path)
            return None
        try:
            data = read_bytes(Path(path), printable(path))
            lines = dict(parse_texts(data, path))
        except (UnreadableImage, UnreadableText) as fault:
            self._report.failed.append(Failure(path, getattr(fault, "reason", str(fault))))
            return None
        return _List(self._store.put_content(hashlib.sha256(data).digest(), "text"), file, lines)

    def _finish_list(self, space: Space, path: str, texts: _List) -> None:
        have = self._store.count_items(texts.content, space)
        if have == len(texts.lines):
            root = self._targets[self._target(path) or ""]
            self._store.put_file(root, texts.file.path, texts.file.size, texts.file.mtime_ns, texts.content)
        else:
            lacking = len(texts.lines) - have
            self._report.failed.append(Failure(path, f"{lacking} of its {len(texts.lines)} lines are not here; index it"))
