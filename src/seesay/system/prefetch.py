"""Work done ahead of its consumer, in threads, in order, with a bound on how far ahead."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def prefetch(function: Callable[[A], B], items: Iterable[A], *, threads: int, ahead: int) -> Generator[B, None, None]:
    """Like map(), with up to `ahead` results computed before they are asked for. Order is kept; the first error is raised.
    Closing it stops the threads after what each is at.

    (`Executor.map` would take all items at once: a generator of a million pictures must not become a million futures.)
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="seesay")
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
