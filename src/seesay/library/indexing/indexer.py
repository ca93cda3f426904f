"""One index run: find what changed, decode ahead in threads, encode in batches, commit often.

A picture's row and its vector are written in one transaction, so a killed run loses the uncommitted batch and nothing else,
and the next run does only the rest.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seesay.errors import InputError, UnreadableImage, UnreadableText
from seesay.images.decoding.decode import MAX_BYTES
from seesay.images.decoding.formats import ADVICE, READER, is_read, passed_over
from seesay.images.metadata import Metadata
from seesay.images.phash import waves
from seesay.images.preprocess import load_pixels
from seesay.images.read import read_bytes
from seesay.library.indexing.crawl import TEXT_SUFFIXES, Crawl, Found, is_text_list, stat
from seesay.library.indexing.report import Failure, IndexReport
from seesay.library.indexing.texts import parse_texts
from seesay.library.storage.reads import Space
from seesay.library.storage.store import Known, Store
from seesay.model import IMAGE_BATCH, Model
from seesay.system.cpu import available_cores
from seesay.system.paths import below, join, printable
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress

COMMIT_ROWS = 64
COMMIT_SECONDS = 2.0
TEXT_ROWS = 1024
SMALL_MATRIX = 1000  # below this many rows tombstones do not matter

# called with (files done, files to do)


@dataclass(frozen=True)
class Target:
    """What to bring up to date: a part of one root. `start` is below the root; '' is all of it."""

    root_id: int
    root: str
    start: str


@dataclass(frozen=True)
class Job:
    target: Target
    found: Found

    @property
    def path(self) -> str:
        return join(self.target.root, self.found.path)


class Facts(NamedTuple):
    """What is kept of a decoded picture besides its vector."""

    width: int
    height: int
    metadata: Metadata
    waves: bytes
    note: str | None
    recolored: bool  # since its profile counts


@dataclass
class Prepared:
    """A job after its thread is done with it: a failure, a known content, or pixels to encode."""

    job: Job
    digest: bytes = b""
    facts: Facts | None = None
    pixels: np.ndarray | None = None
    data: bytes = b""  # of a list of texts
    fault: UnreadableImage | None = None
    read_seconds: float = 0.0
    decode_seconds: float = 0.0

    def as_copy(self) -> "Prepared":
        """Of a content that is stored when this file is: its facts and pixels are not needed any more."""
        self.facts = self.pixels = None
        return self


class Indexer:
    def __init__(self, store: Store, model: Model, progress: Progress | None = None) -> None:
        self.store, self.model = store, model
        self.progress = progress or (lambda done, total: None)
        self.report = IndexReport()
        self.space: Space = store.ensure_space(model.space_id, model.dim, model.name)
        self.matrix = store.matrix(self.space)
        self._excluded = frozenset(store.excluded())
        self._ready = store.ready_hashes(self.space)
        self._last_known = store.last_content()
        self._batch: dict[bytes, list[Prepared]] = {}  # by content, the first with pixels
        self._encoded: list[tuple[Prepared, bytes | None]] = []  # awaiting commit
        self._faults: list[Prepared] = []
        self._committed_at = time.monotonic()
        self._seconds = dict.fromkeys(("read", "decode", "encode", "store"), 0.0)

    def run(self, targets: list[Target]) -> IndexReport:
        started = time.monotonic()
        self._sync_matrix()
        jobs: list[Job] = []
        gone: list[int] = []
        planned: set[tuple[int, str]] = set()
        for target in targets:
            more, absent = self._plan(target, planned)
            jobs += more
            gone += absent
        try:
            self._work(jobs)
        finally:  # also on Ctrl-C: what is encoded is kept, and pictures that have been replaced are not found any more
            self._commit()
            with self.store.transaction():
                self.store.remove_orphans("image")  # a list of texts that is half read has no file yet: the next run goes on
        with self.store.transaction():
            self.store.remove_files(gone)
            self.store.remove_orphans()
        self.report.removed = len(gone)
        self._compact()
        self.report.seconds = time.monotonic() - started
        self.report.stages = {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}
        return self.report

    # What is there to do

    def _plan(self, target: Target, planned: set[tuple[int, str]]) -> tuple[list[Job], list[int]]:
        """(files to read, ids of files that are gone). planned: files of all targets that were looked at, by root and path."""
        known = self.store.known_files(target.root_id, target.start, self.space)
        if known and _unmounted(target.root):
            self.report.missing.append(target.root)
            return [], []
        crawl = Crawl(target.root, target.start, self._excluded)
        jobs, seen = [], set()
        for found in self._candidates(target, crawl, known):
            seen.add(found.path)
            if (target.root_id, found.path) in planned:
                continue
            planned.add((target.root_id, found.path))
            if self._stale(target, found, known.get(found.path)):
                jobs.append(Job(target, found))
        self.report.failed += crawl.blind
        self.report.skipped.update(crawl.by_kind())
        with self.store.transaction():
            self.store.put_skipped(target.root_id, target.start, crawl.skipped)
        gone = [file.id for path, file in known.items() if path not in seen and crawl.saw(path)]
        return jobs, gone

    def _candidates(self, target: Target, crawl: Crawl, known: dict[str, Known]) -> Iterator[Found]:
        one = stat(target.root, target.start)
        if one is not None:  # a single file
            yield one
            return
        yield from crawl
        for path, file in known.items():  # lists of texts are indexed when named, and kept up to date from then on
            if (file.kind == "text" or is_text_list(path)) and (found := stat(target.root, path)):
                yield found

    def _stale(self, target: Target, found: Found, known: Known | None) -> bool:
        if known is None or (known.size, known.mtime_ns) != (found.size, found.mtime_ns):
            return True
        if known.kind != "text" and known.reader < READER:
            return True
        if known.reason is not None:
            if not known.transient:
                self.report.failed.append(Failure(join(target.root, found.path), known.reason, known=True))
            return known.transient
        self.report.unchanged += known.ready
        return not known.ready

    # Reading and encoding

    def _work(self, jobs: list[Job]) -> None:
        if not all(is_text_list(job.path) for job in jobs):
            _ = self.model.image_spec  # a model of texts only says so once, and not of every picture
        self.progress(0, len(jobs))
        for done, prepared in enumerate(
            prefetch(self._prepare, jobs, threads=available_cores(), ahead=2 * IMAGE_BATCH), start=1
        ):
            self._seconds["read"] += prepared.read_seconds
            self._seconds["decode"] += prepared.decode_seconds
            if prepared.fault is not None:
                self._faults.append(prepared)
            elif prepared.data:
                self._index_texts(prepared)
            elif prepared.pixels is None or prepared.digest in self._ready:  # by now: a copy of one just encoded
                self._encoded.append((prepared.as_copy(), None))
            elif self._looks_the_same(prepared):
                prepared.pixels = None
                self._encoded.append((prepared, None))
            else:
                self._batch.setdefault(prepared.digest, []).append(prepared)
            if sum(map(len, self._batch.values())) == IMAGE_BATCH:
                self._encode()
            waiting = len(self._encoded) + len(self._faults)
            if waiting >= COMMIT_ROWS or (waiting and time.monotonic() - self._committed_at >= COMMIT_SECONDS):
                self._commit()
            self.progress(done, len(jobs))
        self._encode()

    def _prepare(self, job: Job) -> Prepared:
        """Runs in a thread: bytes, hash, and pixels where the content is new."""
        name = printable(job.path)
        started = time.monotonic()
        try:
            data = read_bytes(Path(job.path), name)
            prepared = Prepared(job, hashlib.sha256(data).digest())
            prepared.read_seconds = time.monotonic() - started
            if is_text_list(job.path):
                prepared.data = data
            elif prepared.digest not in self._ready:
                self._decode(prepared, data, name)
                prepared.decode_seconds = time.monotonic() - started - prepared.read_seconds
            return prepared
        except UnreadableImage as fault:
            return Prepared(job, fault=fault)
        except MemoryError:
            return Prepared(job, fault=UnreadableImage(name, "does not fit into memory", transient=True))
        except Exception as fault:  # whatever one picture brings about must not end the run for all others
            return Prepared(job, fault=UnreadableImage(name, f"cannot be read ({type(fault).__name__}: {fault})"))

    def _decode(self, prepared: Prepared, data: bytes, name: str) -> None:
        prepared.pixels, picture = load_pixels(data, self.model.image_spec, decode=self.model.decode, name=name)
        layout = waves(picture.image).astype("<f4").tobytes()
        prepared.facts = Facts(
            picture.width, picture.height, picture.metadata, layout, picture.note, picture.profile is not None
        )

    def _looks_the_same(self, prepared: Prepared) -> bool:
        """Whether a picture that an older reader read has a vector already, since its pixels are the same as then."""
        facts = prepared.facts
        if facts is None or facts.recolored:
            return False
        return self.store.looks_the_same(prepared.digest, facts.waves, self.space)

    def _encode(self) -> None:
        if not self._batch:
            return
        started = time.monotonic()
        firsts = [same[0].pixels for same in self._batch.values()]
        vectors = self.model.encode_pixels(np.stack([pixels for pixels in firsts if pixels is not None]))
        for (digest, (first, *copies)), vector in zip(self._batch.items(), vectors, strict=True):
            first.pixels = None
            self._encoded.append((first, vector.astype("<f4").tobytes()))
            self._encoded += [(copy.as_copy(), None) for copy in copies]
            self._ready.add(digest)  # for the threads: what they read from now on comes behind it
        self._batch.clear()
        self._seconds["encode"] += time.monotonic() - started

    # Storing

    def _commit(self) -> None:
        started = time.monotonic()
        if self._encoded or self._faults:
            with self.store.transaction():
                for prepared, vector in self._encoded:
                    self._store_picture(prepared, vector)
                for prepared in self._faults:
                    self._store_fault(prepared)
            self._encoded.clear()
            self._faults.clear()
            self._sync_matrix()
        self._committed_at = time.monotonic()
        self._seconds["store"] += time.monotonic() - started

    def _store_picture(self, prepared: Prepared, vector: bytes | None) -> None:
        store, found = self.store, prepared.job.found
        if (facts := prepared.facts) is None:
            content = store.content(prepared.digest)
            self.report.reused += 1
        else:
            content = store.put_content(
                prepared.digest, "image", facts.width, facts.height, facts.metadata, facts.waves, facts.recolored
            )
            if vector is None:
                self._ready.add(prepared.digest)
                self.report.reread += 1
            else:
                store.put_vector(store.put_item(content), self.space, self.model.build_id, vector)
                self.report.encoded += 1
            if facts.note is not None:
                self.report.noted.append(Failure(prepared.job.path, facts.note))
        # Edited, not renamed over another: what was said of it stays.
        if content is not None and content > self._last_known:
            store.carry_tags(prepared.job.target.root_id, found.path, content)
        store.put_file(prepared.job.target.root_id, found.path, found.size, found.mtime_ns, content)

    def _store_fault(self, prepared: Prepared) -> None:
        fault, found = prepared.fault, prepared.job.found
        assert fault is not None
        known = self.store.put_failure(
            prepared.job.target.root_id, found.path, found.size, found.mtime_ns, fault.reason, fault.transient
        )
        self.report.failed.append(Failure(prepared.job.path, fault.reason, known))

    def _index_texts(self, prepared: Prepared) -> None:
        """A list of texts: its lines are stored in parts, and its file last, so that search never shows half a list."""
        found = prepared.job.found
        try:
            texts = parse_texts(prepared.data, os.path.basename(printable(prepared.job.path)))
        except UnreadableText as error:
            prepared.fault = UnreadableImage(printable(prepared.job.path), str(error))
            self._faults.append(prepared)
            return
        prepared.data = b""
        with self.store.transaction():
            content = self.store.put_content(prepared.digest, "text")
        for start in range(0, len(texts), TEXT_ROWS):
            self._store_texts(content, texts[start : start + TEXT_ROWS])
        with self.store.transaction():
            self.store.put_file(prepared.job.target.root_id, found.path, found.size, found.mtime_ns, content)
        self.report.texts += len(texts)
        self._sync_matrix()

    def _store_texts(self, content: int, rows: list[tuple[int, str]]) -> None:
        known = self.store.text_vectors([text for _, text in rows], self.space)
        new = list(dict.fromkeys(text for _, text in rows if text not in known))
        if new:
            started = time.monotonic()
            vectors = self.model.encode_text(new)
            build = self.model.build_id
            known |= {text: (build, vector.astype("<f4").tobytes()) for text, vector in zip(new, vectors, strict=True)}
            self._seconds["encode"] += time.monotonic() - started
        with self.store.transaction():
            for line, text in rows:
                item = self.store.put_item(content, line=line, text=text)
                self.store.put_vector(item, self.space, *known[text])

    # The matrix

    def _sync_matrix(self) -> None:
        sync_matrix(self.store, self.space)

    def _compact(self) -> None:
        rows = sum(self.matrix.published().rows.values())
        live = sum(self.store.count_vectors(self.space).values())
        if rows > SMALL_MATRIX and live < 0.8 * rows:
            self.matrix.rebuild(self.store.vectors_after(0, self.space), self.store.last_vector_id())


def _unmounted(root: str) -> bool:
    """A disk that is not there looks like a folder that is gone or empty. Then nothing is deleted."""
    try:
        return not os.path.isfile(root) and not os.listdir(root)
    except OSError:
        return True


def sync_matrix(store: Store, space: Space) -> None:
    """Brings the matrix up to the database; only for the holder of the library's lock."""
    matrix, last = store.matrix(space), store.last_vector_id()
    state = matrix.published()
    if state.last_id == last:
        return
    try:
        if state.last_id > last:  # a database restored from a backup: its ids were given out anew
            raise FileNotFoundError
        matrix.extend(store.vectors_after(state.last_id, space), last)
    except FileNotFoundError:
        matrix.rebuild(store.vectors_after(0, space), last)


