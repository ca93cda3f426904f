"""The memory of this machine."""

import os


def memory_bytes() -> int | None:
    """All of it; None where the system does not say, as on Windows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
