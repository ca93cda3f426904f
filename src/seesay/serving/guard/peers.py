"""How many connections the server holds, and of one client. uvicorn knows one limit for all, which a single client can fill
with connections that do nothing; who comes then is turned away.

Here the oldest of those that do nothing gives way: of the client's own, when it has more than its share, and of the client that
has the most, when all places are taken.
"""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from typing import Protocol

from seesay.serving import limits


class Connection(Protocol):
    """As uvicorn's protocols are, with what `heads.py` adds."""

    client: tuple[str, int] | None

    @property
    def idle_since(self) -> float | None:
        """None while a request is answered."""
        ...

    def give_way(self) -> None: ...


def most() -> int:
    """Connections that the server holds: 1,000, or as many as the process may open, but enough for a few browsers."""
    files = _files()
    return (
        limits.CONNECTIONS
        if files is None
        else max(limits.MIN_CONNECTIONS, min(limits.CONNECTIONS, files - limits.OTHER_FILES))
    )


def allow_files() -> None:
    """Lets the process open as many files as all connections take, where its user may: macOS begins with 256."""
    files = _files()
    if files is None or files >= limits.CONNECTIONS + limits.OTHER_FILES:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (
        limits.CONNECTIONS + limits.OTHER_FILES
        if hard == resource.RLIM_INFINITY
        else min(limits.CONNECTIONS + limits.OTHER_FILES, hard)
    )
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _files() -> int | None:
    """How many the process may open; None where nothing limits them."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return None
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


def peer(client: tuple[str, int] | None) -> str:
    """Whose a connection is: of IPv6 all of a network, in which one machine has as many addresses as it likes."""
    return "" if client is None else _network(client[0])


@lru_cache(maxsize=2 * limits.CONNECTIONS)  # asked again of every connection with each new one
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
    """Makes room for a new one among all `connections`, which hold it already. False where its client has only connections
    that do something, and as many as one may have."""
    counts = Counter(peer(each.client) for each in connections)
    mine = peer(new.client)
    if counts[mine] > max(1, most // limits.CONNECTION_SHARES) and not _one_gives_way(mine, new, connections):
        return False
    if len(connections) > most:
        for fullest, _ in counts.most_common():
            if _one_gives_way(fullest, new, connections):
                break
    return True


def _one_gives_way(whose: str, new: Connection, connections: Collection[Connection]) -> bool:
    idle = [
        (each.idle_since, each)
        for each in connections
        if each is not new and each.idle_since is not None and peer(each.client) == whose
    ]
    if not idle:
        return False
    min(idle, key=lambda each: each[0])[1].give_way()
    return True
