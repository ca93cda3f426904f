"""The listening socket, and uvicorn's configuration with this server's limits."""

import socket
from typing import Any

import uvicorn

from seesay.errors import InputError
from seesay.serving import limits
from seesay.serving.guard import peers
from seesay.serving.guard.heads import BoundedHeads
from seesay.serving.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """Opens the socket before a model is loaded, so that a port in use is reported at once. Raises InputError."""
    host = settings.host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(limits.ACCEPT_BACKLOG)  # now, so that a browser that is opened meanwhile waits instead of being refused
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen at {settings.host} port {settings.port}: {why}. Choose another --port (0: any free one) or --host"
        ) from None
    return sock


def uvicorn_config(app: Any, **more: Any) -> uvicorn.Config:
    """uvicorn's configuration for an application: limits on heads and connections, no Server header, no log of its own.

    more: further options of uvicorn, or others in place of these.
    """
    peers.raise_file_limit()
    options: dict[str, Any] = {
        "http": BoundedHeads,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "timeout_keep_alive": limits.KEEP_ALIVE_S,
        "timeout_graceful_shutdown": limits.SHUTDOWN_S,
        "limit_concurrency": peers.most_connections() + 1,  # reached only where no connection is idle
        "h11_max_incomplete_event_size": 2 * limits.HEAD_BYTES,  # above our own limit, which answers first
        "proxy_headers": False,
    }
    return uvicorn.Config(app, **(options | more))
