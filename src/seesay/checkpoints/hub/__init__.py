"""Finds a model's files by name, and downloads and caches them."""
