"""Towers of which there is a graph alone, exported by others: no torch, no training."""
