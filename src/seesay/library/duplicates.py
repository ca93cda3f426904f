"""Pictures that a library has more than once: the same bytes, or the same picture resized, recompressed, turned, marked.

Two measures together: the perceptual hash, which knows how a picture is laid out and nothing of what it shows, and the cosine
of the vectors, for which it is the other way round. What they find and what they mistake is in docs/benchmarks.md. Nothing is
deleted: every group has a proposed keeper, and the rest is for the user to decide on. Who deletes the rest relies on the
keeper, so only files count that are there as they were when they were indexed.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seesay.errors import LibraryError, UnreadableImage
from seesay.images.phash import WAVES, bits, faint, turned, waves
from seesay.images.read import read
from seesay.library.search.filters import Filters
from seesay.library.search.ranking import EVERYTHING
from seesay.library.storage.links import by_age, on_disk
from seesay.library.storage.reads import PictureFile
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress

if TYPE_CHECKING:
    from seesay.library.library import Library

NEAR = 4  # bits by which hashes of one picture may differ, whatever else
# The cosine that vectors must have otherwise, and how much more for every bit: the lower of the two lines, of which the first
# is for hashes that are nearly alike. Chosen on the pairs of benchmarks/duplicates.py.
LINES = ((0.45, 0.055), (0.92, 0.003))
ROWS, COLUMNS = 512, 8192  # of the pairs compared at once
ENOUGH_PX = 64  # to make a hash of
FORMATS = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}  # other names of one format


@dataclass(frozen=True)
class Copy:
    """A file. cosine, distance: of its vector and its hash (0 to 64 bits) to the keeper's; 1 and 0 for the same bytes."""

    path: str
    width: int | None
    height: int | None
    size: int  # bytes
    taken_at: str | None
    identical: bool
    cosine: float = 1.0
    distance: int = 0
    id: str = ""  # of its picture, as hits have it

    def to_json(self) -> dict[str, object]:
        """Without the id: who reads it has the path."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "id"}


@dataclass(frozen=True)
class Group:
    """A picture that is there more than once. The keeper has the most pixels; of equals that which knows when it was
    taken, then the most bytes among files of one format, then what `links.by_age` puts first, as a search does."""

    keeper: Copy
    others: tuple[Copy, ...]

    def to_json(self) -> dict[str, object]:
        return {"keeper": self.keeper.to_json(), "others": [other.to_json() for other in self.others]}


def one_picture(cosines: np.ndarray, distances: np.ndarray) -> np.ndarray:
    (first, steep), (second, flat) = LINES
    enough = np.minimum(first + steep * distances, second + flat * distances)
    return np.asarray((distances <= NEAR) | (cosines >= enough))


def find(
    library: "Library", *, filters: Filters = EVERYTHING, exact: bool = False, progress: Progress | None = None
) -> list[Group]:
    """Groups among the pictures that pass the filters, the largest first. exact: equal bytes only.

    All of a group are alike to one and the same of them, so that a series of photos, each like the next, is no group. The
    hashes of pictures that an older version indexed are made first, for which their files are read. Raises InputError where
    there is no picture in the folder to filter by.
    """
    with library.reading() as store:
        space = library.space(store)
        store.pictures(filters.folder)
        passing = store.passing(filters, space, "image")
        files = store.picture_files(passing.contents, filters)
        if exact:
            return _groups(files, {}, lambda a, b: (1.0, 0))
        parts = [(np.empty(0, dtype=np.int64), np.empty((0, space.dim), dtype=np.float32))]
        for ids, vectors in library.vectors(store, space, "image").parts:
            inside = np.isin(ids, passing.vectors, assume_unique=True)
            parts.append((ids[inside], vectors[inside]))
        hashes = store.waves()
    contents = passing.contents[np.searchsorted(passing.vectors, np.concatenate([ids for ids, _ in parts]))]
    stacked = np.concatenate([vectors for _, vectors in parts])
    hashes |= _made(library, {content: files[content] for content in contents.tolist() if content not in hashes}, progress)
    known = np.array([content in hashes for content in contents.tolist()], dtype=bool)
    contents, stacked = contents[known], stacked[known]
    layout = np.array([np.frombuffer(hashes[content], "<f4") for content in contents.tolist()], dtype=np.float32)
    layout = layout.reshape(-1, WAVES, WAVES)
    near: dict[int, set[int]] = {}
    for i, j in alike(stacked, layout, progress):
        a, b = int(contents[i]), int(contents[j])
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    row_of = {content: row for row, content in enumerate(contents.tolist())}

    def likeness(a: int, b: int) -> tuple[float, int]:
        i, j = row_of[a], row_of[b]
        cosines, distances = _compared(stacked[[i]], layout[[i]], stacked[[j]], _signs(layout[[j]]))
        return float(cosines[0, 0]), int(distances[0, 0])

    return _groups(files, near, likeness)


def alike(vectors: np.ndarray, hashes: np.ndarray, progress: Progress | None = None) -> Iterator[tuple[int, int]]:
    """Vectors (N, D) at unit length and waves (N, 8, 8) -> every pair i < j that is one picture."""
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
    """(N, D), (N, 8, 8) and (M, D), (M, 64) -> cosines (N, M), and bits that differ (N, M) in that of eight positions, turned
    and mirrored, in which the fewest do."""
    same = np.maximum.reduce([position @ signs.T for position in _signs(turned(hashes))])
    return vectors @ others.T, 32 - same / 2


def _signs(waves: np.ndarray) -> np.ndarray:
    """(..., 64) float32: the product of two is 64 less twice the bits that differ; 0 where a picture has nothing in it."""
    signs = np.where(bits(waves), np.float32(1), np.float32(-1))
    return np.where(faint(waves)[..., None], np.float32(0), signs)


def _made(library: "Library", missing: Mapping[int, Sequence[PictureFile]], progress: Progress | None) -> dict[int, bytes]:
    """The waves of pictures that have none yet, kept in the library if it can be written to."""

    def make(content: int) -> tuple[int, bytes | None]:
        try:
            image = read(missing[content][0].path, decode="fast", enough_px=ENOUGH_PX).image
        except UnreadableImage:
            return content, None
        return content, waves(image).astype("<f4").tobytes()

    made = {}
    for done, (content, found) in enumerate(prefetch(make, missing, threads=available_cores(), ahead=32), start=1):
        if found is not None:
            made[content] = found
        if progress is not None:
            progress(done, len(missing))
    try:
        if made:
            with library.writing() as store, store.transaction():
                for content, found in made.items():
                    store.put_waves(content, found)
    except LibraryError:  # somebody is indexing, or the disk is read-only: they are made anew the next time
        pass
    return made


def _groups(
    files: Mapping[int, Sequence[PictureFile]],
    near: Mapping[int, set[int]],
    likeness: Callable[[int, int], tuple[float, int]],
) -> list[Group]:
    there = {content: _there(some) for content, some in files.items() if len(some) > 1 or near.get(content)}
    best = {content: _keeper(some) for content, some in there.items() if some}
    alike_to = {content: near.get(content, set()) & best.keys() for content in best}
    groups, taken = [], set[int]()
    for centre in sorted(best, key=lambda content: (-len(alike_to[content]), _rank(best[content]), best[content].path)):
        if centre in taken:
            continue
        members = {centre} | (alike_to[centre] - taken)
        taken |= members
        keeper = _keeper(best[content] for content in members)
        kept = next(content for content in members if best[content] == keeper)
        others = [_copy(file, identical=True) for file in there[kept] if file != keeper]
        others += [_copy(file, likeness(kept, other)) for other in members - {kept} for file in there[other]]
        if others:
            others.sort(key=lambda copy: (not copy.identical, copy.distance, -copy.cosine, copy.path))
            groups.append(Group(_copy(keeper, identical=True), tuple(others)))
    return sorted(groups, key=lambda group: (-len(group.others), group.keeper.path))


def _there(files: Sequence[PictureFile]) -> list[PictureFile]:
    """Those that are on disk as they were indexed; a file and links to it are one."""
    found: dict[object, PictureFile] = {}
    for file in sorted(files, key=_age):
        try:
            status = os.stat(file.path)
        except OSError:
            continue
        if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            found.setdefault(on_disk(file.path, status), file)
    return list(found.values())


def _keeper(files: Iterable[PictureFile]) -> PictureFile:
    # Bytes tell what recompression lost, but only within a format: a PNG made of a JPEG has more of them and shows no more.
    largest: dict[str, PictureFile] = {}
    for file in sorted(files, key=lambda file: (*_rank(file), -file.size, *_age(file))):
        suffix = os.path.splitext(file.path)[1].lower()
        largest.setdefault(FORMATS.get(suffix, suffix), file)
    return min(largest.values(), key=lambda file: (*_rank(file), *_age(file)))


def _rank(file: PictureFile) -> tuple[int, bool]:
    """The keeper has the lowest. Who edits or sends a picture often loses when it was taken; the original has it."""
    return -(file.width or 0) * (file.height or 0), file.taken_at is None


def _age(file: PictureFile) -> tuple[bool, int, int, str]:
    return by_age(file.path, file.mtime_ns)


def _copy(file: PictureFile, told: tuple[float, int] = (1.0, 0), *, identical: bool = False) -> Copy:
    return Copy(file.path, file.width, file.height, file.size, file.taken_at, identical, round(told[0], 4), told[1], file.id)
