"""The names that `guard/heads.py` needs of uvicorn: no public API, so that a uvicorn without one of them fails here."""

import asyncio
import inspect
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from seesay.serving.limits import HEAD_BYTES
from seesay.serving.listening import uvicorn_config

CALLBACKS = {"connection_made": ["transport"], "data_received": ["data"], "connection_lost": ["exc"]}
CONNECTION = {"loop", "transport", "connections", "client", "cycle"}
CYCLE = {"more_body": True, "response_complete": False}
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"


class Transport(asyncio.Transport):
    """A connection on which nothing is sent."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass


async def unanswered(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


def test_its_own_choice_is_one_of_its_two_protocols() -> None:
    assert AutoHTTPProtocol in (H11Protocol, HttpToolsProtocol)


@pytest.mark.parametrize("protocol", [H11Protocol, HttpToolsProtocol])
def test_the_names_of_a_connection_and_of_its_request(protocol: Any) -> None:
    for name, parameters in CALLBACKS.items():
        assert list(inspect.signature(getattr(protocol, name)).parameters)[1:] == parameters

    async def receive_half_a_body() -> None:
        config = uvicorn.Config(unanswered, http=protocol)
        config.load()
        state = ServerState()
        connection = protocol(config=config, server_state=state, app_state={})
        connection.connection_made(Transport())
        assert vars(connection).keys() >= CONNECTION
        assert connection.client == ("127.0.0.1", 50000)
        assert connection.connections is state.connections
        assert connection in state.connections
        assert connection.cycle is None  # before the first head is whole
        connection.data_received(POST)
        assert {name: getattr(connection.cycle, name) for name in CYCLE} == CYCLE
        assert bytes(connection.cycle.body) == b"half"  # grows with what arrives
        for task in state.tasks:
            task.cancel()
        connection.connection_lost(None)
        assert connection not in state.connections
        await asyncio.sleep(0)

    asyncio.run(receive_half_a_body())


def test_its_configuration_takes_the_bounds() -> None:
    config = uvicorn_config(unanswered)
    assert (config.limit_concurrency, config.timeout_keep_alive, config.timeout_graceful_shutdown) == (1001, 30, 30)
    assert config.h11_max_incomplete_event_size == 2 * HEAD_BYTES
