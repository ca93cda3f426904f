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
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from seesay.serving import limits
from seesay.serving.errors import SERVER_FAULT
from seesay.serving.log import event
from seesay.serving.metrics import Metrics
from seesay.serving.schemas.answers import Fault
from seesay.serving.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "seesay_session"
OPEN = ("/", "/healthz", "/v1/session", "/favicon.ico")  # without a key, beside the page's own files
PAGE = "/ui/"
ONCE = (b"host", b"origin", b"authorization", b"sec-fetch-site", b"sec-fetch-mode")  # what is decided by
# For the description of the routes only: whether it is there is looked at before any route.
KEY = HTTPBearer(auto_error=False, description="the server's key, where it has one; browsers sign in at /v1/session instead")
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

    def __init__(self, status: int, code: str, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(
            status,
            message,
            {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": str(limits.GUARD_RETRY_AFTER_S)}}.get(status),
        )
        self.code, self.kind = code, kind


def wrong_key() -> Refused:
    return Refused(401, "wrong_key", "this is not the server's key", "authentication_error")


@dataclass
class Body:
    """What has arrived of a request's, and how much of it may."""

    most: int
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
        begin, status, begun, replaced = time.perf_counter(), 500, False, False
        body = Body(limits.KEYLESS_BODY_BYTES if _open(scope["path"]) else self.settings.body_bytes)

        async def answer(message: Message) -> None:
            nonlocal status, begun, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                if message["status"] >= 400 and not _is_json(message):  # a web server's, such as of a range that is not there
                    await _refuse(answer, _other(message))
                    replaced = True
                    return
                status, begun = message["status"], True
                told = {name for name, _ in message.get("headers", [])}
                extra = [(n.encode(), v.encode()) for n, v in SECURITY.items() if n.encode() not in told]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        try:
            self._check(scope, body)
            await self.app(scope, self._bounded(receive, body), answer)
        except Refused as refused:
            if not begun:
                await _refuse(answer, refused)
        except Exception as error:
            event("error", logging.ERROR, error, path=scope["path"])
            if begun:
                raise
            await _refuse(answer, Refused(500, SERVER_FAULT.code, SERVER_FAULT.message, SERVER_FAULT.type))
        finally:
            self._held -= body.bytes
            known = "/ui" if scope["path"].startswith(PAGE) else "none"
            route = getattr(scope.get("route"), "path", known)  # never the path itself: clients would make series as they like
            took = time.perf_counter() - begin
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(took)
            event("request", method=scope["method"], route=route, status=status, ms=round(1e3 * took, 1))

    def _check(self, scope: Scope, body: Body) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        counts = Counter(name.lower() for name, _ in scope["headers"])
        if twice := [name.decode() for name in ONCE if counts[name] > 1]:  # a proxy may have looked at the other one
            raise Refused(400, "bad_request", f"the header {twice[0]} was sent more than once")
        host = headers.get("host", "")
        if not self.settings.serves(host):
            raise Refused(
                421, "wrong_host", f"this server does not answer for the name {host[:100]!r}; its owner can add it with --name"
            )
        origin = headers.get("origin")
        if origin is not None and _site(origin) != host.lower():
            raise Refused(403, "cross_site", "pages of other sites may not use this server")
        navigates = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] == "/"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates:
            raise Refused(403, "cross_site", "pages of other sites may not use this server")
        if not _open(scope["path"]) and not self.keys.lets_in(headers):
            if "authorization" in headers:
                raise wrong_key()
            told = "this server takes a key: send it as Authorization: Bearer KEY"
            raise Refused(401, "key_required", told, "authentication_error")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:20]) > body.most:
            raise _too_large(body)

    def _bounded(self, receive: Receive, body: Body) -> Receive:
        """Counts what really arrives, and in what time."""
        until = asyncio.get_running_loop().time() + limits.BODY_ARRIVES_S

        async def bounded() -> Message:
            if body.whole:  # what comes after is only the client hanging up
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, "too_slow", f"the request did not arrive within {limits.BODY_ARRIVES_S:g} s") from None
            arrived = len(message.get("body", b""))
            body.bytes += arrived
            self._held += arrived
            body.whole = not message.get("more_body", False)
            if body.bytes > body.most:
                raise _too_large(body)
            if self._held > max(self.settings.bodies_bytes, body.bytes):
                raise Refused(429, "busy", "the server holds all the requests that it can; try again in 1 s", "overloaded")
            return message

        return bounded


def _open(path: str) -> bool:
    return path in OPEN or path.startswith(PAGE)


def _site(origin: str) -> str | None:
    """The host of an Origin header; None where it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _too_large(body: Body) -> Refused:
    most = f"{body.most / 2**20:g} MB" if body.most >= 2**20 else f"{body.most:,} bytes"
    return Refused(413, "too_large", f"a request holds at most {most} here; send fewer or smaller pictures at once")


def _is_json(start: Message) -> bool:
    kinds = [value for name, value in start.get("headers", []) if name == b"content-type"]
    return bool(kinds) and kinds[0].startswith(b"application/json")


def _other(start: Message) -> Refused:
    """An answer of the framework's own, which has no form that programs could read, as one of ours."""
    status, kept = start["status"], [value.decode() for name, value in start.get("headers", []) if name == b"content-range"]
    if status == 416:
        refused = Refused(status, "bad_range", f"the range is none of the file's ({kept[0]})" if kept else "no such range")
        refused.headers = {"Content-Range": kept[0]} if kept else None
        return refused
    return Refused(status, HTTPStatus(status).name.lower(), HTTPStatus(status).phrase)


async def _refuse(send: Send, refused: Refused) -> None:
    """And hangs up: what else arrives is not read."""
    fault = Fault(message=refused.detail, type=refused.kind, code=refused.code)
    body = json.dumps({"error": fault.model_dump()}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    headers |= dict(refused.headers or {})
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": body})
