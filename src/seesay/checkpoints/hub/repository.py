"""Files of repositories on a model hub, fetched once: `hub_file` and `hub_folder`.

They are stored in the hub library's own cache, shared with other programs, and that library's settings apply: HF_HOME,
HF_ENDPOINT (a mirror), HF_TOKEN, HF_HUB_OFFLINE. With SEESAY_OFFLINE=1 no connection is made: cached files are used, a missing
one is a DownloadError that says how to get it.

A revision is pinned at its first use to the commit that it then stands for (`pins`). From then on the hub is asked only for
files that are missing, and they must have the hashes that it stated at first.

The hub library names files, finds versions and keeps the cache. Files are fetched by `transfer`, because the library (since
1.0) starts a file anew after its process was ended, waits as long as a busy hub likes, and checks no hashes.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seesay._version import __version__
from seesay.checkpoints.hub import pins
from seesay.checkpoints.hub.allowance import Allowance
from seesay.checkpoints.hub.files import DESCRIPTIONS, WEIGHTS, repository_files, select_files
from seesay.checkpoints.hub.hub_errors import endpoint, explained, hub_offline, not_cached, patiently
from seesay.checkpoints.hub.pins import MAIN, Blob, Listing, is_commit
from seesay.checkpoints.hub.transfer import content_hash, digest, transfer
from seesay.errors import DownloadError
from seesay.system.files import write_atomically

GRAPH = ".onnx"
ASK_S = 10.0  # timeout for asking a hub which commit a branch stands for
HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")  # git's of a small file, SHA-256 of a large one


def hub_file(
    repo: str,
    file: str,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    update: bool = False,
    allowance: Allowance | None = None,
) -> Path:
    """One file of a repository ("owner/name") on the hub. `revision`: a branch, tag or commit; default the main branch.

    A cached copy whose SHA-256 is not the one given is fetched again, once. update: what the revision stands for now, and
    pinned to that. Raises DownloadError.
    """
    with explained(repo, file, revision):
        snapshot = _snapshot(repo, revision, file, update=update)
        _check_size(snapshot, [file], allowance)
        path = snapshot.path(file, sha256)
        if sha256 is not None and (actual := digest(path)) != sha256:
            if path.resolve().name in (actual, content_hash(path, "git")):  # as the hub has it, so other programs may need it
                raise DownloadError(f"{file} of {repo} at {endpoint()} has SHA-256 {actual}, expected {sha256}")
            if hub_offline() or not snapshot.can_fetch(file):
                raise DownloadError(
                    f"{file} of {repo} is damaged in the cache ({path}: its SHA-256 is {actual}, expected {sha256}). "
                    "Run this once with a connection"
                )
            discard(path)
            path = snapshot.path(file, sha256)
            if (actual := digest(path)) != sha256:
                raise DownloadError(f"{file} of {repo} at {endpoint()} has SHA-256 {actual}, expected {sha256}")
        snapshot.remember()
        return path


def hub_folder(
    repo: str,
    patterns: Iterable[str] = DESCRIPTIONS,
    *,
    weights: Iterable[str] = WEIGHTS,
    revision: str | None = None,
    check: Callable[[Path], None] | None = None,
    variant: str | None = None,
    update: bool = False,
    allowance: Allowance | None = None,
) -> Path:
    """The folder of a checkpoint on the hub, with the files that `repository_files` names and possibly more. Raises
    DownloadError.

    All files are of one commit, cached weights are preferred to others, and the folder must not be written to. check: called
    with the folder when all files but the weights are present; it may raise a ModelError before the weights are fetched.
    update: what the revision stands for now, and pinned to that.
    """
    with explained(repo, None, revision):
        snapshot = _snapshot(repo, revision, update=update)
        patterns = tuple(patterns)
        names = repository_files(snapshot.files, patterns, snapshot.cached_weights(weights) or weights, repo, variant)
        described = [name for name in names if name in patterns]
        folders = [snapshot.path(name).parents[name.count("/")] for name in described]
        if check is not None and folders and not any(name.endswith(GRAPH) for name in names):
            check(folders[0])
        rest = [name for name in names if name not in patterns]
        _check_size(snapshot, rest, allowance)
        folders += [snapshot.path(name).parents[name.count("/")] for name in rest]
        snapshot.remember()  # last, so that offline a branch stands for a complete commit
        return folders[0]


def fetched_repositories() -> dict[str, Path]:
    """Repositories that SeeSay fetched and that are still in the hub library's cache: name -> folder there."""
    return {repo: folder for repo in pins.listed_repositories() if (folder := _store(repo)).is_dir()}


