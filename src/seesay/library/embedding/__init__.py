"""Embedding: the vectors of many pictures and texts, made in parts on any number of machines, as files that a library takes."""
