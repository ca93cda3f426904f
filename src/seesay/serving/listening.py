"""The socket that a server listens at, so that a taken port is told before a model is opened; and uvicorn, bounded."""

import socket
from typing import Any

import uvicorn

from seesay.errors import InputError
from seesay.serving import limits
from seesay.serving.guard import peers
from seesay.serving.guard.heads import BoundedHeads
from seesay.serving.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """Raises InputError."""
    host = settings.host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(limits.ACCEPT_BACKLOG)  # at once, so that a browser that is opened now waits instead of being turned away
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen at {settings.host} port {settings.port}: {why}. Choose another --port (0: any free one) or --host"
        ) from None
    return sock


def uvicorn_config(app: Any, **more: Any) -> uvicorn.Config:
    """How uvicorn runs the application: with bounds on heads and connections, nothing told of itself, no log of its own."""
    peers.raise_file_limit()
    said: dict[str, Any] = {
        "http": BoundedHeads,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "timeout_keep_alive": limits.KEEP_ALIVE_S,
        "timeout_graceful_shutdown": limits.SHUTDOWN_S,
        "limit_concurrency": peers.most_connections() + 1,  # where all of them do something
        "h11_max_incomplete_event_size": 2 * limits.HEAD_BYTES,  # so that heads end by our own bound
        "proxy_headers": False,
    }
    return uvicorn.Config(app, **(said | more))
