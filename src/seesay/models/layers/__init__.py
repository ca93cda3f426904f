"""Layers and weights that towers of several families share."""
