"""Few-shot recognition against slow references, and its threshold on strangers that it has not seen."""

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.models.vectors import normalize
from seesay.tasks.few_shot import ENOUGH_NAMES, WORDS, Calibration, Gallery, calibration, from_examples, identify, tip_adapter

DIM = 24


def clusters(generator: np.random.Generator, names: int, each: int, spread: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around `names` random centres, (names * each, DIM), and the number of each one's centre."""
    centres = generator.normal(size=(names, DIM))
    owners = np.repeat(np.arange(names), each)
    return normalize(centres[owners] + spread * generator.normal(size=(len(owners), DIM))), owners


def gallery(generator: np.random.Generator, names: int = 5, each: int = 3) -> Gallery:
    vectors, owners = clusters(generator, names, each)
    order = generator.permutation(len(owners))  # pictures come in any order
    return Gallery(tuple(f"name {number}" for number in range(names)), vectors[order], owners[order])


def slow_scores(taught: Gallery, images: np.ndarray) -> np.ndarray:
    rows = []
    for image in images:
        row = []
        for number in range(len(taught.names)):
            own = [vector for vector, owner in zip(taught.vectors, taught.owners, strict=True) if owner == number]
            mean = np.sum(own, axis=0)
            prototype = float(image @ mean) / float(np.linalg.norm(mean))
            row.append((prototype + max(float(image @ vector) for vector in own)) / 2)
        rows.append(row)
    return np.array(rows)


def test_scores_are_the_mean_of_the_prototypes_and_the_nearest_pictures_cosine() -> None:
    generator = np.random.default_rng(0)
    taught, images = gallery(generator), clusters(generator, 4, 5)[0]
    np.testing.assert_allclose(taught.scores(images), slow_scores(taught, images), atol=1e-5)


def test_words_count_with_their_weight() -> None:
    generator = np.random.default_rng(1)
    taught, images = gallery(generator), clusters(generator, 4, 5)[0]
    texts = normalize(generator.normal(size=(5, DIM)))
    with_words = Gallery(taught.names, taught.vectors, taught.owners, texts)
    np.testing.assert_allclose(with_words.scores(images), taught.scores(images) + WORDS * images @ texts.T, atol=1e-6)


def test_scores_of_many_pictures_equal_those_one_by_one() -> None:
    generator = np.random.default_rng(2)
    taught, images = gallery(generator), clusters(generator, 5, 900)[0]  # more than a chunk
    np.testing.assert_allclose(taught.scores(images)[-3:], taught.scores(images[-3:]), atol=1e-6)


def test_the_cache_is_that_of_the_paper() -> None:
    generator = np.random.default_rng(3)
    taught, images = gallery(generator), clusters(generator, 3, 2)[0]
    texts = normalize(generator.normal(size=(5, DIM)))
    expected = 20 * images @ texts.T
    for row, image in enumerate(images):
        for vector, owner in zip(taught.vectors, taught.owners, strict=True):
            expected[row, owner] += 2 * np.exp(-7 * (1 - image @ vector))
    np.testing.assert_allclose(tip_adapter(taught, images, texts, 20.0, alpha=2, beta=7), expected, atol=1e-4)


def test_one_picture_is_enough_and_a_stranger_has_no_name() -> None:
    generator = np.random.default_rng(4)
    vectors, _ = clusters(generator, 40, 2, spread=0.3)
    taught = from_examples(["Rex", "Tom"], vectors[[0, 2]])
    found = identify(taught, vectors[[1, 3, 5]], calibration(taught, vectors[10:]), false_accepts=0.05)
    assert [each.name for each in found] == ["Rex", "Tom", None]
    assert [name for name, _ in found[1].candidates] == ["Tom", "Rex"]
    assert found[2].candidates[0][1] == found[2].score  # what is unknown has its nearest names nevertheless
    assert found[0].chance < 0.05 < found[2].chance


@pytest.mark.parametrize("wanted", [0.02, 0.1, 0.3])
def test_as_many_strangers_are_accepted_as_wanted(wanted: float) -> None:
    generator = np.random.default_rng(5)
    taught = gallery(generator, names=4)
    strangers = normalize(generator.normal(size=(2000, DIM)))
    calibrated = calibration(taught, strangers[:1000])
    found = identify(taught, strangers[1000:], calibrated, false_accepts=wanted)
    assert abs(sum(each.name is not None for each in found) / 1000 - wanted) < 0.03


def test_many_names_say_themselves_how_alike_things_are() -> None:
    """Strangers of the gallery's own kind (one narrow cone) are accepted as rarely as wanted, though others look different."""
    generator = np.random.default_rng(6)
    vectors, owners = clusters(generator, 160, 4, spread=0.6)
    vectors = normalize(vectors + 2 * normalize(np.ones(DIM)))  # all alike
    taught = Gallery(tuple(f"{number}" for number in range(80)), vectors[owners < 80], owners[owners < 80])
    others = normalize(generator.normal(size=(100, DIM)))
    found = identify(taught, vectors[owners >= 80], calibration(taught, others), false_accepts=0.1)
    assert 0.04 < np.mean([each.name is not None for each in found]) < 0.18


def test_a_picture_that_two_names_share_does_not_raise_the_threshold() -> None:
    generator = np.random.default_rng(7)
    vectors, owners = clusters(generator, ENOUGH_NAMES, 3)
    names = tuple(f"{number}" for number in range(ENOUGH_NAMES))
    shared = Gallery(names, np.concatenate([vectors, vectors[:1]]), np.append(owners, 1))
    assert calibration(shared, vectors).threshold() < 0.95
    assert len(calibration(shared, vectors).scores) == len(vectors) - 1


def test_the_chance_is_a_share_of_the_strangers() -> None:
    calibrated = Calibration(np.linspace(0.0, 0.99, 99, dtype=np.float32))
    assert calibrated.chance(2.0) == pytest.approx(0.01)
    assert calibrated.chance(-1.0) == 1
    for wanted in (0.01, 0.05, 0.5):
        assert calibrated.chance(calibrated.threshold(wanted)) <= wanted
    assert calibrated.threshold(0.001) > 0.99  # too few strangers to say: none of them
    assert calibrated.threshold(1) < -1  # everything has a name


def test_the_pictures_of_a_name_are_strangers_to_the_others() -> None:
    generator = np.random.default_rng(8)
    taught = gallery(generator, names=ENOUGH_NAMES)
    expected = []
    for name in range(ENOUGH_NAMES):
        kept = taught.owners != name
        names = [taught.names[owner] for owner in taught.owners[kept]]
        others = from_examples(names, taught.vectors[kept])
        expected += slow_scores(others, taught.vectors[~kept]).max(axis=1).tolist()
    np.testing.assert_allclose(calibration(taught, taught.vectors[:0]).scores, np.sort(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("names", "vectors", "owners"),
    [((), np.empty((0, 4)), np.empty(0)), (("a", "b"), np.eye(4), np.zeros(4)), (("a",), np.eye(4), np.zeros(3))],
)
def test_a_gallery_without_a_picture_of_each_name_is_refused(
    names: tuple[str, ...], vectors: np.ndarray, owners: np.ndarray
) -> None:
    with pytest.raises(InputError, match="expected"):
        Gallery(names, vectors, owners)


@pytest.mark.parametrize("wanted", [0.0, 1.01, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused(wanted: float) -> None:
    with pytest.raises(InputError, match="false_accepts: expected a share"):
        Calibration(np.zeros(3, dtype=np.float32)).threshold(wanted)


def test_names_that_are_as_near_are_said() -> None:
    vectors = np.eye(3, dtype=np.float32)
    gallery = from_examples(["a", "b", "c"], vectors[[0, 0, 1]])
    (both, one) = identify(gallery, vectors[:2], Calibration(np.zeros(20, dtype=np.float32)))
    assert (both.name, both.tied) == ("a", ("a", "b"))
    assert (one.name, one.tied) == ("c", ())
