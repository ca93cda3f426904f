"""Families of towers, one folder each; `models.registry` is their table."""
