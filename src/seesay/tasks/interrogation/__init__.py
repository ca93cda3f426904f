"""Interrogation: from a picture to phrases, a prompt for an image generator, or the nearest caption."""
