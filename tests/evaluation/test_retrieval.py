import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seesay.errors import InputError
from seesay.evaluation.retrieval import recalls
from seesay.models.vectors import normalize


def slow_ranks(queries: np.ndarray, targets: np.ndarray, right: list[set[int]]) -> list[int]:
    """The place of the first right answer in a plain stable sort, best first."""
    ranks = []
    for query, wanted in zip(queries, right, strict=True):
        scores = [float(sum(a * b for a, b in zip(query, target, strict=True))) for target in targets]
        order = sorted(range(len(targets)), key=lambda i: (-scores[i], i))
        ranks.append(1 + min(order.index(i) for i in wanted))
    return ranks


@st.composite
def sets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small whole numbers, so that scores are exact and many are equal; some pictures have several texts, some none."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    images, texts, dim = draw(st.integers(1, 9)), draw(st.integers(1, 20)), draw(st.integers(1, 3))
    numbers = generator.integers(-2, 3, size=(images + texts, dim)).astype(np.float32)
    return numbers[:images], numbers[images:], generator.integers(images, size=texts)


@settings(deadline=None, max_examples=200)
@given(sets())
def test_ranks_are_those_of_a_stable_sort_with_ties_and_several_captions(case: tuple[np.ndarray, ...]) -> None:
    images, texts, owner = case
    found = recalls(images, texts, owner, ks=(1, 2, 5))
    to_image = slow_ranks(texts, images, [{int(i)} for i in owner])
    asked = sorted(set(owner.tolist()))
    to_text = slow_ranks(images[asked], texts, [set(np.flatnonzero(owner == i).tolist()) for i in asked])
    assert found.text_to_image.ranks.tolist() == to_image
    assert found.image_to_text.ranks.tolist() == to_text
    assert found.image_to_text.picture.tolist() == asked
    assert found.text_to_image.recall == {f"R@{k}": np.mean([r <= k for r in to_image]) for k in (1, 2, 5)}
    assert found.image_to_text.median_rank == np.median(to_text)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_do_not_show(chunk: int) -> None:
    """Real numbers, and every picture twice: the two have to stay equal wherever a chunk ends."""
    generator = np.random.default_rng(1)
    half = normalize(generator.standard_normal((50, 96)))
    images = np.concatenate([half, half])
    texts = normalize(images[generator.integers(100, size=333)] + generator.standard_normal((333, 96)) / 8)
    owner = generator.integers(100, size=333)
    whole, parts = recalls(images, texts, owner), recalls(images, texts, owner, chunk=chunk)
    assert np.array_equal(whole.text_to_image.ranks, parts.text_to_image.ranks)
    assert np.array_equal(whole.image_to_text.ranks, parts.image_to_text.ranks)
    twins = recalls(images, texts, owner % 50), recalls(images, texts, owner % 50 + 50)
    assert np.array_equal(twins[0].text_to_image.ranks + 1, twins[1].text_to_image.ranks)


def test_a_model_that_says_always_the_same_is_not_rewarded() -> None:
    same = np.ones((10, 4), dtype=np.float32)
    found = recalls(same, same, np.arange(10))
    assert found.text_to_image.recall == {"R@1": 0.1, "R@5": 0.5, "R@10": 1.0}


@pytest.mark.parametrize(
    ("images", "texts", "owner", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), np.array([0, 1]), "expected vectors"),
        (np.ones((0, 3)), np.ones((2, 3)), np.array([0, 1]), "at least one each"),
        (np.ones((2, 3)), np.ones((2, 3)), np.array([0, 2]), "whole numbers 0..1"),
        (np.ones((2, 3)), np.ones((2, 3)), np.array([0.0, 1.0]), "whole numbers"),
        (np.ones((2, 3)), np.full((2, 3), np.nan), np.array([0, 1]), "NaN or infinity"),
    ],
)
def test_wrong_arrays_are_refused(images: np.ndarray, texts: np.ndarray, owner: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recalls(images, texts, owner)
