import threading
import time
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seesay.errors import InputError, UnreadableImage
from seesay.training.data.loader import Batch, Loader, hashed_ids
from seesay.training.data.samples import Sample
from seesay.training.data.skipped import short_reason
from tests.training.tables import Numbers


def noisy(sample: Sample, rng: np.random.Generator) -> tuple[str, float]:
    time.sleep(float(np.random.default_rng().random()) * 1e-3)  # so that threads overtake each other
    if sample.text.endswith("3"):
        raise UnreadableImage(sample.name, f"is damaged or cut short (after {sample.text} bytes)")
    return sample.text, float(rng.random())


def batches(n: int, *, position: int = 0, threads: int = 2, seed: int = 0) -> list[Batch[tuple[str, float]]]:
    loader = Loader(Numbers(50, frozenset([4, 5])), noisy, batch=8, seed=seed, position=position, threads=threads)
    return list(islice(loader, n))


def test_batches_are_full_in_order_and_leave_out_faults() -> None:
    expected = [str(i % 50) for i in range(100) if i % 10 != 3 and i % 50 not in (4, 5)]
    got = batches(8)
    assert [value for batch in got for value, _ in batch.values] == expected[:64]
    assert all(len(batch.samples) == len(batch.values) == 8 for batch in got)
    assert [sample.text for batch in got for sample in batch.samples] == expected[:64]
    assert got[0].position == 11  # 3, 4 and 5 are faults


@settings(max_examples=10, deadline=None)
@given(after=st.integers(1, 6), threads=st.integers(1, 5), seed=st.integers(0, 2**63))
def test_resumed_anywhere_with_any_threads_it_is_bit_equal(after: int, threads: int, seed: int) -> None:
    whole = batches(8, threads=1, seed=seed)
    rest = batches(8 - after, position=whole[after - 1].position, threads=threads, seed=seed)
    assert rest == whole[after:]


def test_the_generator_is_that_of_the_seed_and_the_position_faults_included() -> None:
    first, second = batches(2, seed=7)
    positions = [i for i in range(30) if i % 10 != 3 and i not in (4, 5)][:16]
    expected = [float(np.random.default_rng((7, position)).random()) for position in positions]
    assert [draw for batch in (first, second) for _, draw in batch.values] == expected


def test_faults_are_counted_by_reason_with_examples() -> None:
    loader = Loader(Numbers(50, frozenset([4])), noisy, batch=40, seed=0, threads=2)
    next(iter(loader))
    assert loader.skipped.reasons == {"is damaged or cut short": 5, "is bad": 1}
    assert loader.skipped.examples["numbers 3"] == "is damaged or cut short (after 3 bytes)"


def test_a_source_with_nothing_usable_ends_after_one_pass() -> None:
    def refuse(sample: Sample, rng: np.random.Generator) -> int:
        raise UnreadableImage(sample.name, "no such file")

    loader = Loader(Numbers(20, frozenset([2, 3])), refuse, batch=4, seed=0)
    with pytest.raises(
        InputError, match=r"numbers: .* none in a whole pass of 20 \(no such file: 18, is bad: 2\). The last: numbers 19"
    ):
        next(iter(loader))


def test_one_usable_sample_fills_batches() -> None:
    loader = Loader(Numbers(20, frozenset(range(1, 20))), lambda sample, rng: sample.text, batch=3, seed=0)
    assert next(iter(loader)).values == ["0", "0", "0"]


def test_other_errors_are_not_swallowed() -> None:
    def fail(sample: Sample, rng: np.random.Generator) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(iter(Loader(Numbers(5), fail, batch=2, seed=0)))


def test_no_more_than_a_batch_is_prepared_ahead_and_closing_stops_the_threads() -> None:
    prepared = 0
    lock = threading.Lock()

    def count(sample: Sample, rng: np.random.Generator) -> int:
        nonlocal prepared
        with lock:
            prepared += 1
        return prepared

    running = iter(Loader(Numbers(1000), count, batch=10, seed=0, threads=3))
    for number in range(1, 4):
        next(running)
        time.sleep(0.1)
        assert prepared <= 10 * number + 10
    running.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("seesay")]
    before = prepared
    time.sleep(0.05)
    assert prepared == before


def test_encoded_bytes_are_let_go() -> None:
    (batch,) = batches(1)
    assert {sample.image for sample in batch.samples} == {b""}


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"seed": -1}, {"position": -1}, {"threads": 0}])
def test_impossible_numbers_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected batch and threads of at least 1"):
        Loader(Numbers(1), noisy, **{"batch": 1, "seed": 0, **wrong})


@given(st.lists(st.text(st.characters(), max_size=3)))
def test_ids_are_equal_exactly_where_keys_are(keys: list[str]) -> None:
    ids = hashed_ids(keys)
    assert (ids.shape, ids.dtype) == ((len(keys),), np.int64)
    assert [[a == b for b in keys] for a in keys] == (ids[:, None] == ids[None]).tolist()


def test_reasons_are_told_short_reason() -> None:
    assert short_reason("is empty (0 bytes)") == "is empty"
    assert short_reason("is 20000 x 10000 = 200 million pixels; at most 179 are read") == "is N x N"
    assert short_reason("is a folder, not a picture. To take all") == "is a folder, not a picture. To take all"
