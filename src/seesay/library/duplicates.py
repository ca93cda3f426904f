"""Finds pictures that a library has more than once, also resized, recompressed, turned or marked.

Two measures decide together: the perceptual hash, which compares layout and not content, and the cosine of the vectors, which
does the opposite. Their errors are in docs/benchmarks.md. Nothing is deleted: every group has a proposed keeper, and the user
decides about the rest. Whoever deletes that relies on the keeper, so a file counts only if it is unchanged since indexing.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seesay.errors import LibraryError, UnreadableImage
from seesay.images.phash import WAVES, bits, faint, turned, waves
from seesay.images.read import read
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.session import Session
from seesay.library.storage.links import by_age, on_disk
from seesay.library.storage.rows import PictureFile
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress

NEAR = 4  # hashes that differ in at most so many bits are one picture, whatever the cosine
# Otherwise the cosine has to reach the lower of two lines over the number of differing bits: (at 0 bits, more for every bit).
# The first is for hashes that are nearly equal. Chosen on the pairs of benchmarks/duplicates.py.
LINES = ((0.45, 0.055), (0.92, 0.003))
ROWS = 512  # pairs are compared in blocks of so many rows
COLUMNS = 8192  # and columns
ENOUGH_PX = 64  # the least decoded size that a hash needs
FORMATS = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}  # other names of one format


@dataclass(frozen=True)
class Copy:
    """A file of a group.

    id: its picture's. size: bytes. cosine, distance: of its vector, and of its hash (0 to 64 bits), to the keeper's; 1 and 0
    for the same bytes.
    """

    path: str
    width: int | None
    height: int | None
    size: int
    taken_at: str | None
    identical: bool
    cosine: float = 1.0
    distance: int = 0
    id: str = ""

    def to_json(self) -> dict[str, object]:
        """The documented form (docs/cli.md), without the id, which the path makes superfluous."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "id"}


@dataclass(frozen=True)
class Group:
    """A picture that the library has more than once.

    The keeper has the most pixels; then a known date; then the most bytes among files of one format; then it is the first by
    `links.by_age`, as in searches.
    """

    keeper: Copy
    others: tuple[Copy, ...]

    def to_json(self) -> dict[str, object]:
        """The documented form (docs/cli.md)."""
        return {"keeper": self.keeper.to_json(), "others": [other.to_json() for other in self.others]}


class Likeness(NamedTuple):
    """How alike two pictures are: the cosine of their vectors, and the bits in which their hashes differ."""

    cosine: float
    distance: int


SAME = Likeness(1.0, 0)


