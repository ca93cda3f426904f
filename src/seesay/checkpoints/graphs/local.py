"""The graphs in a folder on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seesay.checkpoints.graphs.selection import GraphFiles, find_graphs, variant_of
from seesay.checkpoints.hub.files import has_weights
from seesay.errors import CheckpointError, DownloadError

FOLDERS = ("onnx", "visual", "textual")


@dataclass(frozen=True)
class LocalGraphs:
    """The graphs of one model and the files that describe them, in a folder."""

    folder: Path
    files: GraphFiles

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [self.folder / name for name in self.files.names]


def local_graphs(path: Path, variant: str | None = None) -> LocalGraphs | None:
    """The graphs of a folder, or those of the variant that a graph's own path names.

    None where there are none, and where the folder has weights and the caller names no variant. Raises CheckpointError.
    """
    if path.is_file():
        named = variant_of(path.name) if path.suffix == ".onnx" else None
        if named is None and variant is None:
            return None
        if named is None or variant not in (None, named):
            raise CheckpointError(f"variant={variant!r} chooses among a folder's graphs; {path} is a file")
        path, variant = path.parent.parent if path.parent.name in FOLDERS else path.parent, named
    if not path.is_dir():
        return None
    names = list(_names(path))
    if variant is None and has_weights(names):
        return None
    try:
        files = find_graphs(names, variant, str(path))
    except DownloadError as error:
        raise CheckpointError(str(error)) from None
    return None if files is None else LocalGraphs(path, files)


def _names(folder: Path) -> Iterator[str]:
    for inside in (folder, *(folder / name for name in FOLDERS)):
        if inside.is_dir():
            yield from (file.relative_to(folder).as_posix() for file in inside.iterdir() if file.is_file())