def fetched_files(repo: str, commit: str) -> dict[str, Path]:
    """The cached files of a commit, by their names in the repository. Makes no request."""
    folder = _store(repo) / "snapshots" / commit
    return {name: folder / name for name in sorted(_names_below(folder))}


def cached_names(repo: str) -> list[str]:
    """The cached files of a repository's main branch, whichever program fetched them. Makes no request."""
    commit = pins.pinned_commit(repo, None) or _referenced_commit(repo, None)
    return list(fetched_files(repo, commit)) if commit else []


def cached_folder(repo: str) -> Path | None:
    """The folder of a repository's main branch in the hub library's cache, whichever program fetched it. Makes no request."""
    commit = pins.pinned_commit(repo, None) or _referenced_commit(repo, None)
    folder = _store(repo) / "snapshots" / commit if commit else None
    return folder if folder is not None and folder.is_dir() else None


def discard(path: Path) -> None:
    """Removes a cached file: its content, and the link to it."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def current_listing(repo: str, revision: str | None) -> tuple[str, Listing]:
    """The commit that a revision stands for at the hub now, and its files. Raises the hub library's errors, DownloadError."""
    import huggingface_hub as hub

    api = hub.HfApi(endpoint=endpoint(), library_name="seesay", library_version=__version__)
    info = patiently(lambda: api.model_info(repo, revision=revision, timeout=ASK_S, files_metadata=True))
    if not is_commit(info.sha):
        raise DownloadError(f"{endpoint()} does not say which commit of {repo} it has; is it a hub?")
    assert info.sha is not None
    files = {file.rfilename: Blob(file.size, file.lfs.sha256 if file.lfs else file.blob_id) for file in info.siblings or []}
    pins.keep_listing(repo, info.sha, files)
    return info.sha, files


@dataclass(frozen=True)
class _Snapshot:
    """A commit of a repository: the one that `revision` is pinned to, stands for now or, where the hub could not be asked, last
    stood for.

    `fault` is why it could not be asked. Then, and offline, `files` may be the cached files only.
    """

    repo: str
    revision: str | None
    commit: str
    files: Listing
    fault: Exception | None = None

    def path(self, file: str, sha256: str | None = None) -> Path:
        """The file in the hub library's cache, fetched if it is missing."""
        import huggingface_hub as hub
        from huggingface_hub.errors import RevisionNotFoundError

        if cached := _cached(self.repo, file, self.commit):
            return cached
        if self.fault:
            raise self.fault
        if hub_offline():
            raise DownloadError(not_cached(self.repo, file, self.revision))
        url = self._url(file)
        try:
            etag = patiently(lambda: hub.get_hf_file_metadata(url)).etag or ""
        except RevisionNotFoundError:
            raise DownloadError(
                f"{endpoint()} no longer has commit {self.commit} of {self.repo}, to which {self.revision or MAIN} is pinned. "
                f"{self._how_to_update()}"
            ) from None
        self._check_hash(file, etag, sha256)
        if HASH.fullmatch(etag):
            self._fetch(url, file, etag)
        path = patiently(  # finds the content that is fetched already
            lambda: hub.hf_hub_download(
                self.repo, file, revision=self.commit, endpoint=endpoint(), library_name="seesay", library_version=__version__
            )
        )
        return Path(path)

    def can_fetch(self, file: str) -> bool:
        """Whether the hub answers when asked for a file."""
        import huggingface_hub as hub

        with suppress(Exception):  # of whatever kind: the caller says what is wrong
            return bool(hub.get_hf_file_metadata(self._url(file)).etag)
        return False

    def _url(self, file: str) -> str:
        import huggingface_hub as hub

        return hub.hf_hub_url(self.repo, file, revision=self.commit, endpoint=endpoint())

    def cached_weights(self, patterns: Iterable[str]) -> list[str]:
        """Weights in one file that are cached already: another program may prefer another of a repository's files."""
        cached = [name for name in self.files if "-of-" not in name and _cached(self.repo, name, self.commit)]
        with suppress(DownloadError):
            return select_files(cached, (), patterns)
        return []

    def missing_bytes(self, names: Iterable[str]) -> int:
        """Bytes of these files that are still to be fetched, as far as the hub states sizes."""
        missing = 0
        for name in names:
            blob = self.files.get(name)
            if blob is None or blob.size_bytes is None or _cached(self.repo, name, self.commit):
                continue
            partial = _store(self.repo) / "blobs" / f"{blob.hash}.incomplete"
            missing += max(0, blob.size_bytes - (partial.stat().st_size if partial.exists() else 0))
        return missing

    def _check_hash(self, file: str, etag: str, sha256: str | None) -> None:
        """Raises DownloadError where the hub has another content than is pinned, or than is known."""
        if len(etag) == 64 and sha256 not in (None, etag):
            raise DownloadError(f"{file} of {self.repo} at {endpoint()} has SHA-256 {etag}, expected {sha256}")
        blob = self.files.get(file)
        if blob is not None and blob.hash is not None and HASH.fullmatch(etag) and etag != blob.hash:
            raise DownloadError(
                f"{file} of {self.repo} at {endpoint()} has another content than when it was pinned: hash {etag}, expected "
                f"{blob.hash}, of commit {self.commit}. {self._how_to_update()}"
            )

    def _how_to_update(self) -> str:
        name = pins.Pin(self.repo, self.revision or MAIN, self.commit).name
        return f"To take what it has now: seesay models pull {name} --update"

    def _fetch(self, url: str, file: str, etag: str) -> None:
        """Fetches to where the library looks for contents, under the library's lock."""
        import huggingface_hub as hub
        from huggingface_hub import constants

        store = _store(self.repo)
        target = store / "blobs" / etag
        if target.exists():
            return
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else hub.get_token()
        transfer(
            url,
            target,
            expected=etag,
            partial=target.with_name(f"{etag}.incomplete"),
            lock=Path(constants.HF_HUB_CACHE) / ".locks" / store.name / f"{etag}.lock",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            label=file,
            hint=f"Another hub may have it: set HF_ENDPOINT to a mirror of {endpoint()}",
        )

    def remember(self) -> None:
        """Pins the revision to this commit, and tells the hub library, for when the hub cannot be asked."""
        if self.fault is None and pins.listing(self.repo, self.commit) is not None:
            pins.pin(self.repo, self.revision, self.commit)
        if _referenced_commit(self.repo, self.revision) is None:
            with suppress(OSError):
                write_atomically(_ref(self.repo, self.revision), self.commit)


