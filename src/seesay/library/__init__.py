"""A library of pictures (and texts) on disk: index folders once, search them in words or by picture."""

from seesay.library.filters import Filters
from seesay.library.hits import Hit
from seesay.library.library import Library
from seesay.library.report import Failure, IndexReport

__all__ = ["Failure", "Filters", "Hit", "IndexReport", "Library"]
