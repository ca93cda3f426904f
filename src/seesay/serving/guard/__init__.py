"""Checks before any route: connections, headers, keys, allowed origins, sizes, times."""
