"""Dynamic batching: items of concurrent requests share runs of a tower.

A tower takes hardly longer for several rows than for one. While a batch runs, items queue; the next batch takes up to `most`
of them, the oldest first. Nothing waits for a batch to fill.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from seesay.errors import DeadlineExceeded, ServerBusy, ShuttingDown
from seesay.serving import limits
from seesay.serving.log import event

A = TypeVar("A")
B = TypeVar("B")


def in_time(deadline: float) -> None:
    """Raises DeadlineExceeded after the deadline, so that work in a thread ends with its request."""
    if time.monotonic() > deadline:
        raise DeadlineExceeded("the request took too long; send less at once")


class Room:
    """Admission control: the number of items of all requests that may be under way at once."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.occupied = 0
        self._done: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def enter(self, items: int) -> None:
        """Raises ServerBusy. A request larger than the whole capacity is admitted when nothing else is under way."""
        with self._lock:
            if self.occupied and self.occupied + items > self.capacity:
                raise ServerBusy(self._wait_s(items))
            self.occupied += items

    def leave(self, items: int) -> None:
        """Releases what `enter` took."""
        with self._lock:
            self.occupied -= items
            self._done.append((time.monotonic(), items))
            self._drop_old()

    def _wait_s(self, items: int) -> int:
        """Time until there is room, at the recent rate of finished items."""
        self._drop_old()
        rate = sum(count for _, count in self._done) / limits.RATE_SPAN_S
        return max(1, min(limits.MAX_RETRY_AFTER_S, round((self.occupied + items - self.capacity) / max(rate, 1.0))))

    def _drop_old(self) -> None:
        while self._done and self._done[0][0] < time.monotonic() - limits.RATE_SPAN_S:
            self._done.popleft()


@dataclass
class _Job(Generic[B]):
    """The items of one call, and the future that is resolved when every item has its result."""

    results: list[B | Exception | None]
    remaining: int
    deadline: float
    future: "Future[list[B | Exception]]" = field(default_factory=Future)

    def put(self, index: int, result: B | Exception) -> None:
        """Stores one result, and resolves the future with the last one."""
        self.results[index] = result
        self.remaining -= 1
        if not self.remaining and self.future.set_running_or_notify_cancel():
            self.future.set_result(self.results)  # type: ignore[arg-type]  # no result is None any more


@dataclass(frozen=True)
class _Queued(Generic[A, B]):
    item: A
    job: _Job[B]
    index: int
    since: float


class Batcher(Generic[A, B]):
    """Queues items and runs them in batches.

    run: up to `most` items -> one result each, in up to `at_once` threads. turn: held during a run, where several batchers
    share the cores. watch: called with each batch's size, the seconds that its items waited, and the seconds it took.
    """

    def __init__(
        self,
        run: Callable[[list[A]], Sequence[B]],
        *,
        most: int,
        turn: AbstractContextManager[object],
        at_once: int = 1,
        watch: Callable[[int, list[float], float], None] = lambda size, waited, took: None,
        name: str = "batches",
    ) -> None:
        self._run, self._most, self._turn, self._watch = run, most, turn, watch
        self._queue: deque[_Queued[A, B]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"seesay-{name}", daemon=True) for _ in range(at_once)]
        for thread in self._threads:
            thread.start()

    def submit(self, items: Sequence[A], deadline: float = float("inf")) -> "Future[list[B | Exception]]":
        """Returns one result per item, in order, an exception for an item that failed.

        deadline: on time.monotonic()'s clock; an item that has not begun by then fails with DeadlineExceeded. Raises
        ShuttingDown.
        """
        job: _Job[B] = _Job([None] * len(items), len(items), deadline)
        if not items:
            job.future.set_result([])
            return job.future
        now = time.monotonic()
        with self._changed:
            if self._closed:
                raise ShuttingDown("the server is shutting down")
            self._queue.extend(_Queued(item, job, index, now) for index, item in enumerate(items))
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Returns when everything that was submitted is done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if not self._queue:
                    return
            with self._turn:  # items that arrive while others have their turn join the batch
                batch = self._next()
                try:
                    if batch:
                        self._do(batch)
                except Exception as fault:  # a dead thread would leave later items waiting for ever
                    event("error", logging.ERROR, fault)

    def _next(self) -> list[_Queued[A, B]]:
        batch: list[_Queued[A, B]] = []
        now = time.monotonic()
        with self._changed:
            while self._queue and len(batch) < self._most:
                entry = self._queue.popleft()
                if entry.job.future.cancelled():
                    continue
                if entry.job.deadline < now:
                    entry.job.put(
                        entry.index, DeadlineExceeded("there was no time left for it; try again when the server is less busy")
                    )
                else:
                    batch.append(entry)
        return batch

    def _do(self, batch: list[_Queued[A, B]]) -> None:
        begin = time.monotonic()
        results = self._attempt([entry.item for entry in batch])
        try:
            self._watch(len(batch), [begin - entry.since for entry in batch], time.monotonic() - begin)
        finally:
            for entry, result in zip(batch, results, strict=True):
                entry.job.put(entry.index, result)

    def _attempt(self, items: list[A]) -> list[B | Exception]:
        """One result per item. If a batch fails, each item is run alone, so that one bad item does not fail the others."""
        try:
            results: list[B | Exception] = list(self._run(items))
            if len(results) != len(items):
                raise RuntimeError(f"a batch of {len(items)} had {len(results)} results")
            return results
        except BaseException as error:  # panics of native code are not Exceptions, and would end the thread
            fault = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
            return [fault] if len(items) == 1 else [self._attempt([item])[0] for item in items]
