"""A library of pictures (and texts) on disk: index folders once, search them in words or by picture."""

from seesay.library.indexing.report import Failure, IndexReport
from seesay.library.library import Library
from seesay.library.search.filters import Filters
from seesay.library.search.result import Hit, SearchResult

__all__ = ["Failure", "Filters", "Hit", "IndexReport", "Library", "SearchResult"]
