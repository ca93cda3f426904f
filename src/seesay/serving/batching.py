"""Work of concurrent requests, joined into batches.

A tower takes hardly longer for several rows than for one. While a batch runs, others gather; the next takes up to `most` of
them, the oldest first. Nothing waits for a batch to fill.
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
    """Raises DeadlineExceeded where a request's deadline has passed, so that work in a thread ends with its request."""
    if time.monotonic() > deadline:
        raise DeadlineExceeded("the request took too long; send less at once")


class Room:
    """How many items of all requests may be under way at once."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.taken = 0
        self._done: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def enter(self, items: int) -> None:
        """Raises ServerBusy. A request larger than all of the room is let in when nothing else is."""
        with self._lock:
            if self.taken and self.taken + items > self.capacity:
                raise ServerBusy(self._wait_s(items))
            self.taken += items

    def leave(self, items: int) -> None:
        with self._lock:
            self.taken -= items
            self._done.append((time.monotonic(), items))
            self._forget()

    def _wait_s(self, items: int) -> int:
        """Until there is room, at the rate of the last seconds."""
        self._forget()
        rate = sum(count for _, count in self._done) / limits.RATE_SPAN_S
        return max(1, min(limits.MAX_RETRY_AFTER_S, round((self.taken + items - self.capacity) / max(rate, 1.0))))

    def _forget(self) -> None:
        while self._done and self._done[0][0] < time.monotonic() - limits.RATE_SPAN_S:
            self._done.popleft()


@dataclass
class _Job(Generic[B]):
    """What one caller brought: done when every item has its result."""

    results: list[B | Exception | None]
    left: int
    deadline: float
    future: "Future[list[B | Exception]]" = field(default_factory=Future)

    def put(self, place: int, result: B | Exception) -> None:
        self.results[place] = result
        self.left -= 1
        if not self.left and self.future.set_running_or_notify_cancel():
            self.future.set_result(self.results)  # type: ignore[arg-type]  # none is None any more


@dataclass(frozen=True)
class _Waiting(Generic[A, B]):
    item: A
    job: _Job[B]
    place: int
    since: float


class Batcher(Generic[A, B]):
    """run: up to `most` items -> one result each, in up to `at_once` threads. turn: held while it runs, where several share the
    cores. watch: told the size of every batch, the seconds that its items waited, and the seconds it took."""

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
        self._queue: deque[_Waiting[A, B]] = deque()
        self._there = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"seesay-{name}", daemon=True) for _ in range(at_once)]
        for thread in self._threads:
            thread.start()

    def submit(self, items: Sequence[A], deadline: float = float("inf")) -> "Future[list[B | Exception]]":
        """One result per item, in order, an exception where that item failed. deadline: on time.monotonic()'s clock; what has
        not begun by then is DeadlineExceeded. Raises ShuttingDown."""
        job: _Job[B] = _Job([None] * len(items), len(items), deadline)
        if not items:
            job.future.set_result([])
            return job.future
        now = time.monotonic()
        with self._there:
            if self._closed:
                raise ShuttingDown("the server is shutting down")
            self._queue.extend(_Waiting(item, job, place, now) for place, item in enumerate(items))
            self._there.notify()
        return job.future

    def close(self) -> None:
        """Ends when what was submitted is done."""
        with self._there:
            self._closed = True
            self._there.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._there:
                while not self._queue and not self._closed:
                    self._there.wait()
                if not self._queue:
                    return
            with self._turn:  # what arrives while others have their turn joins the batch
                batch = self._next()
                try:
                    if batch:
                        self._do(batch)
                except Exception as fault:  # without this thread all that come after would wait for ever
                    event("error", logging.ERROR, fault)

    def _next(self) -> list[_Waiting[A, B]]:
        batch: list[_Waiting[A, B]] = []
        now = time.monotonic()
        with self._there:
            while self._queue and len(batch) < self._most:
                waiting = self._queue.popleft()
                if waiting.job.future.cancelled():
                    continue
                if waiting.job.deadline < now:
                    waiting.job.put(
                        waiting.place, DeadlineExceeded("there was no time left for it; try again when the server is less busy")
                    )
                else:
                    batch.append(waiting)
        return batch

    def _do(self, batch: list[_Waiting[A, B]]) -> None:
        begin = time.monotonic()
        results = self._attempt([waiting.item for waiting in batch])
        try:
            self._watch(len(batch), [begin - waiting.since for waiting in batch], time.monotonic() - begin)
        finally:
            for waiting, result in zip(batch, results, strict=True):
                waiting.job.put(waiting.place, result)

    def _attempt(self, items: list[A]) -> list[B | Exception]:
        """One result per item, whatever happens. Where a batch fails, each item is tried alone: one that no tower takes must
        not cost its batch-mates."""
        try:
            results: list[B | Exception] = list(self._run(items))
            if len(results) != len(items):
                raise RuntimeError(f"a batch of {len(items)} had {len(results)} results")
            return results
        except BaseException as error:  # native code's panics are no Exceptions, and would end the thread
            fault = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
            return [fault] if len(items) == 1 else [self._attempt([item])[0] for item in items]
