"""Fetches one picture from a URL over http(s), bounded in bytes, time and redirects.

The server is not trusted: it may lie about length and type, send a byte a second, or redirect anywhere. The host of each hop
is resolved once, `allow` decides about its addresses, and the connection goes to one of exactly these. So a policy ("public
addresses only", for a server that takes URLs from strangers) holds for redirects too, and a name that resolves differently the
second time cannot evade it. Proxies of the environment are not used: they would connect where they like.

Whatever goes wrong is an UnreadableImage of this picture alone, `transient` if another try may succeed.
"""

import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from seesay.errors import UnreadableImage
from seesay.system.network import USER_AGENT, offline, tls_context
from seesay.system.paths import printable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Allow = Callable[[Address], bool]

REDIRECTS = (301, 302, 303, 307, 308)
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # statuses that may change
UNTYPED = ("application/octet-stream", "binary/octet-stream", "")  # content types of storage that knows no type
CONNECT_S = 5.0  # per address: one that never answers leaves time for the next
CHUNK = 64 * 1024
PATH_LETTERS = "/%:@!$&'()*+,;=~"  # stay as they are in a path; % because encoded parts are not encoded again
URL_LETTERS = PATH_LETTERS + "?#[]"


@dataclass(frozen=True)
class Limits:
    """Limits of one fetch. seconds: of connecting, redirects and body together, without the system's look-up of names."""

    bytes: int = 50 * 2**20
    seconds: float = 20.0
    redirects: int = 3


LIMITS = Limits()


def fetch(url: str, limits: Limits = LIMITS, allow: Allow | None = None) -> bytes:
    """The bytes at a URL; whether they are a picture is for the decoder to say. Raises UnreadableImage.

    allow: a policy, called with every address that a host resolves to (an IPv4 address inside IPv6 is unwrapped first); one
    refusal refuses the host. By default all are allowed: the user chose the URL.
    """
    name = printable_url(url)
    if offline():
        raise UnreadableImage(name, "was not fetched, because SEESAY_OFFLINE is set")
    deadline = time.monotonic() + limits.seconds
    current = url
    for _ in range(limits.redirects + 1):
        try:
            answer = _request(current, name, limits, deadline, allow)
        except TimeoutError:
            raise UnreadableImage(name, f"did not arrive within {limits.seconds:g} seconds", transient=True) from None
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise UnreadableImage(name, f"the connection broke ({reason})", transient=True) from None
        if isinstance(answer, bytes):
            return answer
        current = answer.url
    raise UnreadableImage(name, f"is redirected more than {limits.redirects} times")


def printable_url(url: str) -> str:
    """A URL for messages, without password and control characters."""
    text = re.sub(r"^(\w+://)[^/?#]*@", r"\1...@", url)
    return printable(text.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True)
class _Redirect:
    url: str


def _request(url: str, name: str, limits: Limits, deadline: float, allow: Allow | None) -> bytes | _Redirect:
    parts, host, port = _parse(url, name)
    target = quote(parts.path or "/", safe=PATH_LETTERS, errors="replace")
    if parts.query:
        target += "?" + quote(parts.query, safe=URL_LETTERS, errors="replace")
    secure = tls_context() if parts.scheme == "https" else None
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(host, port)  # given a socket below: by itself it would connect by name
    connection.sock = _connect(host, port, secure, name, deadline, allow)
    try:
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
        connection.request("GET", target, headers=headers)
        with connection.getresponse() as response:
            location = response.getheader("Location")
            if response.status in REDIRECTS and location:
                # http.client decodes headers as latin-1, so this encodes the bytes that were sent.
                return _Redirect(urljoin(url, quote(location, safe=URL_LETTERS, encoding="latin-1")))
            _check_head(response, name, limits)
            return _body(response, name, limits)
    finally:
        connection.close()


def _parse(url: str, name: str) -> tuple[SplitResult, str, int]:
    """The parts of a URL, its host in ASCII and its port; the connection uses what is checked here."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise UnreadableImage(name, f"is not a URL that can be fetched ({error})") from None
    if parts.scheme not in ("http", "https"):
        raise UnreadableImage(name, f"only http:// and https:// are fetched, not {printable(parts.scheme)}://")
    if "@" in parts.netloc:
        raise UnreadableImage(name, "holds a user name or password; fetch it yourself and give the file or its bytes")
    if not host:
        raise UnreadableImage(name, "is not a URL that can be fetched (it has no host)")
    return parts, host, port


def _connect(
    host: str, port: int, secure: ssl.SSLContext | None, name: str, deadline: float, allow: Allow | None
) -> "_BoundedSocket":
    """Connects to one of the resolved and allowed addresses of a host, by TLS if `secure` is given."""
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableImage(name, f"the host {host} cannot be found ({reason})", transient=True) from None
    ends = list(dict.fromkeys((family, end) for family, _, _, _, end in resolved))
    for _, end in ends:
        address = ipaddress.ip_address(end[0])
        if allow is not None and not allow(getattr(address, "ipv4_mapped", None) or address):
            raise UnreadableImage(name, f"the host {host} is at an address that may not be fetched from")
    fault: OSError | None = None
    for family, end in ends:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_S, _remaining(deadline)))
            sock.connect(end)
            sock.settimeout(_remaining(deadline))
            return _BoundedSocket(secure.wrap_socket(sock, server_hostname=host) if secure else sock, deadline)
        except OSError as error:
            sock.close()
            _remaining(deadline)
            fault = error
    raise UnreadableImage(name, f"no connection to {host} port {port} ({fault})", transient=True)


def _check_head(response: http.client.HTTPResponse, name: str, limits: Limits) -> None:
    if response.status != 200:
        reason = f"the server answered {response.status} {response.reason}".rstrip()
        raise UnreadableImage(name, printable(reason), transient=response.status in TRANSIENT)
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if not kind.startswith("image/") and kind not in UNTYPED:
        page = " It is a web page; give the URL of the picture itself" if kind == "text/html" else ""
        raise UnreadableImage(name, f"the server sent {printable(kind)}, not a picture.{page}".removesuffix("."))
    packed = (response.getheader("Content-Encoding") or "identity").strip().lower()
    if packed != "identity":
        raise UnreadableImage(name, f"the server sent it packed ({printable(packed)}), though asked not to")
    if response.length is not None and response.length > limits.bytes:
        raise _too_large(name, limits)


def _body(response: http.client.HTTPResponse, name: str, limits: Limits) -> bytes:
    promised = response.length
    data = bytearray()
    while chunk := response.read1(CHUNK):
        data += chunk
        if len(data) > limits.bytes:
            raise _too_large(name, limits)
    if promised is not None and len(data) < promised:
        raise UnreadableImage(name, f"broke off after {len(data)} of {promised} bytes", transient=True)
    return bytes(data)


def _too_large(name: str, limits: Limits) -> UnreadableImage:
    return UnreadableImage(name, f"is larger than {limits.bytes / 2**20:g} MB, the most that is fetched")


def _remaining(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _BoundedSocket:
    """A connected socket whose reads must all end before a deadline, with the few methods that http.client calls.

    A plain time-out starts anew with every byte: a server that sends one a second would never be given up.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_remaining(self._deadline))
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._sock, self._deadline), CHUNK)

    def close(self) -> None:
        self._sock.close()


class _BoundedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._stream = sock.makefile("rb", buffering=0)  # keeps the socket open until this is closed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_remaining(self._deadline))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()
