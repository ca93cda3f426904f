import json

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.evaluation import distances
from seesay.evaluation.distances import cmmd, frechet
from tests.parity.generated_scores import FILE, sets


def slow_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[np.exp(-np.sum((x - y) ** 2) / (2 * 10**2)) for y in b] for x in a])


@pytest.mark.parametrize("tile", [7, 1024])
def test_cmmd_against_a_slow_one_in_any_tiles(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "TILE", tile)
    a, b = sets(1)
    xx, yy, xy = slow_kernel(a, a), slow_kernel(b, b), slow_kernel(a, b)
    found = cmmd(3 * a, b, divisions=4)
    assert found.value == pytest.approx(1000 * (xx.mean() + yy.mean() - 2 * xy.mean()), abs=1e-5)
    n, m = len(a), len(b)
    off = (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1)) - 2 * xy.mean()
    assert found.unbiased == pytest.approx(1000 * off, abs=1e-5)


def test_chance_is_what_random_divisions_give() -> None:
    a, b = sets(0)
    both = np.concatenate([a, b])
    generator = np.random.default_rng(5)
    values = []
    for _ in range(300):
        order = generator.permutation(len(both))
        values.append(cmmd(both[order[: len(a)]], both[order[len(a) :]], divisions=0).value)
    found = cmmd(a, b, divisions=300)
    assert found.chance == pytest.approx(np.mean(values), rel=0.05)
    assert found.chance_95 == pytest.approx(np.percentile(values, 95), rel=0.1)
    assert abs(found.unbiased) < found.value, "the unbiased one of sets of one kind is about 0"
    assert cmmd(a, b) == cmmd(a, b), "the same seed"


@pytest.mark.parametrize("case", range(4))
def test_frechet_against_torchmetrics(case: int) -> None:
    stored = json.loads(FILE.read_text(encoding="utf-8"))["frechet"][case]
    assert frechet(*sets(case)).value == pytest.approx(stored, abs=1e-6)


def test_sets_further_apart_and_equal_sets() -> None:
    for distance in (lambda a, b: cmmd(a, b).value, lambda a, b: frechet(a, b).value):
        a, b = sets(0)
        rising = [distance(a, b + shift) for shift in (0, 0.05, 0.1, 0.2, 0.4)]
        assert rising == sorted(rising)
        assert rising[-1] > 5 * rising[0]
        assert distance(a, a) == pytest.approx(0, abs=1e-6)


def test_few_pictures_make_the_frechet_distance_too_large() -> None:
    vectors = np.random.default_rng(0).normal(size=(400, 32))
    few, many = frechet(vectors[:20], vectors[20:40]), frechet(vectors[:200], vectors[200:])
    assert few.value > 5 * many.value
    assert few.value == pytest.approx(few.chance, rel=0.2)


def test_what_has_no_distance() -> None:
    a, b = sets(0)
    for distance in (cmmd, frechet):
        with pytest.raises(InputError, match="at least two pictures on both sides, got 1 and 90"):
            distance(a[:1], b)
        with pytest.raises(InputError, match="one width"):
            distance(a, b[:, 1:])
        with pytest.raises(InputError, match="b: vector 3 has values"):
            distance(a, np.where(np.arange(len(b))[:, None] == 3, np.nan, b))
