"""How large the head of a request may be, and how long it may take to arrive. uvicorn bounds neither.

Bodies have limits in `guard.py`; here is what comes before the application hears of a request: a connection on which nothing
is sent, a header a byte at a time, a header that never ends. What follows a body (trailers) and what is between its pieces
counts the same.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

ARRIVES_S = 15.0
MOST_BYTES = 64 * 1024  # and what is read from the connection at once
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedHeads(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # it is one class or another, by what is installed
    """Either of uvicorn's two protocols; `cycle` is the request that they told the application last."""

    _waiting: asyncio.TimerHandle | None = None
    _bytes = 0  # that have arrived since a head or a piece of a body was whole

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        before = self._whole()
        super().data_received(data)
        if self._whole() != before:
            self._bytes = 0
            self._end()
            return
        self._bytes += len(data)
        self._wait()
        if self._bytes > MOST_BYTES and not self.transport.is_closing():
            if self.cycle is None or not (self.cycle.more_body or self._answering()):
                self.transport.write(TOO_LARGE)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _whole(self) -> tuple[Any, int]:
        """What the application was told of: it differs when more of it has become whole."""
        return self.cycle, 0 if self.cycle is None else len(self.cycle.body)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(ARRIVES_S, self._give_up)

    def _end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self._answering():  # the next request may take its time while this one does
            self._wait()
        else:
            self.transport.close()
