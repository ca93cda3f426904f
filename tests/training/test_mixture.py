from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seesay.errors import InputError
from seesay.system.schema import from_json
from seesay.training.data import SourceConfig, mixture
from seesay.training.data.manifest import Manifest
from seesay.training.data.mixture import Mixture, open_mixture
from seesay.training.data.samples import SampleFault
from tests.training.tables import Numbers, good, take, write_rows


def two(weights: tuple[float, float] = (3, 1)) -> Mixture:
    return Mixture([Numbers(100, name="a"), Numbers(7, name="b")], weights)


def test_positions_draw_sources_by_weight() -> None:
    drawn = Counter(s.name[0] for s in good(take(two(), 8000)))
    assert drawn["a"] / 8000 == pytest.approx(0.75, abs=0.02)


def test_every_source_goes_through_its_own_passes() -> None:
    for name, n in (("a", 100), ("b", 7)):
        own = [int(s.text) for s in good(take(two(), 2000)) if s.name[0] == name]
        assert own == [i % n for i in range(len(own))]


@settings(deadline=None)
@given(start=st.integers(0, 300), seed=st.integers(0, 2**40))
def test_a_mix_begun_later_is_the_rest_of_the_mix(start: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "BLOCK", 64)
        assert take(two(), 100, seed=seed, start=start) == take(two(), start + 100, seed=seed)[start:]


def test_a_start_far_away_is_found_at_once() -> None:
    first, second = take(two(), 2, start=10_000_000), take(two(), 1, start=10_000_001)
    assert first[1:] == second


def test_one_source_alone_is_passed_through() -> None:
    source = Numbers(10)
    assert take(Mixture([source], [5]), 25, seed=4, start=3) == take(source, 25, seed=4, start=3)


def test_equal_sources_are_shuffled_differently(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.jsonl", [{"image": f"{i}.jpg", "text": str(i)} for i in range(50)])
    config = Manifest(path="t.jsonl")
    both = Mixture([config.open(tmp_path), config.open(tmp_path)], [1, 1])
    assert Counter(s.text for s in good(take(both, 40))).most_common(1)[0][1] <= 2
    assert len({s.text for s in good(take(both, 40))}) > 25
    assert len(both) == 100


def test_once_is_one_source_after_another_and_faults_pass_through() -> None:
    both = Mixture([Numbers(2, name="a"), Numbers(2, frozenset([1]), name="b")], [1, 1])
    assert [item.name for item in both.once()] == ["a 0", "a 1", "b 0", "b 1"]
    assert any(isinstance(item, SampleFault) for item in islice(both.stream(0), 20))


def test_sources_are_opened_from_a_recipe(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.jsonl", [{"image": "a.jpg", "text": "a"}])
    (tmp_path / "pictures" / "cat").mkdir(parents=True)
    (tmp_path / "pictures" / "cat" / "b.png").touch()
    data = [{"kind": "manifest", "path": "t.jsonl", "weight": 2}, {"kind": "folder", "path": "pictures"}]
    configs: tuple[SourceConfig, ...] = tuple(from_json(SourceConfig, one, "recipe") for one in data)  # type: ignore[arg-type]
    assert len(open_mixture(configs, tmp_path)) == 2


def test_no_source_and_weights_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="at least one source"):
        Mixture([], [])
    with pytest.raises(InputError, match="a weight above 0, got 0"):
        Mixture([Numbers(1)], [0])
