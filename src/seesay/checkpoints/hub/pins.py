"""Pins: what a name of a hub stood for when it was first used, so that it stands for the same ever after.

Two kinds of small files in the cache: a listing per commit, with the size and hash of every file as the hub stated them, and a
pin per repository and revision, with the commit. A URL's pin is its file's SHA-256. `seesay models pull NAME --update` moves a
pin.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from seesay.system.cache import cache_dir
from seesay.system.files import write_atomically

MAIN = "main"


@dataclass(frozen=True)
class Blob:
    """The size and hash of a file as a hub states them: SHA-256 of a large file, git's own of a small one. None: not stated."""

    size_bytes: int | None
    hash: str | None


Listing = dict[str, Blob]  # the files of one commit, by name


@dataclass(frozen=True)
class Pin:
    """A repository's revision and the commit that it is pinned to."""

    repo: str
    revision: str
    commit: str

    @property
    def name(self) -> str:
        """The name that `seesay.load` takes for it."""
        return f"hf:{self.repo}" + ("" if self.revision == MAIN else f"@{self.revision}")


def is_commit(revision: str | None) -> bool:
    """True for a full commit hash, whose content cannot change."""
    return revision is not None and re.fullmatch("[0-9a-f]{40}", revision) is not None


def pinned_commit(repo: str, revision: str | None) -> str | None:
    """The commit that a revision is pinned to; itself if it is one."""
    if is_commit(revision):
        return revision
    commit = _read(_pin_file(repo, revision or MAIN))
    return commit if is_commit(commit) else None


def pin(repo: str, revision: str | None, commit: str) -> None:
    """Pins a revision to a commit."""
    if pinned_commit(repo, revision) != commit or is_commit(revision):
        _write(_pin_file(repo, revision or MAIN), commit)


def pins() -> list[Pin]:
    """All pins of repositories, by name."""
    found = []
    for file in sorted((cache_dir() / "pins").glob("*--*@*")):
        repo, _, revision = file.name.partition("@")
        if is_commit(commit := _read(file)):
            found.append(Pin(repo.replace("--", "/", 1), unquote(revision), str(commit)))
    return found


def listing(repo: str, commit: str | None) -> Listing | None:
    """The files of a commit, if a hub was asked for them."""
    with suppress(ValueError, TypeError, AttributeError):
        if commit is not None and (text := _read(_listing_file(repo, commit))):
            return {str(name): Blob(size, digest) for name, (size, digest) in json.loads(text).items()}
    return None


def keep_listing(repo: str, commit: str, files: Listing) -> None:
    """Stores the files of a commit."""
    _write(_listing_file(repo, commit), json.dumps({name: [blob.size_bytes, blob.hash] for name, blob in files.items()}))


def listed_repositories() -> list[str]:
    """The repositories of which a hub was asked for files, by name."""
    files = (cache_dir() / "listings").glob("*--*@*.json")
    return sorted({file.name.partition("@")[0].replace("--", "/", 1) for file in files})


def forget(repo: str) -> None:
    """Removes a repository's pins and listings."""
    for folder in ("pins", "listings"):
        for file in (cache_dir() / folder).glob(f"{repo.replace('/', '--')}@*"):
            file.unlink(missing_ok=True)


def pinned_hash(name: str) -> str | None:
    """The SHA-256 to which the file of a URL is pinned, by its name in the cache."""
    digest = _read(_hash_file(name))
    return digest if digest and re.fullmatch("[0-9a-f]{64}", digest) else None


def pin_hash(name: str, sha256: str | None) -> None:
    """Pins the file of a URL; None removes its pin."""
    if sha256 is None:
        _hash_file(name).unlink(missing_ok=True)
    else:
        _write(_hash_file(name), sha256)


def _pin_file(repo: str, revision: str) -> Path:
    return cache_dir() / "pins" / f"{repo.replace('/', '--')}@{quote(revision, safe='')}"


def _listing_file(repo: str, commit: str) -> Path:
    return cache_dir() / "listings" / f"{repo.replace('/', '--')}@{commit}.json"


def _hash_file(name: str) -> Path:
    return cache_dir() / "pins" / f"{name.replace('/', '-')}.sha256"


def _read(file: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8").strip()
    return None


def _write(file: Path, text: str) -> None:
    """Failure is ignored, as on a full disk: it costs a request next time."""
    with suppress(OSError):
        write_atomically(file, text)
