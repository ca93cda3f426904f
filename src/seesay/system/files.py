"""Files of arrays that can be made again: written whole or not at all, and read as absent where they are damaged."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def read_arrays(file: Path) -> dict[str, np.ndarray] | None:
    """What a file holds; None where there is none, or where it is damaged (a zip archive knows its checksums)."""
    try:
        with (
            file.open("rb") as stream,
            np.load(stream, allow_pickle=False) as archive,
        ):  # numpy leaves a bad file of its own open
            return {name: archive[name] for name in archive.files}
    except DAMAGE:
        return None


def write_arrays(file: Path, **arrays: np.ndarray) -> None:
    """A file that cannot be written (a full disk, no permission) is no reason to lose what the arrays were made for."""
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile's: those could be read by nobody else who shares the folder.
        with (file.parent / f".{file.name}.{os.urandom(8).hex()}.part").open("xb") as stream:
            temporary = Path(stream.name)
            np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's own annotation takes the names for allow_pickle
        os.replace(temporary, file)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
