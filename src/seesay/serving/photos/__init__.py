"""The library as clients know it."""
