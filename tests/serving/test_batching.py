"""Work of concurrent callers is joined, bounded, and fails alone."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from seesay.errors import DeadlineExceeded, ServerBusy, ShuttingDown
from seesay.model import Model
from seesay.serving.batching import Batcher, Room
from seesay.serving.joined_engine import JoinedEngine


def test_what_gathers_while_a_batch_runs_makes_the_next() -> None:
    sizes: list[int] = []
    running, go = threading.Event(), threading.Event()

    def double(items: list[int]) -> list[int]:
        sizes.append(len(items))
        running.set()
        go.wait(5)
        return [2 * item for item in items]

    batcher = Batcher(double, most=4, turn=threading.Lock())
    first = batcher.submit([1])
    running.wait(5)
    rest = [batcher.submit([number, number + 10]) for number in (2, 3, 4)]
    go.set()
    assert first.result(5) == [2]
    assert [job.result(5) for job in rest] == [[4, 24], [6, 26], [8, 28]]
    assert sizes == [1, 4, 2]
    batcher.close()


def test_an_item_that_fails_costs_no_other() -> None:
    def halve(items: list[int]) -> list[float]:
        return [1 / item for item in items]

    batcher = Batcher(halve, most=8, turn=threading.Lock())
    with threading.Lock() as _:
        jobs = [batcher.submit([1, 0, 2]), batcher.submit([4])]
    one, none, half = jobs[0].result(5)
    assert (one, half) == (1, 0.5)
    assert isinstance(none, ZeroDivisionError)
    assert jobs[1].result(5) == [0.25]
    assert batcher.submit([]).result(5) == []
    batcher.close()


def test_whatever_happens_in_a_batch_the_next_one_runs() -> None:
    class Panic(BaseException):
        """As native code raises it."""

    def run(items: list[int]) -> list[int]:
        if items == [1]:
            raise Panic("in native code")
        return items[:-1] if 2 in items else items

    def watch(size: int, waited: list[float], took: float) -> None:
        raise RuntimeError("the figures cannot be kept")

    batcher = Batcher(run, most=8, turn=threading.Lock(), watch=watch)
    for item in (1, 2):  # a panic; too few results
        assert isinstance(batcher.submit([item]).result(5)[0], RuntimeError)
    assert batcher.submit([3, 4]).result(5) == [3, 4]
    batcher.close()


def test_deadlines_cancelling_and_closing() -> None:
    turn = threading.Lock()
    done: list[int] = []

    def note(items: list[int]) -> list[int]:
        done.extend(items)
        return items

    batcher = Batcher(note, most=8, turn=turn)
    turn.acquire()  # as if another tower had its turn
    late = batcher.submit([1], deadline=time.monotonic() - 1)
    given_up = batcher.submit([2])
    given_up.cancel()
    fine = batcher.submit([3], deadline=time.monotonic() + 60)
    turn.release()
    assert fine.result(5) == [3]
    assert isinstance(late.result(5)[0], DeadlineExceeded)
    batcher.close()
    assert done == [3]
    with pytest.raises(ShuttingDown):
        batcher.submit([4])


def test_room_is_bounded_and_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("seesay.serving.batching.time.monotonic", lambda: now)
    room = Room(10)
    room.enter(25)  # alone, however large
    with pytest.raises(ServerBusy) as busy:
        room.enter(1)
    assert busy.value.retry_after_s == 16  # nothing has been done yet: one a second is assumed
    room.leave(25)
    room.enter(10)
    with pytest.raises(ServerBusy) as busy:
        room.enter(5)
    assert busy.value.retry_after_s == 2  # 25 in ten seconds
    room.leave(4)
    room.enter(4)
    now += 60
    with pytest.raises(ServerBusy) as busy:
        room.enter(100)
    assert busy.value.retry_after_s == 30


class Counting:
    """An engine that notes its batches."""

    name, capabilities = "counting", frozenset(("text",))

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        self.shapes.append(ids.shape)
        return ids.sum(axis=1, keepdims=True).astype(np.float32)


def test_texts_of_different_requests_are_padded_together() -> None:
    engine = Counting()
    watched: list[tuple[str, int]] = []
    joined = JoinedEngine(engine, 7, lambda tower, size, waited, took: watched.append((tower, size)))  # type: ignore[arg-type]
    with joined._texts._turn:
        short, long = joined.submit_tokens(np.array([[1, 2], [3, 4]])), joined.submit_tokens(np.array([[1, 2, 3, 4]]))
    assert [float(row[0]) for row in (*short.result(5), *long.result(5))] == [17, 21, 10]
    assert engine.shapes == [(3, 4)]
    assert watched == [("text", 3)]
    joined.close()


def test_joined_vectors_are_the_engines_own(bundled: Model) -> None:
    joined = JoinedEngine(bundled.engine, bundled.tokenizer.spec.pad_id)
    texts = ["a dog on grass", "两只狗在雪地里奔跑", "a very long text about " + "many things " * 20, "x"]
    model = bundled.with_engine(joined)
    results: dict[int, np.ndarray] = {}

    def ask(number: int, some: Sequence[str]) -> None:
        results[number] = model.encode_text(some)

    threads = [threading.Thread(target=ask, args=(number, texts[number % 4 :])) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = np.concatenate([bundled.encode_text(text) for text in texts])
    for number, rows in results.items():
        np.testing.assert_allclose(rows, alone[number % 4 :], rtol=0, atol=1e-5)
    joined.close()


def test_texts_of_one_length_share_a_run() -> None:
    """Runs of at least sixteen, from short to long; results in the order of the texts."""
    engine = Counting()
    joined = JoinedEngine(engine, 7)  # type: ignore[arg-type]
    lengths = [2] * 20 + [3] * 5 + [9] * 12 + [4] * 7
    rows = [np.full(length, 1) for length in lengths]
    with joined._texts._turn:
        futures = [joined.submit_tokens(row[None]) for row in rows]
    assert [float(future.result(5)[0][0]) for future in futures] == [
        float(length + 7 * (pad - length)) for length, pad in zip(lengths, [2] * 20 + [9] * 24, strict=True)
    ]
    assert engine.shapes == [(20, 2), (24, 9)]
    joined.close()


def test_batches_at_a_time() -> None:
    """Two of both queues together, and never a third."""
    running, most, lock, pause = 0, 0, threading.Lock(), threading.Barrier(2, timeout=5)

    class Slow(Counting):
        def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            pause.wait()  # alone, none would go on
            with lock:
                running -= 1
            return super().encode_tokens(ids)

        encode_pixels = encode_tokens

    joined = JoinedEngine(Slow(), 7, at_once=2)  # type: ignore[arg-type]
    futures = [
        submit(np.full((64 if submit == joined.submit_tokens else 8, 3), 1))
        for submit in (joined.submit_tokens, joined.submit_pixels, joined.submit_tokens, joined.submit_pixels)
    ]
    for future in futures:
        assert all(isinstance(row, np.ndarray) for row in future.result(10))
    assert most == 2
    joined.close()
