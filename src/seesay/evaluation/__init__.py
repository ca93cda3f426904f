"""Measures models on tables of pictures with captions or labels; nothing here prints (`seesay eval` does)."""