def one_picture(cosines: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Cosines and distances of pairs -> mask of the pairs that are one picture."""
    (first, steep), (second, flat) = LINES
    enough = np.minimum(first + steep * distances, second + flat * distances)
    return np.asarray((distances <= NEAR) | (cosines >= enough))


def find_duplicates(
    session: Session, *, filters: Filters = EVERYTHING, exact: bool = False, progress: Progress | None = None
) -> list[Group]:
    """Groups among the pictures that pass the filters, the largest first. exact: equal bytes only.

    All of a group are alike to one and the same of them, so a series of photos, each like the next, is no group. Hashes that
    are missing (of pictures that an older version indexed) are computed first, from their files. Raises InputError where the
    folder to filter by has no picture.
    """
    store = session.store
    session.require_space()
    store.require_pictures(filters.folder)
    selection = store.select(filters, session.space, "image")
    files = store.picture_files(selection.contents, filters)
    if exact:
        return _groups(files, {}, lambda a, b: SAME)
    vectors = session.vectors("image")
    ids = vectors.ids[np.isin(vectors.ids, selection.vectors, assume_unique=True)]
    contents = selection.contents[np.searchsorted(selection.vectors, ids)]
    hashes = _hashes(session, {content: files[content] for content in contents.tolist()}, progress)
    hashed = np.array([content in hashes for content in contents.tolist()], dtype=bool)
    contents, rows = contents[hashed], vectors.rows(ids[hashed])
    unrounded = np.array([np.frombuffer(hashes[content], "<f4") for content in contents.tolist()], dtype=np.float32)
    return _alike_groups(files, contents.tolist(), rows, unrounded.reshape(-1, WAVES, WAVES), progress)


def _alike_groups(
    files: Mapping[int, Sequence[PictureFile]],
    contents: Sequence[int],
    vectors: np.ndarray,
    hashes: np.ndarray,
    progress: Progress | None,
) -> list[Group]:
    """Groups of contents with vectors (N, D) and unrounded hashes (N, 8, 8)."""
    near: dict[int, set[int]] = {}
    for i, j in alike(vectors, hashes, progress):
        near.setdefault(contents[i], set()).add(contents[j])
        near.setdefault(contents[j], set()).add(contents[i])
    row = {content: number for number, content in enumerate(contents)}

    def likeness(a: int, b: int) -> Likeness:
        i, j = row[a], row[b]
        cosines, distances = _compared(vectors[[i]], hashes[[i]], vectors[[j]], _signs(hashes[[j]]))
        return Likeness(float(cosines[0, 0]), int(distances[0, 0]))

    return _groups(files, near, likeness)


def alike(vectors: np.ndarray, hashes: np.ndarray, progress: Progress | None = None) -> Iterator[tuple[int, int]]:
    """Vectors (N, D) at unit length and unrounded hashes (N, 8, 8) -> every pair i < j of rows that is one picture."""
    signs = _signs(hashes)
    for start in range(0, len(vectors), ROWS):
        own = slice(start, min(start + ROWS, len(vectors)))
        for first in range(start, len(vectors), COLUMNS):
            others = slice(first, first + COLUMNS)
            pairs = np.argwhere(one_picture(*_compared(vectors[own], hashes[own], vectors[others], signs[others])))
            yield from ((start + row, first + column) for row, column in pairs.tolist() if start + row < first + column)
        if progress is not None:
            progress(own.stop, len(vectors))


def _compared(vectors: np.ndarray, hashes: np.ndarray, others: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, D), (N, 8, 8) and (M, D), (M, 64) -> cosines (N, M), and differing bits (N, M): the fewest of eight orientations."""
    products = np.maximum.reduce([orientation @ signs.T for orientation in _signs(turned(hashes))])
    return vectors @ others.T, 32 - products / 2


def _signs(hashes: np.ndarray) -> np.ndarray:
    """(..., 64) float32, -1 or 1 per bit: the product of two is 64 - 2 * differing bits. 0 where a picture is uniform."""
    signs = np.where(bits(hashes), np.float32(1), np.float32(-1))
    return np.where(faint(hashes)[..., None], np.float32(0), signs)


def _hashes(session: Session, files: Mapping[int, Sequence[PictureFile]], progress: Progress | None) -> dict[int, bytes]:
    """The unrounded hashes of contents whose files can be read. New ones are stored if the library can be written to."""
    stored = session.store.waves()
    missing = {content: some[0].path for content, some in files.items() if content not in stored}
    new = _computed(missing, progress)
    try:
        if new:
            with session.writing() as store, store.transaction():
                for content, hashed in new.items():
                    store.put_waves(content, hashed)
    except LibraryError:  # another process is indexing, or the disk is read-only: they are computed again the next time
        pass
    return stored | new


def _computed(paths: Mapping[int, str], progress: Progress | None) -> dict[int, bytes]:
    """The unrounded hashes of files that can be read, by content."""

    def compute(content: int) -> tuple[int, bytes | None]:
        try:
            image = read(paths[content], decode="fast", enough_px=ENOUGH_PX).image
        except UnreadableImage:
            return content, None
        return content, waves(image).astype("<f4").tobytes()

    computed = {}
    for done, (content, hashed) in enumerate(prefetch(compute, paths, threads=available_cores(), ahead=32), start=1):
        if hashed is not None:
            computed[content] = hashed
        if progress is not None:
            progress(done, len(paths))
    return computed


def _groups(
    files: Mapping[int, Sequence[PictureFile]],
    near: Mapping[int, set[int]],
    likeness: Callable[[int, int], Likeness],
) -> list[Group]:
    """Groups of contents around those that have the most copies. near: contents that are one picture with each."""
    present = {content: _unchanged(some) for content, some in files.items() if len(some) > 1 or near.get(content)}
    best = {content: _keeper(some) for content, some in present.items() if some}
    alike_to = {content: near.get(content, set()) & best.keys() for content in best}
    groups, grouped = [], set[int]()
    for centre in sorted(best, key=lambda content: (-len(alike_to[content]), _rank(best[content]), best[content].path)):
        if centre in grouped:
            continue
        members = {centre} | (alike_to[centre] - grouped)
        grouped |= members
        keeper = _keeper(best[content] for content in members)
        keeping = next(content for content in members if best[content] == keeper)
        others = [_copy(file, identical=True) for file in present[keeping] if file != keeper]
        others += [_copy(file, likeness(keeping, other)) for other in members - {keeping} for file in present[other]]
        if others:
            others.sort(key=lambda copy: (not copy.identical, copy.distance, -copy.cosine, copy.path))
            groups.append(Group(_copy(keeper, identical=True), tuple(others)))
    return sorted(groups, key=lambda group: (-len(group.others), group.keeper.path))


def _unchanged(files: Sequence[PictureFile]) -> list[PictureFile]:
    """Files that are on disk as they were indexed; a file and links to it count once."""
    unchanged: dict[object, PictureFile] = {}
    for file in sorted(files, key=_age):
        try:
            status = os.stat(file.path)
        except OSError:
            continue
        if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            unchanged.setdefault(on_disk(file.path, status), file)
    return list(unchanged.values())


def _keeper(files: Iterable[PictureFile]) -> PictureFile:
    # More bytes mean less lossy compression, but only within a format: a PNG made of a JPEG is larger and shows no more.
    largest: dict[str, PictureFile] = {}
    for file in sorted(files, key=lambda file: (*_rank(file), -file.size, *_age(file))):
        suffix = os.path.splitext(file.path)[1].lower()
        largest.setdefault(FORMATS.get(suffix, suffix), file)
    return min(largest.values(), key=lambda file: (*_rank(file), *_age(file)))


def _rank(file: PictureFile) -> tuple[int, bool]:
    """A sort key, the keeper first. Edited and sent pictures often lose the date they were taken at, so an original has it."""
    return -(file.width or 0) * (file.height or 0), file.taken_at is None


def _age(file: PictureFile) -> tuple[bool, int, int, str]:
    return by_age(file.path, file.mtime_ns)


def _copy(file: PictureFile, likeness: Likeness = SAME, *, identical: bool = False) -> Copy:
    cosine, distance = round(likeness.cosine, 4), likeness.distance
    return Copy(file.path, file.width, file.height, file.size, file.taken_at, identical, cosine, distance, file.id)
