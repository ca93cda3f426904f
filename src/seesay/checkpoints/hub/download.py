"""Files of models from elsewhere: from a hub (`hub_file`, `hub_folder`) and from plain URLs (`url_file`).

Everything is fetched once. What comes from a hub lies in the hub library's own cache, shared with other programs, and that
library's settings hold: HF_HOME, HF_ENDPOINT (a mirror), HF_TOKEN, HF_HUB_OFFLINE. What comes from URLs lies in SeeSay's cache,
$SEESAY_CACHE. With SEESAY_OFFLINE=1 nothing is asked of anyone: what is cached is served, what is not is a DownloadError that
says how to get it. A commit given in full, once it is cached, is served without a request too, since it cannot change.

The hub library names files, finds versions and keeps the cache. The bytes of large files are moved by `transfer`, because the
library (since 1.0) starts a file anew when its process was ended, and because the SHA-256 that hubs publish is then checked.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from seesay._version import __version__
from seesay.checkpoints.hub.files import DESCRIPTIONS, WEIGHTS, chosen
from seesay.checkpoints.hub.transfer import digest, transfer
from seesay.errors import DownloadError, ModelError
from seesay.system.cache import cache_dir
from seesay.system.files import write_atomically
from seesay.system.network import env_flag, offline

MAIN = "main"
ASK_S = 10.0  # until a hub answers which commit a branch stands for


# From URLs


def url_file(url: str, *, sha256: str | None, name: str) -> Path:
    """The file behind `url`, cached as `name`. Its hash is checked at every call, and a damaged copy is fetched again.

    $SEESAY_MIRROR is asked instead of the URL's own host where it is set: a server that has the file at /host/path, as
    `wget --force-directories` lays it out. Raises DownloadError.
    """
    target = cached_url(name)
    if target.is_file():
        got = digest(target) if sha256 else None
        if got == sha256:
            return target
        problem = f"{target} is damaged (its SHA-256 is {got}, expected {sha256})"
    else:
        problem = f"{name} is not in the cache ({target})"
    if offline():
        raise DownloadError(
            f"{problem}, and SEESAY_OFFLINE is set. Run this once with a connection, or fetch {url} elsewhere and put it there"
        )
    hint = f"Set SEESAY_MIRROR to a server that has it, or fetch it elsewhere and put it at {target}"
    transfer(_mirrored(url), target, sha256=sha256, hint=hint)
    return target


def cached_url(name: str) -> Path:
    """Where `url_file` keeps what it fetched."""
    return cache_dir() / "files" / name


def _mirrored(url: str) -> str:
    mirror = os.environ.get("SEESAY_MIRROR")
    return f"{mirror.rstrip('/')}/{url.partition('://')[2]}" if mirror else url


# From a hub


def hub_file(repo: str, file: str, *, revision: str | None = None, sha256: str | None = None) -> Path:
    """One file of a repository ("owner/name") on the hub. `revision`: a branch, tag or commit; default the main branch.

    A cached copy whose SHA-256 is not the one given is fetched again, once. Raises DownloadError.
    """
    with _explained(repo, file, revision):
        snapshot = _snapshot(repo, revision, file)
        path = snapshot.path(file, sha256)
        if sha256 is not None and (got := digest(path)) != sha256:
            if path.resolve().name in (got, _git_hash(path)):  # what the hub has, so other programs may need it
                raise DownloadError(f"{file} of {repo} at {_endpoint()} has SHA-256 {got}, expected {sha256}")
            if _hub_offline() or snapshot.fault:
                raise DownloadError(
                    f"{file} of {repo} is damaged in the cache ({path}: its SHA-256 is {got}, expected {sha256}). "
                    "Run this once with a connection"
                )
            path.resolve().unlink(missing_ok=True)  # the content, and below the name that points to it
            path.unlink(missing_ok=True)
            path = snapshot.path(file, sha256)
            if (got := digest(path)) != sha256:
                raise DownloadError(f"{file} of {repo} at {_endpoint()} has SHA-256 {got}, expected {sha256}")
        snapshot.remember()
        return path


def hub_folder(
    repo: str,
    patterns: Iterable[str] = DESCRIPTIONS,
    *,
    weights: Iterable[str] = WEIGHTS,
    revision: str | None = None,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """The folder of a checkpoint on the hub: what `checkpoint_files.chosen` takes, and possibly more. Raises DownloadError.

    The files are of one commit, weights that are in the cache are taken before others, and the folder is not to be written
    to. check: is given the folder when all but the weights is there, and may raise a ModelError before these are fetched.
    """
    with _explained(repo, None, revision):
        snapshot = _snapshot(repo, revision)
        patterns, folder = tuple(patterns), None
        names = chosen(snapshot.names, patterns, snapshot.weights_here(weights) or weights, repo)
        for name in sorted(names, key=lambda name: name not in patterns):
            if check is not None and folder is not None and name not in patterns:
                check(folder)
                check = None
            folder = snapshot.path(name).parents[name.count("/")]
        snapshot.remember()  # last, so that offline a branch stands for a commit that is whole
        assert folder is not None
        return folder


def repos_fetched() -> list[tuple[str, Path]]:
    """The repositories that were asked for here and are in the hub library's cache, each with its folder there."""
    lists = cache_dir() / "listings"
    names = sorted({file.name.rpartition("@")[0].replace("--", "/", 1) for file in lists.glob("*@*.json")})
    return [(repo, folder) for repo in names if (folder := _store(repo)).is_dir()]


