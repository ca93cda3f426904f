"""What a request passes before any route: connections, heads, keys, sizes, times."""
