"""How large the head of a request may be, how long it may take to arrive, and how many connections wait for one. uvicorn bounds
none of them as a server that strangers reach needs it.

Bodies have limits in `guard.py`; here is what comes before the application hears of a request: a connection on which nothing
is sent, a header a byte at a time, a header that never ends. What follows a body (trailers) and what is between its pieces
counts the same.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from seesay.serving import limits
from seesay.serving.guard import peers
from seesay.serving.schemas.answers import Fault

PIECE = 4096  # of what arrives is looked at at once


def _refusal(status: HTTPStatus, code: str, kind: str, message: str, *headers: str) -> bytes:
    body = json.dumps({"error": Fault(message=message, type=kind, code=code).model_dump()})
    length = f"Content-Length: {len(body)}"
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Content-Type: application/json",
        length,
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


class Bounds:
    """What is added to one of uvicorn's protocols; `cycle` is the request that it told the application last."""

    _waiting: asyncio.TimerHandle | None = None
    _bytes = 0  # that have arrived since a head or a piece of a body was whole
    _dropped: int | None = None  # bytes after a refusal
    _since = 0.0

    def connection_made(self: Any, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[misc]
        self._since = self.loop.time()
        if peers.has_room(self, self.connections, self.most_connections):
            self._wait()
        else:
            self._refuse(CROWDED)

    def data_received(self: Any, data: bytes) -> None:
        view = memoryview(data)
        while view and self._dropped is None and not self.transport.is_closing():
            # A head is whole with byte 65,536 at the latest; the parsers would take any that comes at once.
            piece, view = (
                view[: min(PIECE, limits.HEAD_BYTES - self._bytes)],
                view[min(PIECE, limits.HEAD_BYTES - self._bytes) :],
            )
            before = self._whole()
            super().data_received(bytes(piece))  # type: ignore[misc]
            if self._whole() != before:
                self._bytes = 0
                self._since = self.loop.time()
                self._end()
                continue
            self._bytes += len(piece)
            self._wait()
            if self._bytes >= limits.HEAD_BYTES and not self.transport.is_closing():
                if self.cycle is None or not (self.cycle.more_body or self._answering()):
                    self._refuse(TOO_LARGE)
                else:
                    self.transport.close()
        if self._dropped is not None:
            self._dropped += len(view)
            if self._dropped > limits.REFUSED_LINGER_BYTES:
                self.transport.abort()

    def connection_lost(self: Any, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)  # type: ignore[misc]

    @property
    def most_connections(self) -> int:
        return peers.most()

    @property
    def idle_since(self) -> float | None:
        return None if self._answering() else self._since

    def give_way(self: Any) -> None:
        self.transport.abort()
        self.connections.discard(self)  # at once, for whoever counts before it is gone

    def _whole(self: Any) -> tuple[Any, int]:
        """What the application was told of: it differs when more of it has become whole."""
        return self.cycle, 0 if self.cycle is None else len(self.cycle.body)

    def _answering(self: Any) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self: Any) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(limits.HEAD_ARRIVES_S, self._give_up)

    def _end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self: Any) -> None:
        self._waiting = None
        if self._answering():  # the next request may take its time while this one does
            self._wait()
        else:
            self.transport.close()

    def _refuse(self: Any, answer: bytes) -> None:
        self._end()
        self._dropped = 0
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._waiting = self.loop.call_later(limits.REFUSED_LINGER_S, self.transport.abort)


class BoundedHeads(Bounds, AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # it is one class or another, by what is installed
    """Either of uvicorn's two protocols, bounded: `uvicorn.Config(app, http=BoundedHeads)`."""