def hub_names_here(repo: str) -> list[str]:
    """The files of a repository's main branch that are in the cache, whoever put them there. Asks nobody."""
    return _names_below(_store(repo) / "snapshots" / (_known_commit(repo, None) or "none"))


@dataclass(frozen=True)
class _Snapshot:
    """A commit of a repository: the one that `revision` stands for now or, where the hub could not be asked, stood for.

    `fault` is why it could not be asked. Then, and offline, `names` may be only those of the files that are in the cache.
    """

    repo: str
    revision: str | None
    commit: str
    names: list[str]
    fault: Exception | None = None

    def path(self, file: str, sha256: str | None = None) -> Path:
        """Where a file lies in the hub library's cache, fetched if need be."""
        import huggingface_hub as hub

        if here := _cached(self.repo, file, self.commit):
            return here
        if self.fault:
            raise self.fault
        if _hub_offline():
            raise DownloadError(_missing(self.repo, file, self.revision))
        url = hub.hf_hub_url(self.repo, file, revision=self.commit, endpoint=_endpoint())
        named = hub.get_hf_file_metadata(url).etag or ""
        if re.fullmatch("[0-9a-f]{64}", named):  # a large file is named by its SHA-256
            if sha256 not in (None, named):
                raise DownloadError(f"{file} of {self.repo} at {_endpoint()} has SHA-256 {named}, expected {sha256}")
            self._fetch_large(url, file, named)
        path = hub.hf_hub_download(  # finds the large file fetched already
            self.repo, file, revision=self.commit, endpoint=_endpoint(), library_name="seesay", library_version=__version__
        )
        return Path(path)

    def weights_here(self, patterns: Iterable[str]) -> list[str]:
        """The weights that are in the cache already, put there by another program that prefers another of a repository's
        files; those in one file."""
        here = [name for name in self.names if "-of-" not in name and _cached(self.repo, name, self.commit)]
        with suppress(DownloadError):
            return chosen(here, (), patterns)
        return []

    def _fetch_large(self, url: str, file: str, sha256: str) -> None:
        """To where the library looks for contents, and under its lock."""
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
            hint=f"Another hub may have it: set HF_ENDPOINT to a mirror of {_endpoint()}",
        )

    def remember(self) -> None:
        """Keeps which commit the revision stands for, for when the hub cannot be asked."""
        if _known_commit(self.repo, self.revision) != self.commit:
            _keep(_ref(self.repo, self.revision), self.commit)


def _snapshot(repo: str, revision: str | None, file: str | None = None) -> _Snapshot:
    """Asks the hub, unless it is known already what a commit holds, which never changes.

    With `file`, its being in the cache is enough. What a commit holds is kept in a list; where there is none, because another
    program filled the cache, the files that are there must do when the hub cannot be asked.
    """
    import huggingface_hub as hub

    commit = _known_commit(repo, revision)
    if commit and commit == revision and file and _cached(repo, file, commit):
        return _Snapshot(repo, revision, commit, [file])
    listed = _read_list(repo, commit)
    if commit and listed and (_hub_offline() or commit == revision):
        return _Snapshot(repo, revision, commit, listed)
    there = listed or _names_below(_store(repo) / "snapshots" / (commit or "none"))
    fault = None
    if not _hub_offline():
        try:
            api = hub.HfApi(endpoint=_endpoint(), library_name="seesay", library_version=__version__)
            info = api.model_info(repo, revision=revision, timeout=ASK_S)
            if info.sha is None or not _is_commit(info.sha):
                raise DownloadError(f"{_endpoint()} does not say which commit of {repo} it has; is it a hub?")
            names = [file.rfilename for file in info.siblings or []]
            _keep(_list_file(repo, info.sha), json.dumps(names))
            return _Snapshot(repo, revision, info.sha, names)
        except _definite():
            raise
        except Exception as error:  # no connection, a hub that is down, a token that expired: what is cached still serves
            if not there:
                raise
            fault = error
    if commit is None or not there:
        raise DownloadError(_missing(repo, file, revision))
    return _Snapshot(repo, revision, commit, there, fault)


