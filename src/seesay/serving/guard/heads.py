"""Limits on request heads (request line and headers: size, arrival time) and on idle connections, in uvicorn's protocols.

They apply before the application hears of a request: to a connection on which nothing is sent, to headers that trickle in, to
headers without an end; also to chunk headers and trailers of a body. Bodies have their limits in `middleware.py`.

This overrides and reads uvicorn's own classes, which are no public API: tests/serving/test_uvicorn.py lists the names.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from seesay.serving import limits
from seesay.serving.guard import peers
from seesay.serving.schemas.answers import Fault

PIECE_BYTES = 4096  # the most that the parser is given at once


def _refusal(status: HTTPStatus, code: str, kind: str, message: str, *headers: str) -> bytes:
    """A whole response of HTTP/1.1."""
    body = json.dumps({"error": Fault(message=message, type=kind, code=code).model_dump()})
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


TOO_LARGE = _refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "too_large",
    "invalid_request_error",
    f"the head of a request holds at most {limits.HEAD_BYTES // 1024} kB",
)
CROWDED = _refusal(
    HTTPStatus.TOO_MANY_REQUESTS,
    "busy",
    "overloaded",
    f"there are too many requests from this address; try again in {limits.GUARD_RETRY_AFTER_S} s",
    f"Retry-After: {limits.GUARD_RETRY_AFTER_S}",
)


class BoundedProtocol:
    """A mixin for uvicorn's protocols. There `cycle` is the request that was last passed to the application."""

    _timer: asyncio.TimerHandle | None = None
    _pending_bytes = 0  # received since a head or a piece of a body was last complete
    _dropped_bytes: int | None = None  # received after a refusal; None: nothing was refused
    _idle_since = 0.0

    def connection_made(self: Any, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[misc]
        self._idle_since = self.loop.time()
        if peers.has_room(self, self.connections, self.most_connections):
            self._start_timer()
        else:
            self._refuse(CROWDED)

    def data_received(self: Any, data: bytes) -> None:
        view = memoryview(data)
        while view and self._dropped_bytes is None and not self.transport.is_closing():
            # The parsers would take a head of any size that comes at once, so they get no more than the limit.
            size = min(PIECE_BYTES, limits.HEAD_BYTES - self._pending_bytes)
            self._parse(bytes(view[:size]))
            view = view[size:]
        if self._dropped_bytes is not None:
            self._dropped_bytes += len(view)
            if self._dropped_bytes > limits.REFUSED_LINGER_BYTES:
                self.transport.abort()

    def connection_lost(self: Any, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)  # type: ignore[misc]

    @property
    def most_connections(self) -> int:
        """A property of its own, so that tests can set it."""
        return peers.most_connections()

    @property
    def idle_since(self) -> float | None:
        return None if self._answering() else self._idle_since

    def give_way(self: Any) -> None:
        self.transport.abort()
        self.connections.discard(self)  # now, for whoever counts before it is closed

    def _parse(self: Any, piece: bytes) -> None:
        before = self._progress()
        super().data_received(piece)  # type: ignore[misc]
        if self._progress() != before:
            self._pending_bytes = 0
            self._idle_since = self.loop.time()
            self._stop_timer()
            return
        self._pending_bytes += len(piece)
        self._start_timer()
        if self._pending_bytes >= limits.HEAD_BYTES and not self.transport.is_closing():
            in_body = self.cycle is not None and (self.cycle.more_body or self._answering())
            if in_body:  # an answer may have begun, so a refusal could not be read
                self.transport.close()
            else:
                self._refuse(TOO_LARGE)

    def _progress(self: Any) -> tuple[Any, int]:
        """It differs when another head or a further piece of a body is complete."""
        return self.cycle, 0 if self.cycle is None else len(self.cycle.body)

    def _answering(self: Any) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_timer(self: Any) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(limits.HEAD_ARRIVES_S, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self: Any) -> None:
        self._timer = None
        if self._answering():  # the next request may arrive slowly while this one is answered
            self._start_timer()
        else:
            self.transport.close()

    def _refuse(self: Any, response: bytes) -> None:
        """Answers, then drops what still arrives for a moment: closing at once could discard the answer on its way."""
        self._stop_timer()
        self._dropped_bytes = 0
        self.transport.write(response)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(limits.REFUSED_LINGER_S, self.transport.abort)


class BoundedHeads(BoundedProtocol, AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one class or another, by what is installed
    """Either of uvicorn's two protocols, bounded: `uvicorn.Config(app, http=BoundedHeads)`."""
