"""Indexing: from folders of files to rows and vectors of a library."""
