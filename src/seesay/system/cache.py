"""The cache folder, $SEESAY_CACHE: files that can be fetched or computed again."""

import os
from pathlib import Path

from seesay.system.paths import absolute


def cache_dir() -> Path:
    """$SEESAY_CACHE, else `seesay` in the platform's directory for caches. It may not exist yet."""
    folder = os.environ.get("SEESAY_CACHE")
    if folder:
        return Path(absolute(folder))
    import platformdirs

    return Path(platformdirs.user_cache_dir("seesay", appauthor=False))
