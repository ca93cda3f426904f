"""Draws pictures that a model finds near to prompts, stroke by stroke or pixel by pixel, by gradients (extra `torch`)."""
