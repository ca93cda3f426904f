"""ASGI middleware: authentication, Host and Origin checks, body-size and read-timeout limits, access log.

It is plain ASGI, so that a refused body is never read.
"""

import asyncio
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seesay.serving import limits
from seesay.serving.errors import INVALID, SERVER_FAULT
from seesay.serving.guard.keys import Keys
from seesay.serving.log import event
from seesay.serving.metrics import Metrics
from seesay.serving.schemas.answers import Fault
from seesay.serving.settings import Settings

WITHOUT_KEY = ("/", "/healthz", "/v1/session", "/favicon.ico")  # beside the page's own files
PAGE_FILES = "/ui/"
# Decisions depend on these headers. Sent twice, a proxy may have looked at the other one.
SINGLE_HEADERS = (b"host", b"origin", b"authorization", b"sec-fetch-site", b"sec-fetch-mode")
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all, the page's own forms would have no origin
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Refused(HTTPException):
    """A request that is answered before its route. It is no SeeSayError: as an HTTPException it passes unchanged through
    FastAPI's parsing of bodies, and it carries a response, not a cause."""

    def __init__(self, status: int, code: str, message: str, kind: str = INVALID) -> None:
        headers: dict[int, dict[str, str]] = {
            HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
            HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": str(limits.GUARD_RETRY_AFTER_S)},
        }
        super().__init__(status, message, headers.get(status))
        self.code = code
        self.kind = kind


def wrong_key() -> Refused:
    """The answer to a key that is not the server's."""
    return Refused(401, "wrong_key", "this is not the server's key", "authentication_error")


@dataclass
class _Body:
    """How much of a request's body has arrived, and how much may."""

    most_bytes: int
    bytes: int = 0
    complete: bool = False


@dataclass
class _Answer:
    """The answer as far as it was sent. replaced: one of the framework's own answers was replaced by JSON."""

    status: int = 500
    started: bool = False
    replaced: bool = False


class Guard:
    """Wraps an ASGI application. Every request passes it, and every answer is logged and counted."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: Keys, metrics: Metrics) -> None:
        self.app, self.settings, self.keys, self.metrics = app, settings, keys, metrics
        self._held = 0  # bytes of the bodies of all unanswered requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # no route is one
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()
        body = _Body(limits.KEYLESS_BODY_BYTES if _needs_no_key(scope["path"]) else self.settings.body_bytes)
        answer = _Answer()
        secured = _secured(send, answer)
        try:
            self._check(scope, body)
            await self.app(scope, self._bounded(receive, body), secured)
        except Refused as refused:
            if not answer.started:
                await _refuse(secured, refused)
        except Exception as error:
            event("error", logging.ERROR, error, path=scope["path"])
            if answer.started:
                raise
            await _refuse(secured, Refused(500, SERVER_FAULT.code, SERVER_FAULT.message, SERVER_FAULT.type))
        finally:
            self._held -= body.bytes
            self._record(scope, answer.status, time.perf_counter() - begin)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        """Under the route's pattern, never the path itself: clients could make any number of series."""
        unmatched = "/ui" if scope["path"].startswith(PAGE_FILES) else "none"
        route = getattr(scope.get("route"), "path", unmatched)
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        event("request", method=scope["method"], route=route, status=status, ms=round(1e3 * seconds, 1))

    def _check(self, scope: Scope, body: _Body) -> None:
        """Raises Refused, by the request's head alone."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        counts = Counter(name.lower() for name, _ in scope["headers"])
        if repeated := [name.decode() for name in SINGLE_HEADERS if counts[name] > 1]:
            raise Refused(400, "bad_request", f"the header {repeated[0]} was sent more than once")
        self._check_site(scope, headers)
        if not _needs_no_key(scope["path"]) and not self.keys.lets_in(headers):
            if "authorization" in headers:
                raise wrong_key()
            message = "this server takes a key: send it as Authorization: Bearer KEY"
            raise Refused(401, "key_required", message, "authentication_error")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:20]) > body.most_bytes:
            raise _too_large(body)

    def _check_site(self, scope: Scope, headers: dict[str, str]) -> None:
        """Raises Refused for a request to another host's name, and for one of another site's page."""
        host = headers.get("host", "")
        if not self.settings.serves(host):
            raise Refused(
                421, "wrong_host", f"this server does not answer for the name {host[:100]!r}; its owner can add it with --name"
            )
        origin = headers.get("origin")
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] == "/"
        from_elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site") and not is_link
        if from_elsewhere or (origin is not None and _site(origin) != host.lower()):
            raise Refused(403, "cross_site", "pages of other sites may not use this server")

    def _bounded(self, receive: Receive, body: _Body) -> Receive:
        """A `receive` that raises Refused when more arrives than may, or too slowly."""
        until = asyncio.get_running_loop().time() + limits.BODY_ARRIVES_S

        async def bounded() -> Message:
            if body.complete:  # what follows is only the client's disconnect
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, "too_slow", f"the request did not arrive within {limits.BODY_ARRIVES_S:g} s") from None
            arrived = len(message.get("body", b""))
            body.bytes += arrived
            self._held += arrived
            body.complete = not message.get("more_body", False)
            if body.bytes > body.most_bytes:
                raise _too_large(body)
            if self._held > max(self.settings.bodies_bytes, body.bytes):
                seconds = limits.GUARD_RETRY_AFTER_S
                message_text = f"the server holds all the requests that it can; try again in {seconds} s"
                raise Refused(429, "busy", message_text, "overloaded")
            return message

        return bounded


def _secured(send: Send, answer: _Answer) -> Send:
    """A `send` that adds security headers, and replaces the framework's own error pages by JSON."""

    async def secured(message: Message) -> None:
        if answer.replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] >= 400 and not _is_json(message):  # such as of a range that does not exist
                await _refuse(secured, _as_refused(message))
                answer.replaced = True
                return
            answer.status, answer.started = message["status"], True
            present = {name for name, _ in message.get("headers", [])}
            extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
            message = {
                **message,
                "headers": [*message.get("headers", []), *(pair for pair in extra if pair[0] not in present)],
            }
        await send(message)

    return secured


def _needs_no_key(path: str) -> bool:
    return path in WITHOUT_KEY or path.startswith(PAGE_FILES)


def _site(origin: str) -> str | None:
    """The host of an Origin header; None where it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _too_large(body: _Body) -> Refused:
    most = f"{body.most_bytes / 2**20:g} MB" if body.most_bytes >= 2**20 else f"{body.most_bytes:,} bytes"
    return Refused(413, "too_large", f"a request holds at most {most} here; send fewer or smaller pictures at once")


def _is_json(start: Message) -> bool:
    types = [value for name, value in start.get("headers", []) if name == b"content-type"]
    return bool(types) and types[0].startswith(b"application/json")


def _as_refused(start: Message) -> Refused:
    """One of the framework's own answers, which programs could not parse, in the form of ours."""
    status = start["status"]
    if status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return Refused(status, HTTPStatus(status).name.lower(), HTTPStatus(status).phrase)
    ranges = [value.decode() for name, value in start.get("headers", []) if name == b"content-range"]
    refused = Refused(status, "bad_range", f"the range is none of the file's ({ranges[0]})" if ranges else "no such range")
    refused.headers = {"Content-Range": ranges[0]} if ranges else None
    return refused


async def _refuse(send: Send, refused: Refused) -> None:
    """Answers and closes the connection, so that the rest of the request is not read."""
    fault = Fault(message=refused.detail, type=refused.kind, code=refused.code)
    body = json.dumps({"error": fault.model_dump()}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    headers |= dict(refused.headers or {})
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": body})
