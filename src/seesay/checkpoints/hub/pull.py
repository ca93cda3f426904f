"""`pull`: fetches a model's files, checks every one against its hash, and moves its pin where that is asked for."""

from collections.abc import Mapping
from pathlib import Path

from seesay.checkpoints.hub import pins
from seesay.checkpoints.hub.allowance import DOWNLOAD_GB, Allowance
from seesay.checkpoints.hub.locate import find_source, locate
from seesay.checkpoints.hub.source import HubSource, Source, fetch
from seesay.errors import DownloadError, InputError

SHOWN_DIGITS = 12


def pull(name: str, *, update: bool = False, download_gb: float = DOWNLOAD_GB) -> Path:
    """Fetches a model's files and returns its file or folder; damaged ones are fetched again.

    Where the hub has other files now than those that the name is pinned to, that is an error; with `update` they are taken, and
    pinned. Raises InputError for a model that is not fetched, DownloadError, LargeDownload, CheckpointError.
    """
    from seesay.checkpoints.hub.repository import discard
    from seesay.checkpoints.hub.verification import verified

    source, _ = find_source(name)
    if isinstance(source, Path):
        raise InputError(f"{name} is on this machine: {source}. Only models of the catalogue and of a hub are fetched")
    if isinstance(source, HubSource) and not update:
        _refuse_change(source, name)
    path = fetch(source, Allowance(name, download_gb), update=True) if update else locate(name, download_gb=download_gb)[0]
    damaged = [one.path for one in verified(source) if one.state == "damaged"]
    if not damaged:
        return path
    for file in damaged:
        discard(file)
    path, _ = locate(name, download_gb=download_gb)
    if still := [one.path for one in verified(source) if one.state == "damaged"]:
        raise DownloadError(f"{still[0]} is damaged, and was fetched so again; try another mirror (HF_ENDPOINT)")
    return path


def _refuse_change(source: HubSource, name: str) -> None:
    """Raises DownloadError where the hub has another content now of a file that is in use. Offline nothing is asked."""
    from seesay.checkpoints.hub.hub_errors import endpoint, explained, hub_offline
    from seesay.checkpoints.hub.repository import current_listing, fetched_files

    pinned = pins.pinned_commit(source.repo, source.revision)
    if pinned is None or pinned == source.revision or hub_offline():
        return
    with explained(source.repo, None, source.revision):
        commit, now = current_listing(source.repo, source.revision)
    before = pins.listing(source.repo, pinned) or {}
    used = fetched_files(source.repo, pinned)
    changed = [file for file in used if file in before and _hash(now, file) != _hash(before, file)]
    if commit != pinned and changed:
        listed = "; ".join(f"{file}: {_hash(before, file)}, now {_hash(now, file)}" for file in changed[:3])
        raise DownloadError(
            f"{name} has changed at {endpoint()}: it is pinned to commit {pinned[:SHOWN_DIGITS]}, now it is "
            f"{commit[:SHOWN_DIGITS]} ({listed}). The pinned version stays in use. To take the new one, whose vectors may "
            f"not be compared with the old one's: seesay models pull {name} --update"
        )


def _hash(files: Mapping[str, pins.Blob], file: str) -> str:
    blob = files.get(file)
    return "gone" if blob is None else (blob.hash or "not stated")[:SHOWN_DIGITS]


def pin_of(source: Source) -> dict[str, object] | None:
    """What a source is pinned to on this machine, as JSON: repository, revision, commit and the hashes of its fetched files, or
    a URL with its SHA-256. None where nothing of it was fetched."""
    if not isinstance(source, HubSource):
        sha256 = source.sha256 or pins.pinned_hash(source.name)
        return {"url": source.url, "files": {source.name: sha256}} if sha256 else None
    from seesay.checkpoints.hub.repository import fetched_files

    commit = pins.pinned_commit(source.repo, source.revision)
    listed = pins.listing(source.repo, commit)
    if commit is None or listed is None:
        return None
    files = {name: listed[name].hash for name in fetched_files(source.repo, commit) if name in listed}
    revision = source.revision or pins.MAIN
    return {"repo": source.repo, "revision": revision, "commit": commit, "files": files}
