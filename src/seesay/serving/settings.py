"""The settings of a server: address, key, names, and limits that its operator may change."""

import ipaddress
import re
from dataclasses import dataclass

from seesay.errors import InputError
from seesay.serving import limits

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Settings:
    """host: the address to listen at; one beyond loopback requires an api_key. names: host names of the server, beside its
    addresses. allow_urls: clients may name images by URL, at public addresses only.

    The other fields are limits, of which `limits.py` says more. One request: body_bytes, pictures, urls (of the pictures),
    texts, letters (of a text). One image: picture_bytes, pixels. All requests at once: bodies_bytes; waiting: texts under way,
    or a quarter as many images. deadline_s: time to answer a request. Raises InputError.
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
        """True if only this machine reaches the server."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"

    def serves(self, host: str) -> bool:
        """True if a Host header names this server. Any other name that resolves to it would let a page elsewhere in (DNS
        rebinding); a numeric address cannot be rebound."""
        name = re.sub(r":\d+$", "", host.strip().lower())
        if name in LOOPBACK_NAMES or name in map(str.lower, self.names):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return not self.local
