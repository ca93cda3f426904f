"""The server's API key, and the cookie that a browser gets for it."""

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from fastapi.security import HTTPBearer

COOKIE = "seesay_session"
# Describes the key in OpenAPI only; the middleware checks it before any route.
KEY = HTTPBearer(auto_error=False, description="the server's key, where it has one; browsers sign in at /v1/session instead")


class Keys:
    """Lets in whoever holds the API key, or the cookie of this server's process; everybody where there is no key."""

    def __init__(self, key: str | None) -> None:
        self._digest = None if key is None else _digest(key)
        self._cookie = secrets.token_urlsafe(32)

    @property
    def needed(self) -> bool:
        """True if the server has a key."""
        return self._digest is not None

    def opens(self, key: str) -> bool:
        """Whether this is the API key; compared in constant time."""
        return self._digest is not None and hmac.compare_digest(_digest(key), self._digest)

    def cookie(self) -> str:
        """The cookie's value, which differs from start to start of the server."""
        return self._cookie

    def lets_in(self, headers: dict[str, str]) -> bool:
        """Whether a request may pass. headers: its own, by their names in lower case."""
        if not self.needed:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.opens(token.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self._cookie.encode())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
