"""Files at plain URLs, fetched once into SeeSay's cache: `url_file`.

With SEESAY_OFFLINE=1 no connection is made: a cached file is used, a missing one is a DownloadError that says how to get it.
"""

import os
from pathlib import Path

from seesay.checkpoints.hub import pins
from seesay.checkpoints.hub.allowance import Allowance
from seesay.checkpoints.hub.transfer import ALTERED, digest, transfer
from seesay.errors import DownloadError
from seesay.system.cache import cache_dir
from seesay.system.network import offline

UPDATE = "run seesay models pull NAME --update"


def url_file(url: str, *, sha256: str | None, name: str, update: bool = False, allowance: Allowance | None = None) -> Path:
    """The file at `url`, cached as `name`. Its hash is checked at every call, and a damaged copy is fetched again.

    sha256: where it is known; else the file is pinned to what came first, or with `update` to what comes now. $SEESAY_MIRROR,
    where it is set, is asked instead of the URL's own host: a server that has the file at /host/path, as `wget
    --force-directories` lays it out. Raises DownloadError.
    """
    target = cached_file(name)
    known, sha256 = sha256, sha256 or pins.pinned_hash(name)
    if update and not known:
        sha256 = None
        problem = f"{name} cannot be fetched again"
    elif target.is_file():
        actual = digest(target) if sha256 else None
        if actual == sha256:
            return target
        problem = f"{target} is damaged (its SHA-256 is {actual}, expected {sha256})"
    else:
        problem = f"{name} is not in the cache ({target})"
    if offline():
        raise DownloadError(
            f"{problem}, and SEESAY_OFFLINE is set. Run this once with a connection, or fetch {url} elsewhere and put it there"
        )
    hint = f"Set SEESAY_MIRROR to a server that has it, or fetch it elsewhere and put it at {target}"
    fresh = target.with_name(f"{name}.new") if target.exists() and not sha256 else target
    transfer(
        _mirrored(url),
        fresh,
        expected=sha256,
        hint=hint,
        allowance=allowance,
        if_other=ALTERED if known else f"{ALTERED}; or its authors changed it: to take what is there now, {UPDATE}",
    )
    fresh.replace(target)
    if sha256 is None:
        pins.pin_hash(name, digest(target))
    return target


def cache_name(url: str) -> str:
    """The name under which the file of a URL is cached: its last two parts."""
    return "-".join(url.split("/")[-2:])


def cached_file(name: str) -> Path:
    """The path at which `url_file` caches a name."""
    return cache_dir() / "files" / name


def _mirrored(url: str) -> str:
    mirror = os.environ.get("SEESAY_MIRROR")
    return f"{mirror.rstrip('/')}/{url.partition('://')[2]}" if mirror else url
