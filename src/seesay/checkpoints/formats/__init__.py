"""Checkpoint formats, a file each, listed in `registry.py`."""
