"""One index run: finds changed files, decodes ahead in threads, encodes in batches and commits often.

A picture's row and its vector are written in one transaction, so a killed run loses the uncommitted batch and nothing else,
and the next run does only the rest.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seesay.errors import InputError, UnreadableImage, UnreadableText
from seesay.images.decoding.decode import MAX_BYTES
from seesay.images.decoding.formats import ADVICE, READER, is_read, passed_over
from seesay.images.read import read_bytes
from seesay.library.indexing.crawl import TEXT_SUFFIXES, Crawl, CrawledFile, is_text_list, stat
from seesay.library.indexing.facts import DecodedFacts, decode
from seesay.library.indexing.regions import index_regions
from seesay.library.indexing.report import Failure, IndexReport
from seesay.library.indexing.texts import parse_texts
from seesay.library.session import Session
from seesay.library.storage.rows import FileRecord, Space
from seesay.library.storage.store import Store
from seesay.library.vectors import open_index
from seesay.library.vectors.choice import VectorChoice
from seesay.library.vectors.sync import compact, sync
from seesay.model import IMAGE_BATCH, Model
from seesay.system.cpu import available_cores
from seesay.system.paths import below, join, printable
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress

COMMIT_ROWS = 64
COMMIT_SECONDS = 2.0
TEXT_ROWS = 1024


@dataclass(frozen=True)
class Target:
    """A part of one root to bring up to date. `start` is a path below the root; '' is all of it."""

    root_id: int
    root: str
    start: str


@dataclass(frozen=True)
class Job:
    """A file to read."""

    target: Target
    file: CrawledFile

    @property
    def path(self) -> str:
        """The absolute path."""
        return join(self.target.root, self.file.path)


@dataclass
class Prepared:
    """A job after its thread is done with it: a failure, a content that is stored already, or pixels to encode."""

    job: Job
    digest: bytes = b""
    facts: DecodedFacts | None = None
    pixels: np.ndarray | None = None
    data: bytes = b""  # of a list of texts
    fault: UnreadableImage | None = None
    read_seconds: float = 0.0
    decode_seconds: float = 0.0

    def as_copy(self) -> "Prepared":
        """Drops facts and pixels: the content is stored before this file is."""
        self.facts = self.pixels = None
        return self


class Indexer:
    """One run over targets. Only for the holder of the library's lock."""

    def __init__(self, store: Store, model: Model, progress: Progress | None = None) -> None:
        self.store, self.model = store, model
        self.progress = progress or (lambda done, total: None)
        self.report = IndexReport()
        self.space: Space = store.ensure_space(model.space_id, model.dim, model.name)
        self.vectors = open_index(store.vector_folder(self.space), self.space.dim, VectorChoice.read(store.folder))
        self._excluded = frozenset(store.excluded())
        self._ready = store.ready_hashes(self.space)
        self._last_content = store.last_content()
        self._batch: dict[bytes, list[Prepared]] = {}  # by content, the first with pixels
        self._encoded: list[tuple[Prepared, bytes | None]] = []  # awaiting commit
        self._faults: list[Prepared] = []
        self._committed_at = time.monotonic()
        self._seconds = dict.fromkeys(("read", "decode", "encode", "store"), 0.0)

    def run(self, targets: list[Target]) -> IndexReport:
        """Brings the targets up to date and reports."""
        started = time.monotonic()
        self._sync()
        jobs: list[Job] = []
        deleted: list[int] = []
        planned: set[tuple[int, str]] = set()
        for target in targets:
            more_jobs, more_deleted = self._plan(target, planned)
            jobs += more_jobs
            deleted += more_deleted
        try:
            self._work(jobs)
        finally:  # also on Ctrl-C: encoded vectors are kept, and replaced pictures are not found any more
            self._commit()
            with self.store.transaction():
                self.store.remove_orphans("image")  # a half-read list of texts has no file yet: the next run continues it
        with self.store.transaction():
            self.store.remove_files(deleted)
            self.store.remove_orphans()
        self.report.removed = len(deleted)
        compact(self.vectors, self.store, self.space)
        self.report.seconds = time.monotonic() - started
        self.report.stages = {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}
        return self.report

    # Planning

    def _plan(self, target: Target, planned: set[tuple[int, str]]) -> tuple[list[Job], list[int]]:
        """(files to read, ids of deleted files). planned: files of earlier targets, by root and path; extended here."""
        records = self.store.file_records(target.root_id, target.start, self.space)
        if records and _is_unmounted(target.root):
            self.report.missing.append(target.root)
            return [], []
        crawl = Crawl(target.root, target.start, self._excluded)
        jobs, seen = [], set()
        for file in self._files(target, crawl, records):
            seen.add(file.path)
            if (target.root_id, file.path) in planned:
                continue
            planned.add((target.root_id, file.path))
            if self._is_stale(target, file, records.get(file.path)):
                jobs.append(Job(target, file))
        self.report.failed += crawl.blind
        self.report.skipped.update(crawl.by_kind())
        with self.store.transaction():
            self.store.put_skipped(target.root_id, target.start, crawl.skipped)
        deleted = [record.id for path, record in records.items() if path not in seen and crawl.covers(path)]
        return jobs, deleted

    def _files(self, target: Target, crawl: Crawl, records: dict[str, FileRecord]) -> Iterator[CrawledFile]:
        single = stat(target.root, target.start)
        if single is not None:
            yield single
            return
        yield from crawl
        for path, record in records.items():  # lists of texts are indexed when named, and kept up to date from then on
            if (record.kind == "text" or is_text_list(path)) and (file := stat(target.root, path)):
                yield file

    def _is_stale(self, target: Target, file: CrawledFile, record: FileRecord | None) -> bool:
        """Whether a file has to be read; counts it in the report if not."""
        if record is None or (record.size, record.mtime_ns) != (file.size, file.mtime_ns):
            return True
        if record.kind != "text" and record.reader < READER:
            return True
        if record.reason is not None:
            if not record.transient:
                self.report.failed.append(Failure(join(target.root, file.path), record.reason, known=True))
            return record.transient
        self.report.unchanged += record.ready
        return not record.ready

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
            elif self._has_same_pixels(prepared):
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
                prepared.pixels, prepared.facts = decode(data, self.model, name)
                prepared.decode_seconds = time.monotonic() - started - prepared.read_seconds
            return prepared
        except UnreadableImage as fault:
            return Prepared(job, fault=fault)
        except MemoryError:
            return Prepared(job, fault=UnreadableImage(name, "does not fit into memory", transient=True))
        except Exception as fault:  # no single picture may end the run for all others
            return Prepared(job, fault=UnreadableImage(name, f"cannot be read ({type(fault).__name__}: {fault})"))

    def _has_same_pixels(self, prepared: Prepared) -> bool:
        """Whether a picture that an older reader read keeps its vector, since its pixels are the same as then."""
        facts = prepared.facts
        if facts is None or facts.recolored:
            return False
        return self.store.has_vector_of_pixels(prepared.digest, facts.waves, self.space)

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
            self._ready.add(digest)  # for the threads: copies that they read from now on are stored after it
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
            self._sync()
        self._committed_at = time.monotonic()
        self._seconds["store"] += time.monotonic() - started

    def _store_picture(self, prepared: Prepared, vector: bytes | None) -> None:
        store, file = self.store, prepared.job.file
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
        # A new content in place of another is an edited picture, which keeps its tags.
        if content is not None and content > self._last_content:
            store.carry_tags(prepared.job.target.root_id, file.path, content)
        store.put_file(prepared.job.target.root_id, file.path, file.size, file.mtime_ns, content)

    def _store_fault(self, prepared: Prepared) -> None:
        fault, file = prepared.fault, prepared.job.file
        assert fault is not None
        repeated = self.store.put_failure(
            prepared.job.target.root_id, file.path, file.size, file.mtime_ns, fault.reason, fault.transient
        )
        self.report.failed.append(Failure(prepared.job.path, fault.reason, repeated))

    def _index_texts(self, prepared: Prepared) -> None:
        """Indexes a list of texts: its lines in parts, and its file last, so that a search never shows half a list."""
        file = prepared.job.file
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
            self.store.put_file(prepared.job.target.root_id, file.path, file.size, file.mtime_ns, content)
        self.report.texts += len(texts)
        self._sync()

    def _store_texts(self, content: int, rows: list[tuple[int, str]]) -> None:
        encoded = self.store.text_vectors([text for _, text in rows], self.space)
        new = list(dict.fromkeys(text for _, text in rows if text not in encoded))
        if new:
            started = time.monotonic()
            vectors = self.model.encode_text(new)
            build = self.model.build_id
            encoded |= {text: (build, vector.astype("<f4").tobytes()) for text, vector in zip(new, vectors, strict=True)}
            self._seconds["encode"] += time.monotonic() - started
        with self.store.transaction():
            for line, text in rows:
                item = self.store.put_item(content, line=line, text=text)
                self.store.put_vector(item, self.space, *encoded[text])

    def _sync(self) -> None:
        sync(self.vectors, self.store, self.space)


