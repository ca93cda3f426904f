"""What stands before every route: whose request it is, how large it may be, how long it may take to arrive; and its record.

Plain ASGI, so that a refused body is never read.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from seesay.serving.log import event
from seesay.serving.metrics import Metrics
from seesay.serving.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "seesay_session"
OPEN = ("/", "/healthz", "/v1/session", "/favicon.ico")  # without a key, beside the page's own files
PAGE = "/ui/"
ARRIVES_S = 60.0  # in which a body must be there
SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all, a form of the page itself would come from nowhere
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Keys:
    """Who may come in: whoever has the API key, or a cookie that a browser got for it. One server, one set of cookies."""

    def __init__(self, key: str | None) -> None:
        self._key = None if key is None else hashlib.sha256(key.encode()).digest()
        self._cookie = secrets.token_urlsafe(32)

    @property
    def needed(self) -> bool:
        return self._key is not None

    def opens(self, key: str) -> bool:
        """Compared in the same time whatever is wrong with it."""
        return self._key is not None and hmac.compare_digest(hashlib.sha256(key.encode("utf-8", "replace")).digest(), self._key)

    def cookie(self) -> str:
        return self._cookie

    def lets_in(self, headers: dict[str, str]) -> bool:
        if not self.needed:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.opens(token.strip()):
            return True
        try:
            held = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return held is not None and hmac.compare_digest(held.value.encode(), self._cookie.encode())


class Refused(HTTPException):
    """Of this type, so that it gets through the parsing of bodies as it is."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(status, message, {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}.get(status))
        self.kind = kind


@dataclass
class Body:
    """What has arrived of a request's."""

    bytes: int = 0
    whole: bool = False


class Guard:
    def __init__(self, app: App, settings: Settings, keys: Keys, metrics: Metrics) -> None:
        self.app, self.settings, self.keys, self.metrics = app, settings, keys, metrics
        self._held = 0  # bytes of bodies of all requests that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, status, begun = time.perf_counter(), 500, False
        body = Body()

        async def answer(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                told = {name for name, _ in message.get("headers", [])}
                extra = [(n.encode(), v.encode()) for n, v in SECURITY.items() if n.encode() not in told]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, self._bounded(receive, body), answer)
        except Refused as refused:
            if not begun:
                await _refuse(answer, refused)
        except Exception as error:
            event("error", logging.ERROR, path=scope["path"], error=f"{type(error).__name__}: {error}")
            if begun:
                raise
            await _refuse(answer, Refused(500, "the server failed at this; its log says more", "server_error"))
        finally:
            self._held -= body.bytes
            known = "/ui" if scope["path"].startswith(PAGE) else "none"
            route = getattr(scope.get("route"), "path", known)  # never the path itself: clients would make series as they like
            took = time.perf_counter() - begin
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(took)
            event("request", method=scope["method"], route=route, status=status, ms=round(1e3 * took, 1))

    def _check(self, scope: Scope) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self.settings.serves(host):
            raise Refused(421, f"this server does not answer for the name {host[:100]!r}; its owner can add it with --name")
        origin = headers.get("origin")
        if origin is not None and (origin == "null" or urlsplit(origin).netloc.lower() != host.lower()):
            raise Refused(403, "pages of other sites may not use this server")
        navigates = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] == "/"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates:
            raise Refused(403, "pages of other sites may not use this server")
        free = scope["path"] in OPEN or scope["path"].startswith(PAGE)
        if not free and not self.keys.lets_in(headers):
            raise Refused(401, "this server takes a key: send it as Authorization: Bearer KEY", "authentication_error")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.settings.body_bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        most = f"{self.settings.body_bytes / 2**20:g} MB"
        return Refused(413, f"a request holds at most {most}; send fewer or smaller pictures at once")

    def _bounded(self, receive: Receive, body: "Body") -> Receive:
        """Counts what really arrives, and in what time."""
        until = asyncio.get_running_loop().time() + ARRIVES_S

        async def bounded() -> Message:
            if body.whole:  # what comes after is only the client hanging up
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, f"the request did not arrive within {ARRIVES_S:g} s") from None
            arrived = len(message.get("body", b""))
            body.bytes += arrived
            self._held += arrived
            body.whole = not message.get("more_body", False)
            if body.bytes > self.settings.body_bytes:
                raise self._too_large()
            if self._held > max(self.settings.bodies_bytes, body.bytes):
                raise Refused(429, "the server holds all the requests that it can; try again in 1 s", "overloaded")
            return message

        return bounded


async def _refuse(send: Send, refused: Refused) -> None:
    """And hangs up: what else arrives is not read."""
    body = json.dumps({"error": {"message": refused.detail, "type": refused.kind, "param": None, "code": None}}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    headers |= dict(refused.headers or {})
    told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status_code, "headers": told})
    await send({"type": "http.response.body", "body": body})
