"""The database of a library."""