def check_paths(paths: list[str]) -> None:
    """Raises InputError for a path that cannot be indexed, before anything is made or changed for the others."""
    for path in paths:
        if not os.path.lexists(path):
            raise InputError(f"{printable(path)}: no such file or folder")
        if os.path.isfile(path) and os.path.getsize(path) > MAX_BYTES:
            raise InputError(f"{printable(path)} is larger than {MAX_BYTES // 2**20} MB; split it")
        suffix = os.path.splitext(path)[1].lower()
        if os.path.isfile(path) and not (is_read(suffix) or suffix in TEXT_SUFFIXES):
            kind = passed_over(suffix)
            if kind is not None:
                raise InputError(f"{printable(path)} is a {kind}, which is not read ({ADVICE[kind]})")
            raise InputError(f"{printable(path)} is neither a picture that SeeSay reads nor a .tsv, .csv or .txt list of texts")


def check_excluded(store: Store, paths: list[str], exclude: list[str]) -> None:
    """Raises InputError where what is to be indexed is to be left out too, or lies in a folder that is."""
    for path in paths:
        for folder in exclude:
            if below(path, folder) is not None:
                raise InputError(f"{printable(path)} lies in {printable(folder)}, which is to be excluded too")
        for folder in store.excluded():
            if below(path, folder):
                shown = printable(folder)
                raise InputError(
                    f"{printable(path)} lies in {shown}, which is excluded; to take that back: seesay index {shown}"
                )
    for path in exclude:
        if not os.path.lexists(path) and not len(store.contents_under(path, 1)):
            raise InputError(f"{printable(path)}: no such file or folder to exclude")


def plan_targets(store: Store, paths: list[str]) -> list[Target]:
    """Checked absolute paths of folders or files -> targets, with overlapping roots joined."""
    targets = []
    for path in paths:
        holder = next((root for root in store.roots() if below(path, root) is not None and os.path.isdir(root)), None)
        if holder is None:
            holder, inside = path, [root for root in store.roots() if below(root, path)]
            root_id = store.roots().get(path) or store.add_root(path)
            for root in inside:
                store.adopt(root_id, store.roots()[root], below(root, path) or "")
        targets.append(Target(store.roots()[holder], holder, below(path, holder) or ""))
    return _without_repeats(targets)


def _without_repeats(targets: list[Target]) -> list[Target]:
    """Drops a target that lies inside another of the same root, but for lists of texts, which folders do not bring."""
    kept: list[Target] = []
    for target in sorted(targets, key=lambda t: len(t.start)):
        inside = any(target.root_id == t.root_id and (not t.start or below(target.start, t.start) is not None) for t in kept)
        listed = is_text_list(target.start) and os.path.isfile(join(target.root, target.start))
        if not inside or (listed and target not in kept):
            kept.append(target)
    return kept
