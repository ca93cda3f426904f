"""The cut-off: the method beside a slow one, when it is made again, and what it keeps back."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError
from seesay.library import Library, relevance
from seesay.library.relevance import (
    EVEN,
    FITTING,
    FOUND,
    KEPT,
    NEAREST,
    SLOPE,
    Absent,
    Neutral,
    Relevance,
    neutral_phrases,
    quantile,
    standing_out,
)
from seesay.library.sum import Sum
from seesay.model import Model
from seesay.tasks.encoder import unit
from tests.conftest import Paint


def slow_standing_out(vectors: np.ndarray, phrases: np.ndarray) -> list[float]:
    best = []
    for phrase in phrases:
        fitting = sorted(range(len(vectors)), key=lambda at: -float(vectors[at] @ phrase))[:NEAREST]
        typical = [np.quantile([vectors[at] @ other for other in phrases], FITTING) for at in fitting]
        best.append(max(float(v @ phrase) for v in vectors) - float(np.mean(typical)))
    return sorted(best)


@pytest.mark.parametrize("count", [1, NEAREST, 50])
def test_standing_out_is_what_a_slow_version_says(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(count)
    vectors, phrases = (unit(rng.standard_normal((n, 8)).astype(np.float32)) for n in (count, 30))
    expected = slow_standing_out(vectors, phrases)
    np.testing.assert_allclose(standing_out(vectors, phrases), expected, atol=1e-6)
    monkeypatch.setattr(relevance, "CHUNK", 7)
    np.testing.assert_allclose(standing_out(vectors, phrases), expected, atol=1e-6)


@pytest.mark.parametrize("present", [0.05, 0.3, 0.6])
def test_what_is_absent_is_told_from_what_is_there_however_much_that_is(present: float) -> None:
    rng = np.random.default_rng(0)
    there = int(911 * present)
    best = np.sort(np.concatenate([rng.normal(-0.02, 0.03, 911 - there), rng.normal(0.2, 0.08, there)]))
    absent = Absent.among(best)
    assert absent.mean == pytest.approx(-0.02, abs=0.015)
    assert absent.deviation == pytest.approx(0.03, abs=0.012)
    assert Absent.among(np.zeros(1)).deviations(0.1) > FOUND


def test_relevance_grows_with_the_deviations_from_what_is_absent() -> None:
    absent = Absent(0.01, 0.05)
    found = Relevance(typical=0.2, absent=absent, found=True)
    for deviations in (-1e9, -1.0, 0.0, EVEN, 20.0, 1e9):
        expected = np.exp(-np.logaddexp(0, (EVEN - deviations) / SLOPE))
        assert found.of(0.21 + 0.05 * deviations) == pytest.approx(expected, abs=1e-9)
    assert found.of(0.21 + 0.05 * EVEN) == pytest.approx(0.5)
    assert absent.deviations(found.least() - found.typical) == pytest.approx(KEPT)
    assert replace(found, found=False).least() == float("inf")


def test_what_is_taken_away_is_taken_from_the_phrases_and_does_not_say_whether_anything_is_found() -> None:
    rng = np.random.default_rng(1)
    vectors, phrases, (wanted, other) = (unit(rng.standard_normal((n, 8)).astype(np.float32)) for n in (60, 30, 2))
    neutral = Neutral.of(vectors, phrases)
    asked = Sum.of([wanted, other], [2.0, -1.0])
    nearest = sorted(vectors, key=lambda v: -float(v @ asked.vector))[:NEAREST]
    got = neutral.relevance(np.stack(nearest), asked)
    less = [(p - other / 2) / np.linalg.norm(p - other / 2) for p in phrases]
    assert got.typical == pytest.approx(np.mean([np.quantile([v @ p for p in less], FITTING) for v in nearest]), abs=1e-6)
    plain = neutral.relevance(np.stack(nearest), Sum(wanted))
    assert plain.typical == pytest.approx(np.mean([np.quantile([v @ p for p in phrases], FITTING) for v in nearest]), abs=1e-6)
    best = max(float(v @ wanted) for v in nearest) - plain.typical
    assert got.found == plain.found == (Absent.among(neutral.best).deviations(best) >= FOUND)


def test_a_sum_knows_what_it_takes_away() -> None:
    a, b, c = np.eye(3, dtype=np.float32)
    asked = Sum.of([a, b, c], [3.0, 4.0, -2.5])
    np.testing.assert_allclose(asked.vector, [3, 4, -2.5])
    assert asked.taken is not None
    np.testing.assert_allclose(asked.wanted, [3, 4, 0])
    np.testing.assert_allclose(asked.taken, [0, 0, -2.5])
    for weights in ([1.0, 2.0], [-1.0, -2.0]):
        whole = Sum.of([a, b], weights)
        assert whole.taken is None
        np.testing.assert_allclose(whole.wanted, [weights[0], weights[1], 0])
    with pytest.raises(InputError, match="nothing is left"):
        Sum.of([a, a], [1.0, -1.0])


def test_words_find_what_is_there_and_nothing_for_what_is_not(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    library = Library(tmp_path / "library", bundled)
    library.index(*photos)
    cats = library.search("a cat", n=20, relevant=True)
    assert 2 <= len(cats) < 20
    assert {hit.name for hit in cats[:2]} == {"tabby-cat.jpg", "wild-cat-2.jpg"}
    assert cats == library.search("a cat", n=20)[: len(cats)]
    shares = [hit.relevance or 0 for hit in cats]
    assert shares == sorted(shares, reverse=True)
    assert library.search("长颈鹿", relevant=True) == []
    assert library.search("长颈鹿 - a cat", relevant=True) == []
    dogs = library.search("a dog - water", n=20, relevant=True)
    assert 3 <= len(dogs) < 20
    assert {"dalmatian-1.jpg", "german-shepherd-on-grass.jpg"} <= {hit.name for hit in dogs[:3]}
    assert len(library.search("长颈鹿")) == 10
    pages = [library.search("a cat", n=1, relevant=True)]
    while pages[-1]:
        pages.append(library.search("a cat", n=1, relevant=True, cursor=pages[-1][-1].cursor))
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in cats]
    by_picture = library.search("a cat", image=photos[0], relevant=True)
    assert len(by_picture) == 10
    assert by_picture[0].relevance is None


def test_phrases_are_searched_for_again_when_the_library_has_grown(fake: Model, paint: Paint, tmp_path: Path) -> None:
    library = Library(tmp_path / "library", fake)
    folder = paint("red.png").parent
    library.index(folder)
    (vectors,) = (tmp_path / "library" / "vectors").iterdir()
    first = Neutral.read(vectors)
    assert first is not None
    assert (first.rows, len(first.phrases)) == (1, len(neutral_phrases()))
    paint("blue.png", "blue")
    assert library.search("red")[0].relevance is not None
    library.index()
    second = Neutral.read(vectors)
    assert second is not None
    assert second.rows == 2
    assert np.array_equal(second.phrases, first.phrases)


def test_what_was_forgotten_has_no_say_in_what_is_found(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    dogs, others = tmp_path / "dogs", tmp_path / "others"
    for folder in (dogs, others):
        folder.mkdir()
    for photo in photos:
        folder = dogs if re.search("dog|dalmatian|shepherd", photo.name) else others if photo.parent.name != "animals" else None
        if folder is not None:
            shutil.copy(photo, folder)
    for copy in range(NEAREST):  # the nearest of all that are there, and then not
        with Image.open(dogs / "german-shepherd-on-grass.jpg") as image:
            image.save(dogs / f"again-{copy}.jpg", quality=90 - copy)
    library = Library(tmp_path / "library", bundled)
    library.index(dogs, others)
    assert library.search("a dog", relevant=True)
    library.forget(dogs)
    fresh = Library(tmp_path / "fresh", bundled)
    fresh.index(others)
    for query in ("a dog", "a boat on the water"):
        left, anew = (found.search(query, relevant=True) for found in (library, fresh))
        assert [(hit.name, hit.relevance) for hit in left] == [(hit.name, hit.relevance) for hit in anew]


def test_what_only_takes_away_has_no_end(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    library = Library(tmp_path / "library", bundled)
    library.index(*photos)
    hits = library.search("- a boat", n=5, relevant=True)
    assert len(hits) == 5
    assert hits[0].relevance is None


def test_a_library_without_them_is_searched_all_the_same(fake: Model, paint: Paint, tmp_path: Path) -> None:
    library = Library(tmp_path / "library", fake)
    library.index(paint("red.png").parent)
    (stored,) = (tmp_path / "library" / "vectors").glob("*/neutral-*.npz")
    stored.write_bytes(b"damaged")
    assert library.search("red")[0].relevance is None
    library.search("red", relevant=True)
    assert library.search("red")[0].relevance is not None


def test_there_are_many_phrases_and_none_twice() -> None:
    assert len(set(neutral_phrases())) == len(neutral_phrases()) > 900
    assert all(phrase == phrase.strip() != "" for phrase in neutral_phrases())


def test_quantiles_are_numpys() -> None:
    values = np.random.default_rng(0).standard_normal((7, 911)).astype(np.float32)
    for at in (0.0, 0.3, 0.5, 0.99, 1.0):
        np.testing.assert_allclose(quantile(values, at), np.quantile(values, at, axis=1), rtol=0, atol=1e-6)
    np.testing.assert_allclose(quantile(values[0], 0.3), np.quantile(values[0], 0.3), rtol=0, atol=1e-6)
