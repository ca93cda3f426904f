"""Files of repositories on a model hub, fetched once: `hub_file` and `hub_folder`.

They are stored in the hub library's own cache, shared with other programs, and that library's settings apply: HF_HOME,
HF_ENDPOINT (a mirror), HF_TOKEN, HF_HUB_OFFLINE. With SEESAY_OFFLINE=1 no connection is made: cached files are used, a missing
one is a DownloadError that says how to get it. A cached commit, named by its full hash, is used without a request too, since
it cannot change.

The hub library names files, finds versions and keeps the cache. Large files are fetched by `transfer`, because the library
(since 1.0) starts a file anew after its process was ended, and because the SHA-256 that hubs publish is then checked.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seesay._version import __version__
from seesay.checkpoints.hub.files import DESCRIPTIONS, WEIGHTS, repository_files, select_files
from seesay.checkpoints.hub.hub_errors import MAIN, endpoint, explained, hub_offline, not_cached
from seesay.checkpoints.hub.transfer import digest, transfer
from seesay.errors import DownloadError
from seesay.system.cache import cache_dir
from seesay.system.files import write_atomically

GRAPH = ".onnx"
ASK_S = 10.0  # timeout for asking a hub which commit a branch stands for


def hub_file(repo: str, file: str, *, revision: str | None = None, sha256: str | None = None) -> Path:
    """One file of a repository ("owner/name") on the hub. `revision`: a branch, tag or commit; default the main branch.

    A cached copy whose SHA-256 is not the one given is fetched again, once. Raises DownloadError.
    """
    with explained(repo, file, revision):
        snapshot = _snapshot(repo, revision, file)
        path = snapshot.path(file, sha256)
        if sha256 is not None and (actual := digest(path)) != sha256:
            if path.resolve().name in (actual, _git_hash(path)):  # as the hub has it, so other programs may need it
                raise DownloadError(f"{file} of {repo} at {endpoint()} has SHA-256 {actual}, expected {sha256}")
            if hub_offline() or snapshot.fault:
                raise DownloadError(
                    f"{file} of {repo} is damaged in the cache ({path}: its SHA-256 is {actual}, expected {sha256}). "
                    "Run this once with a connection"
                )
            path.resolve().unlink(missing_ok=True)  # the content; the next line removes the link to it
            path.unlink(missing_ok=True)
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
) -> Path:
    """The folder of a checkpoint on the hub, with the files that `repository_files` names and possibly more. Raises
    DownloadError.

    All files are of one commit, cached weights are preferred to others, and the folder must not be written to. check: called
    with the folder when all files but the weights are present; it may raise a ModelError before the weights are fetched.
    """
    with explained(repo, None, revision):
        snapshot = _snapshot(repo, revision)
        patterns, folder = tuple(patterns), None
        names = repository_files(snapshot.names, patterns, snapshot.cached_weights(weights) or weights, repo, variant)
        if any(name.endswith(GRAPH) for name in names):
            check = None  # of weights
        for name in sorted(names, key=lambda name: name not in patterns):
            if check is not None and folder is not None and name not in patterns:
                check(folder)
                check = None
            folder = snapshot.path(name).parents[name.count("/")]
        snapshot.remember()  # last, so that offline a branch stands for a complete commit
        assert folder is not None
        return folder


def fetched_repositories() -> dict[str, Path]:
    """Repositories that SeeSay fetched and that are still in the hub library's cache: name -> folder there."""
    lists = cache_dir() / "listings"
    names = sorted({file.name.rpartition("@")[0].replace("--", "/", 1) for file in lists.glob("*@*.json")})
    return {repo: folder for repo in names if (folder := _store(repo)).is_dir()}


def cached_names(repo: str) -> list[str]:
    """The cached files of a repository's main branch, whichever program fetched them. Makes no request."""
    return _names_below(_store(repo) / "snapshots" / (_cached_commit(repo, None) or "none"))