def index(
    session: Session, include: list[str], exclude: list[str], progress: Progress | None = None, *, regions: bool = False
) -> IndexReport:
    """Indexes absolute paths that `check_paths` accepts, or all roots where there are none. Only for the holder of the lock.

    regions: also windows of the pictures there. exclude: absolute paths to forget and skip from now on. Raises InputError where
    both contradict each other.
    """
    store, model = session.store, session.model
    check_excluded(store, include, exclude)
    with store.transaction():
        for path in include:
            store.include(path)
        excluded = sum(store.exclude(path) for path in exclude)
        if excluded:  # not otherwise: that would remove a half-read list of texts, which the run continues
            store.remove_orphans()
    roots = [Target(root, path, "") for path, root in store.roots().items()]
    targets = plan_targets(store, include) if include else roots
    report = Indexer(store, model.sharing().with_decode("fast"), progress).run(targets)
    report.removed += excluded
    session.save_background()
    session.index.build(progress)
    if regions:
        contents = {int(content) for path in include or list(store.roots()) for content in store.contents_under(path)}
        windows = model.sharing().with_decode("fast")
        report.regions = index_regions(store, windows, session.space, sorted(contents), progress)
    return report


def _is_unmounted(root: str) -> bool:
    """Whether a root is missing or empty, as a disk is that is not mounted. Then nothing of it is forgotten."""
    try:
        return not os.path.isfile(root) and not os.listdir(root)
    except OSError:
        return True


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
    """Raises InputError where a path to index is inside a path to exclude, or inside one that is excluded already."""
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
    """Absolute paths that `check_paths` accepts -> targets. Roots inside a new one become part of it."""
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
    """Drops targets inside another one of the same root, except lists of texts, which folders do not include."""
    unique: list[Target] = []
    for target in sorted(targets, key=lambda t: len(t.start)):
        inside = any(target.root_id == t.root_id and (not t.start or below(target.start, t.start) is not None) for t in unique)
        listed = is_text_list(target.start) and os.path.isfile(join(target.root, target.start))
        if not inside or (listed and target not in unique):
            unique.append(target)
    return unique
