"""The socket that a server listens at, so that a taken port is told before a model is opened."""

import socket

from seesay.errors import InputError
from seesay.serving.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """Raises InputError."""
    host = settings.host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)  # at once, so that a browser that is opened now waits instead of being turned away
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen at {settings.host} port {settings.port}: {why}. Choose another --port (0: any free one) or --host"
        ) from None
    return sock
