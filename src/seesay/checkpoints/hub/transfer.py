"""Downloads one file over http(s): resumed after interruptions, verified, and renamed only when it is complete.

For files of hundreds of megabytes over unreliable connections. A partial file beside the target outlives the connection, the
process and the machine; the next run asks for the rest only. Two processes that need the same file fetch it once.
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

from seesay.checkpoints.hub.allowance import Allowance, check_room
from seesay.checkpoints.hub.patience import PAUSE_S as BUSY_PAUSE_S
from seesay.checkpoints.hub.patience import Patience, busy, retry_after_s
from seesay.errors import DownloadError
from seesay.system.files import lock_file
from seesay.system.network import USER_AGENT, tls_context
from seesay.system.progress import Progress as ProgressLines
from seesay.system.progress import progress_lines

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

TIMEOUT_S = 30.0  # without receiving a byte
TRIES = 6  # in a row without receiving a byte
PAUSE_S = 1.0  # before the second try; doubled before each further one
CHUNK = 1 << 20
TOO_MANY = 429
TEMPORARY = (408, 425, 500, 502, 503, 504)  # HTTP statuses after which another try may succeed

ALTERED = "The server or something on the way altered it; try another network or mirror"


def transfer(
    url: str,
    target: Path,
    *,
    expected: str | None,
    partial: Path | None = None,
    lock: Path | None = None,
    headers: Mapping[str, str] | None = None,
    label: str | None = None,
    hint: str = "",
    allowance: Allowance | None = None,
    if_other: str = ALTERED,
) -> None:
    """Downloads `url` to `target`, unless that exists with the expected hash (or exists, if none is expected).

    expected: a SHA-256, or git's hash of a blob. label: the file's name beside the progress bar. hint: advice for where the
    server cannot be reached. allowance: asked for the file's size before its first byte. if_other: advice for where the content
    is another than expected. Raises DownloadError.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http:// and https:// are fetched")
    partial = partial or target.with_name(target.name + ".part")
    lock = lock or target.with_name(target.name + ".lock")
    with _write_errors(target):
        for folder in (target.parent, partial.parent, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
    with _locked(lock, label or target.name):
        if target.is_file() and (expected is None or content_hash(target, expected) == expected):
            return  # another process was faster
        if expected is None:
            partial.unlink(missing_ok=True)  # without a hash, its beginning could be another file's
        _stream_verified(_Download(url, partial, headers or {}, label or target.name, hint, allowance), expected, if_other)
        with _write_errors(target):
            os.replace(partial, target)


def _stream_verified(download: "_Download", expected: str | None, if_other: str) -> None:
    """Fills the partial file. Raises DownloadError, and removes it, where its hash is another than the expected one."""
    partial = download.partial
    uninterrupted = download.stream()
    if expected is None or (actual := content_hash(partial, expected)) == expected:
        return
    size = partial.stat().st_size
    partial.unlink()
    if not uninterrupted:  # the part of an earlier run or connection may be at fault
        download.stream()
        actual, size = content_hash(partial, expected), partial.stat().st_size
    if actual != expected:
        partial.unlink(missing_ok=True)
        kind = "SHA-256" if len(expected) == 64 else "git hash"
        raise DownloadError(
            f"{download.url}: the file that came is not the one expected: {kind} {actual} ({size} bytes), expected {expected}. "
            f"{if_other}"
        )


def digest(file: Path) -> str:
    """SHA-256 in hex; about a second per gigabyte."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_hash(file: Path, like: str) -> str:
    """A file's hash of the kind of another: SHA-256 if that has 64 digits, else git's, by which hubs name small files."""
    if len(like) == 64:
        return digest(file)
    hasher = hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


class _Interrupted(Exception):
    """The transfer ended early, and another try may succeed."""


class _Busy(_Interrupted):
    """The server asks to wait, for `seconds`."""

    def __init__(self, answer: str, seconds: float) -> None:
        super().__init__(answer)
        self.seconds = seconds


class _AlreadyComplete(Exception):
    """The partial file was complete already."""


class _Download:
    """Streams a URL into a partial file, over as many connections as it takes."""

    def __init__(
        self, url: str, partial: Path, headers: Mapping[str, str], label: str, hint: str, allowance: Allowance | None
    ) -> None:
        self.url = url
        self.partial = partial
        self.headers = {"User-Agent": USER_AGENT, **headers, "Accept-Encoding": "identity"}
        self.label = label
        self.hint = hint
        self.allowance = allowance
        self.patience = Patience(urlsplit(url).netloc)

    def stream(self) -> bool:
        """Streams until the file is complete; returns True if it arrived from its first byte over one connection."""
        uninterrupted = self._size() == 0
        tries, received, version = 0, False, ""
        with _progress() as progress:
            bar = progress.add_task(self.label, total=None)
            log = progress_lines(f"{self.label} (MB)") if progress.disable else None
            while True:
                before = self._size()
                try:
                    with self._open(before, version) as response:
                        version = response.headers.get("ETag", "")
                        self._append(response, before, progress, bar, log)
                    return uninterrupted
                except _Busy as fault:
                    if not self.patience.wait(fault.seconds):
                        raise busy(self.patience.server, self.label, fault.seconds) from None
                except _Interrupted as fault:
                    grown = self._size() > before
                    received |= grown
                    tries = 1 if grown else tries + 1
                    if tries >= (TRIES if received else 2):  # a server that never answers is reported soon
                        raise DownloadError(self._failure(fault)) from None
                    uninterrupted = False
                    time.sleep(PAUSE_S * 2 ** (tries - 1))
                except _AlreadyComplete:
                    return False

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _failure(self, fault: _Interrupted) -> str:
        size = self._size()
        note = f". {size / 2**20:.1f} MB are kept; run the same again to go on from there" if size else ""
        return f"{self.url}: {fault}{note}" + (f". {self.hint}" if self.hint else "")

    @contextmanager
    def _open(self, start: int, version: str) -> Iterator[http.client.HTTPResponse]:
        request = urllib.request.Request(self.url, headers=self.headers)
        if start:
            request.add_header("Range", f"bytes={start}-")
            if version and not version.startswith("W/"):
                request.add_header("If-Range", version)  # a file that has changed is sent from its beginning
        try:
            with _opener().open(request, timeout=TIMEOUT_S) as response:
                yield response
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and start:  # the file has no bytes beyond `start`
                if error.headers.get("Content-Range", "").endswith(f"*/{start}"):
                    raise _AlreadyComplete from None
                self.partial.unlink()
                raise _Interrupted("the server has another file than before") from None
            answer = f"the server answered {error.code} {error.reason}"
            asked_s = retry_after_s(error.headers)
            if error.code == TOO_MANY or (error.code in TEMPORARY and asked_s is not None):
                raise _Busy(answer, BUSY_PAUSE_S if asked_s is None else asked_s) from None
            if error.code in TEMPORARY:
                raise _Interrupted(answer) from None
            raise DownloadError(f"{self.url}: {answer}") from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise DownloadError(f"{self.url}: the server's certificate is not trusted ({cause.verify_message})") from None
            raise _Interrupted(f"the connection failed ({str(cause) or type(cause).__name__})") from None

    def _append(
        self, response: http.client.HTTPResponse, size: int, progress: "Progress", bar: "TaskID", log: ProgressLines | None
    ) -> None:
        """Writes a response's body; `size`: of the partial file."""
        start = 0  # status 200: the server does not support ranges, or the file changed
        if response.status == 206:
            match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            start = int(match[1]) if match else -1
            if start != size:
                self.partial.unlink()
                raise _Interrupted("the server sent another part than was asked for")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{self.url}: the server sent it packed, though asked not to")
        total = None if response.length is None else start + response.length
        if total is not None:
            if self.allowance is not None:
                self.allowance.check(total - start, self.partial)
            check_room(total - start, self.partial, self.label)
        progress.update(bar, total=total, completed=start)
        with _write_errors(self.partial):
            stream = self.partial.open("ab" if start else "wb", buffering=0)
        with stream:
            while chunk := response.read1(CHUNK):
                self._write(stream, chunk)
                progress.advance(bar, len(chunk))
                start += len(chunk)
                if log is not None and total is not None:
                    log(start // 10**6, total // 10**6)
            with _write_errors(self.partial):
                os.fsync(stream.fileno())
        if total is not None and self._size() != total:
            raise _Interrupted(f"the connection ended after {self._size()} of {total} bytes")

    def _write(self, stream: IO[bytes], chunk: bytes) -> None:
        with _write_errors(self.partial):
            remaining = memoryview(chunk)
            while remaining:
                remaining = remaining[stream.write(remaining) :]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects without sending the token to another host: a hub's storage is elsewhere and has signed URLs."""

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
    """An opener for http(s), with the environment's proxies; unlike urllib's own, without file: and ftp:."""
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
def _write_errors(file: Path) -> Iterator[None]:
    """Turns an OSError into a DownloadError that names the settings of the caches."""
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"cannot write {file}: {error.strerror or error}. SEESAY_CACHE and HF_HOME say where downloads are kept"
        ) from None


@contextmanager
def _locked(lock: Path, label: str) -> Iterator[None]:
    """Holds the lock of one file, which the system releases however the process ends."""
    with _write_errors(lock):
        try:
            file_lock = lock_file(lock, wait=False)
        except BlockingIOError:
            if sys.stderr.isatty():
                print(_("seesay: waiting for another process that is fetching {label}").format(label=label), file=sys.stderr)
            file_lock = lock_file(lock, wait=True)
    try:
        yield
    finally:
        file_lock.release()


def _progress() -> "Progress":
    """A progress bar on stderr; disabled where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    terminal = sys.stderr.isatty()
    console = Console(stderr=True, quiet=not terminal)  # a disabled Progress of rich 13 still ends with an empty line
    return Progress(*columns, console=console, transient=True, disable=not terminal)
