"""Brings one file here over http(s): resumed where it broke off, checked, and under its name only once it is whole.

For files of hundreds of megabytes over connections that break. What came so far lies in a partial file beside the target and is
kept when the connection, the process or the machine ends; the next run asks only for the rest. Two processes that want the same
file fetch it once.
"""

import hashlib
import http.client
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from seesay.errors import DownloadError
from seesay.system.files import lock_file
from seesay.system.network import USER_AGENT, tls_context
from seesay.system.progress import Progress as Tell
from seesay.system.progress import progress_lines

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

TIMEOUT_S = 30.0  # without a byte
TRIES = 6  # in a row that bring nothing; each byte that comes starts the count anew
PAUSE_S = 1.0  # before the second try; doubled before each further one
CHUNK = 1 << 20
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that another moment may differ


def transfer(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    partial: Path | None = None,
    lock: Path | None = None,
    headers: Mapping[str, str] | None = None,
    label: str | None = None,
    hint: str = "",
) -> None:
    """Fetches `url` to `target`, replacing what is there unless its SHA-256 is right (without one: unless it is there).

    `label` names it beside the bar; `hint` is said where the server cannot be reached. Raises DownloadError.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http:// and https:// are fetched")
    partial = partial or target.with_name(target.name + ".part")
    lock = lock or target.with_name(target.name + ".lock")
    with _writing(target):
        for folder in (target.parent, partial.parent, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
    with _held(lock, label or target.name):
        if target.is_file() and (sha256 is None or digest(target) == sha256):
            return  # another process was faster
        if sha256 is None:
            partial.unlink(missing_ok=True)  # nothing could tell whether it is the beginning of the same file
        source = _Source(url, partial, headers or {}, label or target.name, hint)
        at_once = source.stream()
        if sha256 is not None and (got := digest(partial)) != sha256:
            size = partial.stat().st_size
            partial.unlink()
            if not at_once:  # what an earlier run or connection left may be at fault
                source.stream()
                got, size = digest(partial), partial.stat().st_size
            if got != sha256:
                partial.unlink(missing_ok=True)
                raise DownloadError(
                    f"{url}: the file that came is not the one expected: SHA-256 {got} ({size} bytes), expected {sha256}. "
                    "The server or something on the way altered it; try another network or mirror"
                )
        with _writing(target):
            os.replace(partial, target)


def digest(file: Path) -> str:
    """SHA-256 in hex; about a second per gigabyte."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Broken(Exception):
    """The transfer ended early in a way that another try may mend."""


class _Source:
    """Streams a URL to the end of a partial file, over as many connections as it takes."""

    def __init__(self, url: str, partial: Path, headers: Mapping[str, str], label: str, hint: str) -> None:
        self.url = url
        self.partial = partial
        self.headers = {"User-Agent": USER_AGENT, **headers, "Accept-Encoding": "identity"}
        self.label = label
        self.hint = hint

    def stream(self) -> bool:
        """Until the file is whole. Returns whether it came at once, from nothing and over one connection."""
        at_once = self._have() == 0
        tries, moved, version = 0, False, ""
        with _progress() as progress:
            bar = progress.add_task(self.label, total=None)
            tell = progress_lines(f"{self.label} (MB)") if progress.disable else None
            while True:
                before = self._have()
                try:
                    with self._open(before, version) as response:
                        version = response.headers.get("ETag", "")
                        self._append(response, before, progress, bar, tell)
                    return at_once
                except _Broken as fault:
                    grown = self._have() > before
                    moved |= grown
                    tries = 1 if grown else tries + 1
                    if tries >= (TRIES if moved else 2):  # where nobody answers at all, say so soon
                        raise DownloadError(self._given_up(fault)) from None
                    at_once = False
                    time.sleep(PAUSE_S * 2 ** (tries - 1))
                except _Whole:
                    return False

    def _have(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _given_up(self, fault: _Broken) -> str:
        have = self._have()
        kept = f". {have / 2**20:.1f} MB are kept; run the same again to go on from there" if have else ""
        return f"{self.url}: {fault}{kept}" + (f". {self.hint}" if self.hint else "")

    @contextmanager
    def _open(self, have: int, version: str) -> Iterator[http.client.HTTPResponse]:
        request = urllib.request.Request(self.url, headers=self.headers)
        if have:
            request.add_header("Range", f"bytes={have}-")
            if version and not version.startswith("W/"):
                request.add_header("If-Range", version)  # a file that changed meanwhile comes whole
        try:
            with _opener().open(request, timeout=TIMEOUT_S) as response:
                yield response
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and have:  # there is nothing beyond what we have
                if error.headers.get("Content-Range", "").endswith(f"*/{have}"):
                    raise _Whole from None
                self.partial.unlink()
                raise _Broken("the server has another file than before") from None
            answer = f"the server answered {error.code} {error.reason}"
            if error.code in PASSING:
                raise _Broken(answer) from None
            raise DownloadError(f"{self.url}: {answer}") from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise DownloadError(f"{self.url}: the server's certificate is not trusted ({cause.verify_message})") from None
            raise _Broken(f"the connection failed ({str(cause) or type(cause).__name__})") from None

    def _append(
        self, response: http.client.HTTPResponse, have: int, progress: "Progress", bar: "TaskID", tell: Tell | None
    ) -> None:
        start = 0  # 200: the server does not do ranges, or the file changed
        if response.status == 206:
            found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            start = int(found[1]) if found else -1
            if start != have:
                self.partial.unlink()
                raise _Broken("the server sent another part than was asked for")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{self.url}: the server sent it packed, though asked not to")
        total = None if response.length is None else start + response.length
        progress.update(bar, total=total, completed=start)
        with _writing(self.partial):
            stream = self.partial.open("ab" if start else "wb", buffering=0)
        with stream:
            while chunk := response.read1(CHUNK):
                self._write(stream, chunk)
                progress.advance(bar, len(chunk))
                start += len(chunk)
                if tell is not None and total is not None:
                    tell(start // 10**6, total // 10**6)
            with _writing(self.partial):
                os.fsync(stream.fileno())
        if total is not None and self._have() != total:
            raise _Broken(f"the connection ended after {self._have()} of {total} bytes")

    def _write(self, stream: IO[bytes], chunk: bytes) -> None:
        with _writing(self.partial):
            left = memoryview(chunk)
            while left:
                left = left[stream.write(left) :]


class _Whole(Exception):
    """The partial file was whole already."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and tells no other host who we are: a hub's storage lies elsewhere and has signed URLs."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            following.remove_header("Authorization")
        return following


def _opener() -> urllib.request.OpenerDirector:
    """http(s) and the proxies that the environment names; unlike urllib's own opener, no files and no ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=tls_context()),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"cannot write {file}: {error.strerror or error}. SEESAY_CACHE and HF_HOME say where downloads are kept"
        ) from None


@contextmanager
def _held(lock: Path, label: str) -> Iterator[None]:
    """The lock of one file, which the system lets go however the process ends."""
    with _writing(lock):
        try:
            held = lock_file(lock, wait=False)
        except BlockingIOError:
            if sys.stderr.isatty():
                print(_("seesay: waiting for another process that is fetching {label}").format(label=label), file=sys.stderr)
            held = lock_file(lock, wait=True)
    try:
        yield
    finally:
        held.release()


def _progress() -> "Progress":
    """A bar on stderr where that is a terminal; disabled elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    terminal = sys.stderr.isatty()
    console = Console(stderr=True, quiet=not terminal)  # a disabled Progress of rich 13 still ends with an empty line
    return Progress(*columns, console=console, transient=True, disable=not terminal)
