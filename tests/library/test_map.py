"""The map: layout, groups, names, words; and what the page and the picture hold."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError
from seesay.library import Filters, Library
from seesay.library.map import SEED, STEPS, VARIOUS, group_names, grouped, layout, located, read_names
from seesay.library.search.relevance import NullDistribution, Relevance
from seesay.model import Model
from seesay.models.vectors import normalize
from seesay.render.map_figure import SIZE_PX, Box, _moved, _overlapping, draw_map, nearest_cells
from seesay.render.map_page import write_map
from tests.conftest import COLOURS, Paint

pytest.importorskip("sklearn")
SIZES = (40, 30, 20)


@pytest.fixture(scope="module")
def heaps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """vectors (90, 32) about three centres, which centre (90,), centres (3, 32)"""
    rng = np.random.default_rng(0)
    centres = normalize(rng.standard_normal((3, 32)).astype(np.float32))
    which = np.repeat(np.arange(3), SIZES)
    return normalize(centres[which] + 0.08 * rng.standard_normal((90, 32)).astype(np.float32)), which, centres


def test_alike_pictures_lie_together_and_are_one_group(heaps: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    vectors, which, _ = heaps
    places = layout(vectors)
    assert places.min() > 0
    assert places.max() < 1
    assert np.array_equal(places, layout(vectors))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + 9 * np.eye(90)
    assert np.array_equal(which[apart.argmin(axis=1)], which)
    member = grouped(places)
    for heap in range(3):
        assert len(set(member[which == heap].tolist()) - {-1}) == 1
    assert np.bincount(member[member >= 0]).tolist() == sorted(np.bincount(member[member >= 0]).tolist(), reverse=True)


def test_the_layout_is_that_of_scikit_learn_left_to_itself(heaps: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_info, threadpool_limits

    vectors = heaps[0]
    before = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    places = layout(vectors)
    assert [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()] == before
    with threadpool_limits(1):
        reduced = PCA(32, random_state=SEED).fit_transform(vectors.astype(np.float64))
        plain = TSNE(2, perplexity=89 / 3, init="pca", random_state=SEED).fit_transform(reduced)
    low, high = plain.min(axis=0), plain.max(axis=0)
    np.testing.assert_array_equal(places, 0.04 + 0.92 * (plain - low) / (high - low))


@pytest.mark.parametrize("pictures", ["heaps", "same"])
def test_the_layout_tells_every_step_and_the_end(pictures: str, heaps: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    vectors = heaps[0] if pictures == "heaps" else np.tile(heaps[0][:1], (7, 1))
    told: list[tuple[int, int]] = []
    layout(vectors, lambda done, total: told.append((done, total)))
    done = [one for one, _ in told]
    assert done == sorted(set(done))
    assert {total for _, total in told} == {STEPS}
    assert done[-1] == STEPS
    assert len(done) > STEPS / 2 or pictures == "same"


def test_a_layout_can_be_stopped_where_it_tells(heaps: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layout(heaps[0], stop)
    assert layout(heaps[0]).shape == (90, 2)


def test_the_same_picture_throughout_and_very_few_have_a_map() -> None:
    same = np.tile(normalize(np.ones((1, 8), dtype=np.float32)), (7, 1))
    assert np.array_equal(layout(same), np.full((7, 2), 0.5))
    assert layout(normalize(np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32))).shape == (5, 2)


def test_groups_are_named_by_two_phrases_that_fit_them_beyond_the_rest(
    heaps: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    vectors, which, centres = heaps
    everywhere = normalize(centres.sum(axis=0, keepdims=True))
    meant = np.concatenate([centres, normalize(centres + 0.2 * everywhere), normalize(centres + 0.5 * everywhere), everywhere])
    phrases = ["dog", "car", "tree", "dogs", "a car", "old tree", "fur", "wheel", "leaf", "photo"]
    assert group_names(vectors, which, meant, phrases) == ["dog, fur", "car, wheel", "tree, leaf"]
    assert group_names(vectors, which, centres[:1], ["dog"]) == ["dog", VARIOUS, VARIOUS]


def test_a_word_lies_where_most_of_its_hits_are_or_nowhere(heaps: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    vectors, which, centres = heaps
    places = np.stack([which / 3 + 0.1, np.full(90, 0.5)], axis=1)
    chance = NullDistribution(0.3, 0.1)
    for ranks, expected in ((vectors @ centres[1], [1 / 3 + 0.1, 0.5]), (-(vectors @ centres.sum(axis=0)), None)):
        got = located(ranks, places, Relevance(chance, float(ranks.max()), typical=0.0))
        assert (got is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(got, expected)


def test_photos_sit_in_cells_of_their_own() -> None:
    places = np.random.default_rng(0).random((200, 2)) * (640, 480)
    seats = nearest_cells(places, 32, (640, 480))
    assert len(set(map(tuple, seats.tolist()))) == 200
    assert np.median(np.linalg.norm(seats - places, axis=1)) < 32
    assert nearest_cells(np.array([[100.0, 100.0], [101.0, 100.0]]), 20, (200, 200)).tolist() == [[90, 90], [110, 90]]
    assert len(nearest_cells(places, 200, (640, 480))) == 200


def test_a_word_moves_below_others_and_above_at_the_edge() -> None:
    taken = [Box(100.0, 100.0, 80.0, 20.0), Box(100.0, 121.0, 80.0, 20.0)]
    moved = _moved(taken, Box(110.0, 95.0, 60.0, 20.0))
    assert moved == (110.0, 142.0, 60.0, 20.0)
    assert not _overlapping(taken, moved)
    edge = SIZE_PX[1] - 12.0
    assert _moved([Box(100.0, edge, 80.0, 20.0)], Box(100.0, edge, 60.0, 20.0)) == (100.0, edge - 21, 60.0, 20.0)


def test_a_map_of_photos_its_page_and_its_picture(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    library = Library(tmp_path / "library", bundled)
    library.index(*photos)
    drawn = library.map(words=["水上的船", "an x-ray of a tooth"], most=100)
    assert len(drawn.spots) == 100
    assert drawn.left_out == len(photos) - 100
    assert drawn.absent == ("an x-ray of a tooth",)
    assert [word.text for word in drawn.words] == ["水上的船"]
    assert drawn == library.map(words=["水上的船", "an x-ray of a tooth"], most=100)
    assert sum(group.pictures for group in drawn.groups) == sum(spot.group is not None for spot in drawn.spots)
    assert {group.text for group in library.map(names=["食物", "动物", "房子"]).groups} <= {
        f"{a}, {b}" for a in ("食物", "动物", "房子") for b in ("食物", "动物", "房子")
    } | {VARIOUS}
    assert json.loads(json.dumps(drawn.to_json()))["pictures"][0]["path"] == drawn.spots[0].file.path
    assert draw_map(tmp_path / "made" / "map.png", drawn) in ("", "水上的船")
    with Image.open(tmp_path / "made" / "map.png") as image:
        assert image.size == (2400, 1800)
    told: list[tuple[int, int]] = []
    page = write_map(tmp_path / "made" / "map.html", drawn, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (100, 100)
    assert page.stat().st_size < 2e6


def test_a_page_holds_each_picture_in_its_place(fake: Model, paint: Paint, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for colour in COLOURS:
        paint(f"{colour}.png", colour)
    paint("red again.png", "red")
    (folder / "red.png").rename(folder / "red<script>.png")
    library = Library(tmp_path / "library", fake)
    library.index(folder)
    drawn = library.map()
    (folder / "blue.png").unlink()
    page = write_map(tmp_path / "map.html", drawn, title="<b>").read_text()
    assert "<title>&lt;b&gt;</title>" in page
    known = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page).group(1))  # type: ignore[union-attr]
    sheet = Image.open(io.BytesIO(base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]+)", page).group(1))))  # type: ignore[union-attr]
    for at, spot in enumerate(known["spots"]):
        colour = spot["name"].split(".")[0].removesuffix("<script>")
        if colour == "blue":
            assert spot["size"] == [0, 0]
            continue
        column, row = at % known["columns"], at // known["columns"]
        middle = (column * known["side"] + spot["size"][0] // 2, row * known["side"] + spot["size"][1] // 2)
        pixel = np.array(sheet.convert("RGB").getpixel(middle))
        assert np.abs(pixel - COLOURS[colour.removesuffix(" again")]).max() < 30, colour


def test_what_cannot_be_a_map(fake: Model, paint: Paint, tmp_path: Path) -> None:
    library = Library(tmp_path / "library", fake)
    library.index(*(paint(f"{colour}.png", colour) for colour in list(COLOURS)[:4]))
    with pytest.raises(InputError, match="at least 5 pictures, and 4 pass the filters"):
        library.map()
    with pytest.raises(InputError, match="got most=3"):
        library.map(most=3)
    with pytest.raises(InputError, match="no min_score"):
        library.map(filters=Filters(min_score=0.2))
    (tmp_path / "names.txt").write_text("\n \n")
    with pytest.raises(InputError, match="expected one name a line"):
        read_names(tmp_path / "names.txt")
    with pytest.raises(InputError, match="cannot read the names"):
        read_names(tmp_path / "absent.txt")


def test_a_group_of_anything_is_called_various() -> None:
    """Four phrases, each along an axis of its own; of five pictures two are of the first, so no phrase is chosen by all."""
    meant = np.eye(6, dtype=np.float32)
    alike = np.tile(meant[4] * 0.9 + meant[5] * 0.4, (5, 1))
    vectors = np.concatenate([meant[:4], meant[:1], alike]).astype(np.float32)
    member = np.array([1] * 5 + [0] * 5)
    assert group_names(vectors, member, meant, ["sea", "hills", "a cat", "bread", "snow", "ice"]) == ["snow, ice", VARIOUS]
    same = np.tile(meant[:1], (6, 1))
    assert group_names(same, np.zeros(6, dtype=int), meant, ["sea", "hills", "a cat", "bread", "snow", "ice"])[0] != VARIOUS


def test_groups_of_photos_are_called_by_what_they_share(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    with Library(tmp_path / "library", bundled) as library:
        library.index(*photos)
        groups = [group.text for group in library.map().groups]
    # a diver, a watch, scissors, a launch at night; more such groups with another scikit-learn, whose places differ a little
    assert 1 <= groups.count(VARIOUS) <= len(groups) // 3
    assert any("guitar" in name for name in groups)
    assert len(groups) >= 8
