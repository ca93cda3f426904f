"""Vectors of a library, outside the database, where a search reads them."""

from pathlib import Path

from seesay.library.vectors.index import VectorIndex


def open_index(folder: Path, dim: int) -> VectorIndex:
    """The vector index of one space, in a folder of its own. Which store a library uses is chosen here and nowhere else."""
    from seesay.library.vectors.matrix import Matrix

    return Matrix(folder, dim)
