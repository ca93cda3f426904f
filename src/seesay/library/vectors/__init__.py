"""Vectors of a library, outside the database, where a search reads them."""

from pathlib import Path

from seesay.library.vectors.choice import EXACT, VectorChoice
from seesay.library.vectors.index import VectorIndex


def open_index(folder: Path, dim: int, choice: VectorChoice = EXACT) -> VectorIndex:
    """The vector index of one space, in a folder of its own. Which store a choice means is said here and nowhere else.

    Raises MissingExtra.
    """
    from seesay.library.vectors.matrix import Matrix

    matrix = Matrix(folder, dim)
    if choice.index == "exact":
        return matrix
    from seesay.library.vectors.approximate import ApproximateIndex, Finder

    finder: Finder
    if choice.index == "milvus":
        from seesay.library.vectors.milvus import Milvus

        finder = Milvus(folder, dim, choice.milvus or "")
    else:
        from seesay.library.vectors.graph import Graphs

        finder = Graphs(folder, dim, "f16" if choice.index == "usearch-f16" else "i8")
    return ApproximateIndex(matrix, finder)
