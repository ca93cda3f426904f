import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seesay.models.vectors import top_k


def test_top_k_of_many_equals_a_stable_sort() -> None:
    """Both ways of finding them, on random scores and on many ties."""
    rng = np.random.default_rng(0)
    for length in (127, 128, 1280, 1281, 5000):
        for scores in (rng.standard_normal(length), rng.integers(0, 5, length), np.zeros(length), np.arange(length)):
            array = scores.astype(np.float32)
            for k in (1, 10, 32, 33, 500, length):
                assert top_k(array, k).tolist() == np.argsort(-array, kind="stable")[:k].tolist()


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), max_size=60), st.integers(0, 70))
def test_top_k_equals_a_stable_sort(scores: list[float], k: int) -> None:
    array = np.array(scores, dtype=np.float32)
    assert top_k(array, k).tolist() == np.argsort(-array, kind="stable")[:k].tolist()