def _check_size(snapshot: _Snapshot, names: list[str], allowance: Allowance | None) -> None:
    if missing_bytes := snapshot.missing_bytes(names):
        (allowance or Allowance(f"hf:{snapshot.repo}")).check(missing_bytes, _store(snapshot.repo))


def _snapshot(repo: str, revision: str | None, file: str | None = None, *, update: bool = False) -> _Snapshot:
    """The commit that a revision is pinned to, or stands for now, with its files. Raises DownloadError and the hub library's.

    Without a pin the hub is asked, unless offline. Where it does not answer, or another program filled the cache, the cached
    files of the commit that the hub library remembers count.
    """
    pinned = pins.pinned_commit(repo, revision)
    if pinned and not update:
        if pinned == revision and file and _cached(repo, file, pinned):
            return _Snapshot(repo, revision, pinned, {file: Blob(None, None)})
        if listed := pins.listing(repo, pinned):
            return _Snapshot(repo, revision, pinned, listed)
    commit = pinned or _referenced_commit(repo, revision)
    available = (pins.listing(repo, commit) if commit else None) or {
        name: Blob(None, None) for name in (fetched_files(repo, commit) if commit else ())
    }
    fault = None
    if not hub_offline():
        try:
            return _Snapshot(repo, revision, *current_listing(repo, revision))
        except _definite():
            raise
        except Exception as error:  # no connection, a hub that is down, a token that expired: what is cached still serves
            if not available or update:
                raise
            fault = error
    if commit is None or not available:
        raise DownloadError(not_cached(repo, file, revision))
    return _Snapshot(repo, revision, commit, available, fault)


def _cached(repo: str, file: str, commit: str) -> Path | None:
    import huggingface_hub as hub

    path = hub.try_to_load_from_cache(repo, file, revision=commit)
    return Path(path) if isinstance(path, str) else None


def _names_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _referenced_commit(repo: str, revision: str | None) -> str | None:
    """The commit that a revision stands for in the hub library's cache."""
    if is_commit(revision):
        return revision
    with suppress(OSError):
        commit = _ref(repo, revision).read_text(encoding="utf-8").strip()
        return commit if is_commit(commit) else None
    return None


def _ref(repo: str, revision: str | None) -> Path:
    return _store(repo) / "refs" / (revision or MAIN)


def _store(repo: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")


def _definite() -> tuple[type[Exception], ...]:
    """The answers of a hub after which a cached copy would be the wrong answer."""
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, RevisionNotFoundError

    return EntryNotFoundError, HFValidationError, RevisionNotFoundError, DownloadError
