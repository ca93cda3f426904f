"""Checks before any route: connections, heads, keys, sites, sizes, times."""
