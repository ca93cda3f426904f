"""A teacher's vectors by the path of a picture or by a text: a matrix on disk, made once from the files of `seesay embed`."""

import hashlib
import json
import os
import posixpath
import shutil
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.system.files import file_state, lock_file
from seesay.system.paths import is_url, printable
from seesay.training.data.embedding_files import EmbeddingBlock, embedding_blocks

VERSION = 1
STORED = np.dtype("<f2")  # of unit vectors: cosines move by about 1e-5
EXAMPLES = 3


class TeacherVectors:
    """Unit vectors (N, D) in a folder, mapped into memory, with sorted 64-bit hashes of what each is the vector of."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.dim: int = about["dim"]
        self.example_paths: list[str] = about["paths"]
        self._vectors = np.memmap(folder / "vectors.f16", STORED, mode="r", shape=(about["rows"], self.dim))
        self._keys = np.load(folder / "keys.npy", mmap_mode="r")
        self._rows = np.load(folder / "rows.npy", mmap_mode="r")

    def __getitem__(self, row: int) -> np.ndarray:
        """(D,) float32"""
        vector: np.ndarray = self._vectors[row].astype(np.float32)
        return vector

    def row_of_picture(self, place: str) -> int | None:
        """The row whose path is the longest end of this path; a URL's is its own alone."""
        return next((row for key in _ends(place) if (row := self._row("picture", key)) is not None), None)

    def row_of_text(self, text: str) -> int | None:
        """The row of a text without white space around it."""
        return self._row("text", text)

    def _row(self, kind: str, name: str) -> int | None:
        key = np.uint64(_hash(kind, name))
        position = int(np.searchsorted(self._keys, key))
        return int(self._rows[position]) if position < len(self._keys) and self._keys[position] == key else None


def store_vectors(files: Sequence[Path], root: str | None, folder: Path) -> TeacherVectors:
    """The vectors of the files, from `folder` if they were stored there, else read now.

    root: a folder that is left away at the beginning of paths. While it reads, a row takes 24 bytes of memory. Raises
    InputError, MissingExtra.
    """
    identity = repr([VERSION, root, [(str(file), file_state(file)) for file in files]])
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_file(folder.with_name(f"{folder.name}.lock"), wait=True)
    try:
        if not _is_current(folder, digest):
            draft = folder.with_name(f"{folder.name}.part")
            for old in (draft, folder):
                shutil.rmtree(old, ignore_errors=True)
            draft.mkdir()
            _write(draft, files, root, digest)
            draft.rename(folder)
    except OSError as error:
        raise InputError(f"cannot write {printable(folder)}: {error.strerror or error}") from None
    finally:
        lock.release()
    return TeacherVectors(folder)


def _is_current(folder: Path, digest: str) -> bool:
    try:
        return bool(json.loads((folder / "about.json").read_text(encoding="utf-8"))["digest"] == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(folder: Path, files: Sequence[Path], root: str | None, digest: str) -> None:
    keys = array("Q")
    spaces: dict[tuple[str, int], Path] = {}  # (space, dimension) -> the first file of it
    paths: list[str] = []
    with (folder / "vectors.f16").open("wb") as stream:
        for file in files:
            for block in embedding_blocks(file):
                spaces.setdefault((block.space, block.vectors.shape[1]), file)
                if len(spaces) > 1:
                    (space, dim), (other, other_dim) = spaces
                    raise InputError(
                        "loss.distillation: expected the vectors of one teacher, got those of several: "
                        f"{printable(spaces[space, dim])} has {dim} dimensions of the space {space or 'unknown'}, "
                        f"{printable(file)} {other_dim} of {other or 'unknown'}"
                    )
                stream.write(_unit(block, file).astype(STORED).tobytes())
                keys.extend(_keys(block, root))
                paths += [path for path in block.paths[: EXAMPLES - len(paths)] if path]
    if not keys:
        raise InputError(f"loss.distillation: expected vectors in {printable(files[0])}, got none")
    hashes = np.frombuffer(keys, dtype=np.uint64)
    order = np.argsort(hashes, kind="stable")  # of a name that is there twice, the first counts
    np.save(folder / "keys.npy", hashes[order])
    np.save(folder / "rows.npy", order)
    ((_, dim),) = spaces
    about = {"dim": dim, "rows": len(keys), "paths": [printable(path) for path in paths], "digest": digest}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _unit(block: EmbeddingBlock, file: Path) -> np.ndarray:
    lengths = np.linalg.norm(block.vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise InputError(f"loss.distillation: {printable(file)} has vectors of no length, or with numbers that are none")
    unit: np.ndarray = block.vectors / lengths
    return unit


def _keys(block: EmbeddingBlock, root: str | None) -> Iterator[int]:
    """A hash of each row's name: its text, or its picture's path."""
    for path, text in zip(block.paths, block.texts, strict=True):
        yield _hash("text", text.strip()) if text else _hash("picture", _name(path or "", root))


def _hash(kind: str, name: str) -> int:
    # As Parquet holds names that are not UTF-8.
    data = f"{kind}\n{name}".encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _name(path: str, root: str | None) -> str:
    """A path of a file without what its end does not depend on: `root`, ./ and ../ at its beginning; and the suffix of a
    picture in a tar, whose sample has all the files of that name."""
    if is_url(path):
        return path
    path, root = (posixpath.normpath(part.replace(os.sep, "/")) if part else "" for part in (path, root or ""))
    if root and path.startswith(root.rstrip("/") + "/"):
        path = path[len(root.rstrip("/")) + 1 :]
    while path.startswith("../"):
        path = path[3:]
    folder, slash, file = path.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}" if slash and folder.lower().endswith(".tar") else path


def _ends(place: str) -> Iterator[str]:
    """The names of a file that could be the picture at a place: the absolute path, then its ends from the longest to the file's
    own name."""
    if is_url(place):
        yield place
        return
    path = posixpath.normpath(os.path.abspath(place).replace(os.sep, "/"))
    yield path
    while "/" in path:
        path = path.partition("/")[2]
        yield path
