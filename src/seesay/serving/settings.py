"""What whoever runs the server decides."""

import ipaddress
import re
from dataclasses import dataclass

from seesay.errors import InputError
from seesay.serving import limits

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Settings:
    """host: the address to listen at; beyond loopback it takes an api_key. names: under which others reach it there, beside
    its addresses. allow_urls: clients may name pictures by URL, on public addresses only.

    Limits of one request: body_bytes, pictures, urls (of them), texts, letters (of a text); of one picture: picture_bytes,
    pixels. Of all requests at once: bodies_bytes; waiting: texts under way, or a quarter as many pictures; beyond these clients
    are asked to come again. deadline_s: after which a request that is not answered is given up. Raises InputError.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = None
    names: tuple[str, ...] = ()
    allow_urls: bool = False
    body_bytes: int = limits.BODY_BYTES
    bodies_bytes: int = limits.ALL_BODIES_BYTES
    picture_bytes: int = limits.IMAGE_BYTES
    pixels: int = limits.IMAGE_PIXELS
    pictures: int = limits.REQUEST_IMAGES
    urls: int = limits.REQUEST_URLS
    texts: int = limits.REQUEST_TEXTS
    letters: int = limits.TEXT_LETTERS
    waiting: int = limits.WAITING_TEXTS
    deadline_s: float = limits.DEADLINE_S

    def __post_init__(self) -> None:
        if not self.local and self.api_key is None:
            raise InputError(
                f"listening at {self.host} lets other machines in, which takes a key: set SEESAY_API_KEY to a long random text "
                "(python3 -c 'import secrets; print(secrets.token_urlsafe())'), or leave out --host to serve this machine only"
            )
        if self.api_key is not None and (len(self.api_key) < limits.MIN_KEY_LETTERS or not self.api_key.isascii()):
            raise InputError(f"the API key is too easily guessed: expected at least {limits.MIN_KEY_LETTERS} ASCII characters")
        for name in self.names:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name.lower()):
                raise InputError(f"expected a host's name such as photos.example.org, got {name!r}")

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"

    def serves(self, host: str) -> bool:
        """Whether a request's Host header names this server. By a name of its own that resolves here, a page elsewhere would
        reach in (DNS rebinding); an address in figures cannot be rebound."""
        name = re.sub(r":\d+$", "", host.strip().lower())
        if name in LOOPBACK_NAMES or name in (known.lower() for known in self.names):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return not self.local
