"""Ordered parallel map: results are computed in threads, a bounded number ahead of their consumer."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def prefetch(function: Callable[[A], B], items: Iterable[A], *, threads: int, ahead: int) -> Generator[B, None, None]:
    """Like map(), with up to `ahead` results computed in advance. Order is kept; the first error is raised.

    Closing the generator stops each thread after its current item. `Executor.map` would not do: it takes all items at once, and
    a generator of a million pictures must not become a million futures.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="seesay")
    pending: deque[Future[B]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
