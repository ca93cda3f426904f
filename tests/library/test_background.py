"""What neutral phrases find in a library: beside a slow version, kept, brought up to date, and made again."""

from pathlib import Path

import numpy as np
import pytest

from seesay.checkpoints.hub.locate import BUNDLED
from seesay.library import Library
from seesay.library.search import background
from seesay.library.search.background import (
    FILE,
    NEAREST,
    NEIGHBOURS,
    Background,
    Correction,
    Form,
    corrections,
    measure,
    neutral_phrases,
    phrase_key,
    read_or_encode_phrases,
    search_spec,
)
from seesay.library.session import Session
from seesay.model import Model
from seesay.models.config import SearchSpec
from seesay.models.vectors import normalize
from seesay.tasks.phrasing import query_embeddings
from tests.conftest import Paint

SPEC = SearchSpec({"en": ("{}",)}, hub=0.3, spread=0.5, sentence_hub=0.2)


def random_unit(seed: int, *shape: int) -> np.ndarray:
    return normalize(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def slow(vectors: np.ndarray, phrases: np.ndarray) -> tuple[list[float], list[float], list[list[float]]]:
    hubs, spreads = [], []
    for vector in vectors.astype(np.float64):
        cosines = sorted((float(vector @ phrase) for phrase in phrases), reverse=True)
        hubs.append(sum(cosines[:NEIGHBOURS]) / len(cosines[:NEIGHBOURS]))
        mean = sum(cosines) / len(cosines)
        spreads.append((sum((c - mean) ** 2 for c in cosines) / len(cosines)) ** 0.5)
    standing_out: list[list[float]] = []
    for hub, spread in ((0.2, 0.0), (0.3, 0.5), (0.0, 1.0)):
        standing_out.append([])
        for p in phrases:
            pictures = sorted(
                zip(vectors, hubs, spreads, strict=True), key=lambda x: -(float(x[0] @ p) - hub * x[1]) / x[2] ** spread
            )
            v, h, s = pictures[0]
            typical = [(1 - hub) * h / s**spread for _, h, s in pictures[:NEAREST]]
            standing_out[-1].append((float(v @ p) - hub * h) / s**spread - sum(typical) / len(typical))
    return hubs, spreads, standing_out


@pytest.mark.parametrize("count", [1, NEAREST, 50])
def test_it_is_what_a_slow_version_says(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, phrases = random_unit(1, count, 8), random_unit(2, 30, 8)
    hubs, spreads, standing_out = slow(vectors, phrases)
    for chunk in (4096, 7):
        monkeypatch.setattr(background, "CHUNK", chunk)
        made = Background.empty(1, 30).extended(vectors, phrases, SPEC)
        np.testing.assert_allclose(made.hubs, hubs, atol=1e-6)
        np.testing.assert_allclose(made.spreads, spreads, atol=1e-6)
        for form in Form:
            np.testing.assert_allclose(made.standing_out(form), standing_out[form], atol=1e-5)
        assert made.live == count


def test_rows_that_come_later_and_rows_that_go(tmp_path: Path) -> None:
    vectors, phrases = random_unit(1, 60, 8), random_unit(2, 30, 8)
    whole = Background.empty(1, 30).extended(vectors, phrases, SPEC)
    grown = Background.empty(1, 30).extended(vectors[:25], phrases, SPEC).extended(vectors[25:], phrases, SPEC)
    live = np.random.default_rng(3).random(60) < 0.5
    left = whole.without(vectors, live, phrases, SPEC)
    only = Background.empty(1, 30).extended(vectors[live], phrases, SPEC)
    for one, other in ((whole, grown), (left, only)):
        for form in Form:
            np.testing.assert_allclose(one.standing_out(form), other.standing_out(form), atol=1e-5)
        assert one.live == other.live
    np.testing.assert_allclose(whole.hubs, grown.hubs, atol=1e-6)
    assert whole.stale(59)
    assert not whole.stale(60)
    large = Background(1, np.empty(0), np.empty(0), np.empty((3, 0, 2, NEAREST)), 100_000)
    assert (large.stale(95_000), large.stale(80_000)) == (False, True)
    whole.write(tmp_path / "kept.npz")
    read = Background.read(tmp_path / "kept.npz")
    assert read is not None
    assert read.same(whole)
    np.testing.assert_array_equal(read.nearest, whole.nearest)
    (tmp_path / "kept.npz").write_bytes(b"damaged")
    assert Background.read(tmp_path / "kept.npz") is None


def test_a_background_belongs_to_its_index() -> None:
    made = Background.empty(2, 30).extended(random_unit(1, 5, 8), random_unit(2, 30, 8), SPEC)
    assert [made.is_prefix(*case) for case in ((2, 5), (2, 9), (2, 4), (3, 5))] == [True, True, False, False]


def test_ranks_take_off_what_hubs_share_and_divide_by_the_spread() -> None:
    cosines, hubs, spreads = (np.array(x, dtype=np.float32) for x in ([0.5, 0.4], [0.4, 0.1], [0.04, 0.01]))
    np.testing.assert_allclose(Correction(0.5, 0.0).ranks(cosines, hubs, spreads), [0.3, 0.35], rtol=1e-6)
    np.testing.assert_allclose(Correction(0.0, 1.0).ranks(cosines, hubs, spreads), [12.5, 40], rtol=1e-6)
    np.testing.assert_allclose(Correction(0.5, 0.5).ranks(cosines, hubs, spreads), [1.5, 3.5], rtol=1e-6)
    assert corrections(SPEC) == (Correction(0.2, 0.0), Correction(0.3, 0.5), Correction(0.0, 1.0))


def test_it_is_kept_when_indexing_and_continued_by_readers(
    fake: Model, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path / "library", fake)
    folder = paint("red.png").parent
    library.index(folder)
    (file,) = (tmp_path / "library" / "vectors").glob("*/background-*.npz")
    first = Background.read(file)
    assert first is not None
    assert (first.live, len(first.hubs), len(first.standing_out(Form.SHORT))) == (1, 1, len(neutral_phrases()))
    reader = Library(tmp_path / "library", fake)
    before = reader.search("red")
    paint("blue.png", "blue")
    monkeypatch.setattr(Session, "save_background", lambda *_: None)  # as while the run goes on
    library.index()
    assert [hit.name for hit in reader.search("blue")] == ["blue.png", "red.png"]
    monkeypatch.undo()
    library.index()
    again = Background.read(file)
    assert again is not None
    assert again.live == 2
    (folder / "blue.png").unlink()
    library.index()
    left = Background.read(file)
    assert left is not None
    assert (left.live, len(left.hubs)) == (1, 2)
    np.testing.assert_allclose(left.standing_out(Form.SHORT), first.standing_out(Form.SHORT), atol=1e-6)
    assert reader.search("red") == before


def test_a_library_without_it_is_searched_all_the_same(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    library = Library(tmp_path / "library", bundled)
    library.index(*photos[:30])
    before = library.search("a bird", n=30)
    (file,) = (tmp_path / "library" / "vectors").glob("*/background-*.npz")
    for damage in (b"damaged", None):
        file.unlink() if damage is None else file.write_bytes(damage)
        again = Library(tmp_path / "library", bundled).search("a bird", n=30)
        assert [(hit.id, hit.relevance, hit.likely) for hit in again] == [(h.id, h.relevance, h.likely) for h in before]


def test_the_newest_pictures_are_ranked_like_the_others(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    library = Library(tmp_path / "library", bundled)
    library.index(*photos[:40])
    whole = library.search("a bird", n=40)
    (pointer,) = (tmp_path / "library" / "vectors").glob("*/current.json")
    text = pointer.read_text()
    with library.session() as session:
        ids = session.vectors("image").ids
    pointer.write_text(text.replace(f'"last_id": {ids[-1]}', f'"last_id": {ids[29]}').replace('"image": 40', '"image": 30'))
    partial = Library(tmp_path / "library", bundled)
    with partial.session() as session:
        assert [len(part.ids) for part in session.vectors("image").parts] == [30, 10]
    got = partial.search("a bird", n=40)
    assert [hit.id for hit in got] == [hit.id for hit in whole]
    assert [hit.score for hit in got] == pytest.approx([hit.score for hit in whole], abs=1e-6)


def test_phrases_come_from_the_model_or_the_cache(fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = background.query_embeddings

    def counted(model: Model, queries: tuple[str, ...], templates: dict[str, tuple[str, ...]]) -> np.ndarray:
        asked.append(len(queries))
        return real(model, queries, templates)

    monkeypatch.setattr(background, "query_embeddings", counted)
    first = read_or_encode_phrases(fake)
    np.testing.assert_array_equal(read_or_encode_phrases(fake), first)
    assert asked == [len(neutral_phrases())]
    other = phrase_key(SearchSpec({"en": ("{}",)}, hub=0.1))
    assert len({other, phrase_key(search_spec(fake)), phrase_key(SPEC)}) == 3


def test_the_bundled_model_brings_its_phrases(bundled: Model) -> None:
    stored = np.load(BUNDLED / FILE)
    assert str(stored["key"]) == phrase_key(search_spec(bundled))
    some = slice(0, 911, 90)
    made = query_embeddings(bundled, neutral_phrases()[some], search_spec(bundled).templates)
    # Older onnxruntimes have other kernels for 8 bits: their vectors are this near.
    assert (normalize(stored["vectors"].astype(np.float32))[some] * made).sum(axis=1).min() > 0.9995


def test_there_are_many_phrases_and_none_twice() -> None:
    assert len(set(neutral_phrases())) == len(neutral_phrases()) > 900
    assert all(phrase == phrase.strip() != "" for phrase in neutral_phrases())


def test_measured_takes_all_phrases_where_they_are_few() -> None:
    cosines = random_unit(5, 4, 3)
    hubs, _ = measure(cosines)
    np.testing.assert_allclose(hubs, cosines.mean(axis=1), atol=1e-6)
