"""Reads repositories of graphs that others exported, in the layouts of transformers.js and of immich, without torch."""
