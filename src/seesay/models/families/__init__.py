"""Families of towers, a folder each."""