@dataclass(frozen=True)
class _Snapshot:
    """A commit of a repository: the one that `revision` stands for now or, where the hub could not be asked, last stood for.

    `fault` is why it could not be asked. Then, and offline, `names` may be those of the cached files only.
    """

    repo: str
    revision: str | None
    commit: str
    names: list[str]
    fault: Exception | None = None

    def path(self, file: str, sha256: str | None = None) -> Path:
        """The file in the hub library's cache, fetched if it is missing."""
        import huggingface_hub as hub

        if cached := _cached(self.repo, file, self.commit):
            return cached
        if self.fault:
            raise self.fault
        if hub_offline():
            raise DownloadError(not_cached(self.repo, file, self.revision))
        url = hub.hf_hub_url(self.repo, file, revision=self.commit, endpoint=endpoint())
        etag = hub.get_hf_file_metadata(url).etag or ""
        if re.fullmatch("[0-9a-f]{64}", etag):  # a large file's is its SHA-256
            if sha256 not in (None, etag):
                raise DownloadError(f"{file} of {self.repo} at {endpoint()} has SHA-256 {etag}, expected {sha256}")
            self._fetch_large(url, file, etag)
        path = hub.hf_hub_download(  # of a large file, this finds the content that is fetched already
            self.repo, file, revision=self.commit, endpoint=endpoint(), library_name="seesay", library_version=__version__
        )
        return Path(path)

    def cached_weights(self, patterns: Iterable[str]) -> list[str]:
        """Weights in one file that are cached already: another program may prefer another of a repository's files."""
        cached = [name for name in self.names if "-of-" not in name and _cached(self.repo, name, self.commit)]
        with suppress(DownloadError):
            return select_files(cached, (), patterns)
        return []

    def _fetch_large(self, url: str, file: str, sha256: str) -> None:
        """Fetches to where the library looks for contents, under the library's lock."""
        import huggingface_hub as hub
        from huggingface_hub import constants

        store = _store(self.repo)
        target = store / "blobs" / sha256
        if target.exists():
            return
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else hub.get_token()
        transfer(
            url,
            target,
            sha256=sha256,
            partial=target.with_name(f"{sha256}.incomplete"),
            lock=Path(constants.HF_HUB_CACHE) / ".locks" / store.name / f"{sha256}.lock",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            label=file,
            hint=f"Another hub may have it: set HF_ENDPOINT to a mirror of {endpoint()}",
        )

    def remember(self) -> None:
        """Stores which commit the revision stands for, for when the hub cannot be asked."""
        if _cached_commit(self.repo, self.revision) != self.commit:
            _write_small(_ref(self.repo, self.revision), self.commit)


def _snapshot(repo: str, revision: str | None, file: str | None = None) -> _Snapshot:
    """The commit that a revision stands for, with its file names. Raises DownloadError and the hub library's errors.

    The hub is asked, unless offline or where a full commit hash, whose content never changes, is in the cache: its file names
    are stored in a listing, and with `file` that one is enough. Where there is no listing, because another program filled the
    cache, the cached files count when the hub cannot be asked.
    """
    import huggingface_hub as hub

    commit = _cached_commit(repo, revision)
    if commit and commit == revision and file and _cached(repo, file, commit):
        return _Snapshot(repo, revision, commit, [file])
    listed = _read_listing(repo, commit)
    if commit and listed and (hub_offline() or commit == revision):
        return _Snapshot(repo, revision, commit, listed)
    available = listed or _names_below(_store(repo) / "snapshots" / (commit or "none"))
    fault = None
    if not hub_offline():
        try:
            api = hub.HfApi(endpoint=endpoint(), library_name="seesay", library_version=__version__)
            info = api.model_info(repo, revision=revision, timeout=ASK_S)
            if info.sha is None or not _is_commit(info.sha):
                raise DownloadError(f"{endpoint()} does not say which commit of {repo} it has; is it a hub?")
            names = [file.rfilename for file in info.siblings or []]
            _write_small(_listing_file(repo, info.sha), json.dumps(names))
            return _Snapshot(repo, revision, info.sha, names)
        except _definite():
            raise
        except Exception as error:  # no connection, a hub that is down, a token that expired: what is cached still serves
            if not available:
                raise
            fault = error
    if commit is None or not available:
        raise DownloadError(not_cached(repo, file, revision))
    return _Snapshot(repo, revision, commit, available, fault)


def _git_hash(file: Path) -> str:
    """Git's hash of a blob, by which the hub library names small files."""
    data = file.read_bytes() if file.stat().st_size < 2**24 else b""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _cached(repo: str, file: str, commit: str) -> Path | None:
    import huggingface_hub as hub

    path = hub.try_to_load_from_cache(repo, file, revision=commit)
    return Path(path) if isinstance(path, str) else None


def _names_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _cached_commit(repo: str, revision: str | None) -> str | None:
    """The commit that a revision stands for in the cache."""
    if revision is not None and _is_commit(revision):
        return revision
    with suppress(OSError):
        commit = _ref(repo, revision).read_text(encoding="utf-8").strip()
        return commit if _is_commit(commit) else None
    return None


def _ref(repo: str, revision: str | None) -> Path:
    return _store(repo) / "refs" / (revision or MAIN)


def _listing_file(repo: str, commit: str) -> Path:
    return cache_dir() / "listings" / f"{repo.replace('/', '--')}@{commit}.json"


def _read_listing(repo: str, commit: str | None) -> list[str] | None:
    with suppress(OSError, ValueError):
        if commit is not None:
            return [str(name) for name in json.loads(_listing_file(repo, commit).read_text(encoding="utf-8"))]
    return None


def _write_small(file: Path, text: str) -> None:
    """Writes a small file. Failure is ignored: it only costs a request next time."""
    with suppress(OSError):
        write_atomically(file, text)


def _store(repo: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")


def _is_commit(revision: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def _definite() -> tuple[type[Exception], ...]:
    """The answers of a hub after which a cached copy would be the wrong answer."""
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, RevisionNotFoundError

    return EntryNotFoundError, HFValidationError, RevisionNotFoundError, DownloadError
