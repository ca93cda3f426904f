"""The mark of likely hits: the method beside a slow one, and what it tells of real photos."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.library import Library
from seesay.library.search.background import NEAREST
from seesay.library.search.relevance import SENTENCE, WORD, WORDS, NullDistribution, Relevance, Scale
from seesay.library.search.result import WhyEmpty
from seesay.model import Model


@pytest.mark.parametrize("present", [0.05, 0.3, 0.6])
def test_what_is_absent_is_told_from_what_is_there_however_much_that_is(present: float) -> None:
    rng = np.random.default_rng(0)
    there = int(911 * present)
    best = rng.permutation(np.concatenate([rng.normal(-0.02, 0.03, 911 - there), rng.normal(0.2, 0.08, there)]))
    null = NullDistribution.fitted(best)
    assert null.mean == pytest.approx(-0.02, abs=0.015)
    assert null.deviation == pytest.approx(0.03, abs=0.012)
    assert NullDistribution.fitted(np.zeros(1)).deviations(0.1) > WORD.best


@pytest.mark.parametrize("scale", [WORD, WORDS, SENTENCE])
def test_relevance_grows_with_the_deviations_from_what_is_absent(scale: Scale) -> None:
    null = NullDistribution(0.01, 0.05)
    present = Relevance(null, best=0.21 + 0.05 * (scale.best + 0.01), typical=0.2, scale=scale)
    for deviations in (-1e9, -1.0, 0.0, scale.midpoint, 20.0, 1e9):
        expected = np.exp(-np.logaddexp(0, (scale.midpoint - deviations) / scale.slope))
        assert present.probability(0.21 + 0.05 * deviations) == pytest.approx(expected, abs=1e-9)
    assert null.deviations(present.threshold - 0.2) == pytest.approx(scale.hit)
    assert Relevance(null, best=0.21 + 0.05 * (scale.best - 0.01), typical=0.2, scale=scale).threshold == float("inf")


@pytest.fixture(scope="module")
def library(bundled: Model, photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("relevance") / "library", bundled)
    library.index(*photos)
    return library


def test_the_nearest_are_shown_and_the_likely_ones_marked(library: Library) -> None:
    cats = library.search("a cat", n=20)
    assert len(cats) == 20
    assert {hit.name for hit in cats[:2]} <= {"tabby-cat.jpg", "wild-cat-1.jpg", "wild-cat-2.jpg", "kitten-with-yarn.webp"}
    marks = [hit.likely for hit in cats]
    assert marks == sorted(marks, reverse=True)  # the likely ones first
    assert marks[0] is True
    shares = [hit.relevance or 0 for hit in cats]
    assert shares == sorted(shares, reverse=True)
    likely = library.search("a cat", n=200, likely=True)
    assert list(likely) == [hit for hit in library.search("a cat", n=200) if hit.likely]
    pages = [library.search("a cat", n=1, likely=True)]
    while pages[-1]:
        pages.append(library.search("a cat", n=1, likely=True, cursor=pages[-1][-1].cursor))
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in likely]


@pytest.mark.parametrize("query", ["寿司", "寿司 - a cat", "牙齿的X光片", "a volcano erupting"])
def test_what_is_not_there_is_shown_as_unlikely(library: Library, query: str) -> None:
    hits = library.search(query)
    assert len(hits) == 10
    assert not any(hit.likely for hit in hits)
    unlikely = library.search(query, likely=True)
    assert not unlikely
    assert unlikely.why_empty == WhyEmpty("likely", "image")


def test_queries_that_are_no_words_are_not_marked(library: Library, photos: list[Path]) -> None:
    for hits in (library.search("a cat", image=photos[0]), library.search("- a boat"), library.search(image=photos[0])):
        assert len(hits) == 10
        assert all(hit.likely is None and hit.relevance is None for hit in hits)
    assert library.search("a cat", score="cosine")[0].likely is None


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
    assert library.search("a dog", likely=True)
    library.forget(dogs)
    fresh = Library(tmp_path / "fresh", bundled)
    fresh.index(others)
    for query in ("a dog", "a boat on the water"):
        left, anew = (found.search(query) for found in (library, fresh))
        assert [(hit.name, hit.relevance, hit.likely) for hit in left] == [(h.name, h.relevance, h.likely) for h in anew]
