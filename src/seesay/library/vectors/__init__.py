"""Vectors of a library, where a search finds them."""