def _git_hash(file: Path) -> str:
    """By which the hub library names small files."""
    data = file.read_bytes() if file.stat().st_size < 2**24 else b""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _cached(repo: str, file: str, commit: str) -> Path | None:
    import huggingface_hub as hub

    found = hub.try_to_load_from_cache(repo, file, revision=commit)
    return Path(found) if isinstance(found, str) else None


def _names_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _known_commit(repo: str, revision: str | None) -> str | None:
    """The commit that the cache knows a revision by."""
    if revision is not None and _is_commit(revision):
        return revision
    with suppress(OSError):
        commit = _ref(repo, revision).read_text(encoding="utf-8").strip()
        return commit if _is_commit(commit) else None
    return None


def _ref(repo: str, revision: str | None) -> Path:
    return _store(repo) / "refs" / (revision or MAIN)


def _list_file(repo: str, commit: str) -> Path:
    return cache_dir() / "listings" / f"{repo.replace('/', '--')}@{commit}.json"


def _read_list(repo: str, commit: str | None) -> list[str] | None:
    with suppress(OSError, ValueError):
        if commit is not None:
            return [str(name) for name in json.loads(_list_file(repo, commit).read_text(encoding="utf-8"))]
    return None


def _keep(file: Path, text: str) -> None:
    """Writes a small file in one step. One that cannot be written only costs a question next time."""
    with suppress(OSError):
        write_atomically(file, text)


def _store(repo: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")


def _endpoint() -> str:
    """Read here as well as by the library, which looks only once, when it is imported."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _hub_offline() -> bool:
    return offline() or env_flag("HF_HUB_OFFLINE") or env_flag("TRANSFORMERS_OFFLINE")


def _is_commit(revision: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def _missing(repo: str, file: str | None, revision: str | None) -> str:
    from huggingface_hub import constants

    what = f"{file} of {repo}" if file else repo
    return (
        f"{what} (revision {revision or MAIN}) is not in the cache ({constants.HF_HUB_CACHE}), and SEESAY_OFFLINE "
        "or HF_HUB_OFFLINE is set. Run this once with a connection (HF_ENDPOINT may name a mirror), or copy the model's files "
        "into a folder and give the folder"
    )


def _definite() -> tuple[type[Exception], ...]:
    """The answers of a hub after which a cached copy would be the wrong answer."""
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, RevisionNotFoundError

    return EntryNotFoundError, HFValidationError, RevisionNotFoundError, DownloadError


@contextmanager
def _explained(repo: str, file: str | None, revision: str | None) -> Iterator[None]:
    """The hub library's errors, and those of whatever HTTP library it uses, as ours."""
    # Before the library is loaded: it would tell the hub what else is installed and, asking it how, who started this program.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import errors

    what = f"{file} of {repo}" if file else repo
    try:
        yield
    except ModelError:
        raise
    except errors.HFValidationError:
        raise DownloadError(f"{repo!r} names no repository on a hub; expected owner/name") from None
    except errors.OfflineModeIsEnabled:
        raise DownloadError(_missing(repo, file, revision)) from None
    except errors.GatedRepoError:
        raise DownloadError(
            f"{repo} is gated: its owner lets in whom they choose. Ask at {_endpoint()}/{repo}, then set HF_TOKEN to your token"
        ) from None
    except errors.RepositoryNotFoundError:
        raise DownloadError(
            f"{_endpoint()} has no repository {repo}, or it is private: check the name, or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise DownloadError(f"{repo} at {_endpoint()} has no revision {revision or MAIN!r}") from None
    except errors.LocalEntryNotFoundError as error:
        raise DownloadError(_unreachable(what, error)) from None
    except errors.EntryNotFoundError:
        raise DownloadError(f"{repo} at {_endpoint()} has no file {file} in revision {revision or MAIN}") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            token = "HF_TOKEN has no right to it" if os.environ.get("HF_TOKEN") else "set HF_TOKEN to a token that may read it"
            raise DownloadError(f"{_endpoint()} refuses {what} ({status}): {token}") from None
        raise DownloadError(f"{_endpoint()} answered {status} when asked for {what}") from None
    # requests, httpx or httpx2, whose errors have no ancestor in common.
    except Exception as error:
        raise DownloadError(_unreachable(what, error)) from error


def _unreachable(what: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return (
        f"{what} cannot be fetched from {_endpoint()}: {reason}. Check the connection, set HF_ENDPOINT to a mirror, or copy "
        "the model's files into a folder and give the folder"
    )
