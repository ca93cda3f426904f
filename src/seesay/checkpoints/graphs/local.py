"""The graphs in a folder on this machine."""

from collections.abc import Iterator
from pathlib import Path

from seesay.checkpoints.graphs.selection import GraphFiles, find_graphs
from seesay.checkpoints.hub.files import has_weights
from seesay.errors import CheckpointError, DownloadError

FOLDERS = ("onnx", "visual", "textual")


def local_graphs(path: Path, variant: str | None = None) -> GraphFiles | None:
    """The graphs of a folder; None where it has none, and where it has weights and the caller names no variant.

    Raises CheckpointError.
    """
    if not path.is_dir():
        if variant is not None:
            raise CheckpointError(f"variant={variant!r} chooses among a folder's graphs; {path} is a file")
        return None
    names = list(_names(path))
    if variant is None and has_weights(names):
        return None
    try:
        return find_graphs(names, variant, str(path))
    except DownloadError as error:
        raise CheckpointError(str(error)) from None


def _names(folder: Path) -> Iterator[str]:
    for inside in (folder, *(folder / name for name in FOLDERS)):
        if inside.is_dir():
            yield from (file.relative_to(folder).as_posix() for file in inside.iterdir() if file.is_file())
