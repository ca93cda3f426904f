"""How many connections the server holds in all and per client, and which of them gives way to a new one.

uvicorn has one limit for all, which a single client can fill with idle connections; newcomers are then turned away. Here the
oldest idle connection gives way: the client's own when it has more than its share, and one of the client that has the most
when no place is free.
"""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from typing import Protocol

from seesay.serving import limits

ALL_FILES = limits.CONNECTIONS + limits.OTHER_FILES


class Connection(Protocol):
    """uvicorn's protocols as `heads.py` extends them."""

    client: tuple[str, int] | None

    @property
    def idle_since(self) -> float | None:
        """On the event loop's clock; None while a request is answered."""
        ...

    def give_way(self) -> None:
        """Closes the connection at once."""
        ...


def most_connections() -> int:
    """`limits.CONNECTIONS`, or as many as the process may open, but enough for a few browsers."""
    files = _open_file_limit()
    if files is None:
        return limits.CONNECTIONS
    return max(limits.MIN_CONNECTIONS, min(limits.CONNECTIONS, files - limits.OTHER_FILES))


def raise_file_limit() -> None:
    """Lets the process open a file for every connection, where its user may: macOS begins with 256."""
    files = _open_file_limit()
    if files is None or files >= ALL_FILES:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = ALL_FILES if hard == resource.RLIM_INFINITY else min(ALL_FILES, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _open_file_limit() -> int | None:
    """Files that the process may open; None for any number."""
    try:
        import resource  # Windows has none
    except ImportError:
        return None
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


def peer(client: tuple[str, int] | None) -> str:
    """The owner of a connection: its address; with IPv6 its /64 network, in which one machine has any number of addresses."""
    return "" if client is None else _network(client[0])


@lru_cache(maxsize=2 * limits.CONNECTIONS)  # computed for every connection at each new one
def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def has_room(new: Connection, connections: Collection[Connection], most: int) -> bool:
    """Makes room for a new connection among all `connections`, which hold it already. Returns False where its client has its
    full share of connections and none of them is idle."""
    counts = Counter(peer(connection.client) for connection in connections)
    client = peer(new.client)
    if counts[client] > max(1, most // limits.CONNECTION_SHARES) and not _oldest_idle_gives_way(client, new, connections):
        return False
    if len(connections) > most:
        for fullest, _ in counts.most_common():
            if _oldest_idle_gives_way(fullest, new, connections):
                break
    return True


def _oldest_idle_gives_way(client: str, new: Connection, connections: Collection[Connection]) -> bool:
    """Closes the oldest idle connection of one client. Returns False where it has none."""
    idle = [
        (connection.idle_since, connection)
        for connection in connections
        if connection is not new and connection.idle_since is not None and peer(connection.client) == client
    ]
    if not idle:
        return False
    min(idle, key=lambda pair: pair[0])[1].give_way()
    return True
