"""Boxes of things that labels name, in painted scenes seen by an encoder of colours."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seesay.engines.fake import FAKE_IMAGE_SPEC
from seesay.errors import InputError, MissingCapability
from seesay.images.read import ImageInput
from seesay.images.spec import ImageSpec
from seesay.model import Model
from seesay.models.detector import Detections, Detector, Selection
from seesay.models.logits import Logits
from seesay.models.vectors import normalize
from seesay.tasks.boxes import iou
from seesay.tasks.detection import MOST_PROPOSALS, WindowDetector, select
from seesay.tasks.proposals import components, merged, pyramid, regions
from tests.evaluation.test_detection import detections

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (20, 30, 220), "grey": (128, 128, 128)}
BACKGROUND = ("grey",)
CELLS = 16


class Histogram:
    """Encodes how much of a picture has each of four colours, whole or cell by cell."""

    image_spec: ImageSpec = FAKE_IMAGE_SPEC
    logits = Logits(np.log(20.0), None, "softmax")

    def encode_text(self, texts: str | list[str], *, normalize: bool = True) -> np.ndarray:
        rows = [[float(colour in text) for colour in COLOURS] for text in ([texts] if isinstance(texts, str) else texts)]
        return np.asarray(rows, dtype=np.float32)

    def encode_image(self, items: list[ImageInput], *, normalize: bool = True) -> np.ndarray:
        return unit(np.stack([shares(np.asarray(item)).mean(axis=(0, 1)) for item in items]))

    def encode_dense(self, items: list[ImageInput], *, normalize: bool = True) -> np.ndarray:
        grids = [shares(np.asarray(item)).reshape(CELLS, 2, CELLS, 2, len(COLOURS)).mean(axis=(1, 3)) for item in items]
        return unit(np.stack(grids))


class WithoutMaps(Histogram):
    def encode_dense(self, items: list[ImageInput], *, normalize: bool = True) -> np.ndarray:
        raise MissingCapability("no map of features")


def unit(rows: np.ndarray) -> np.ndarray:
    return normalize(rows)


def shares(pixels: np.ndarray) -> np.ndarray:
    """Which colour is nearest, pixel by pixel: (H, W, 4), one of them 1."""
    distances = np.abs(pixels[:, :, None].astype(int) - np.asarray(list(COLOURS.values()))).sum(axis=-1)
    return np.asarray(np.eye(len(COLOURS))[distances.argmin(axis=-1)])


def scene(squares: dict[str, tuple[int, int, int, int]], size: tuple[int, int] = (320, 240)) -> Image.Image:
    image = Image.new("RGB", size, COLOURS["grey"])
    for colour, (x0, y0, x1, y1) in squares.items():
        ImageDraw.Draw(image).rectangle((x0, y0, x1 - 1, y1 - 1), fill=COLOURS[colour])
    return image


SQUARES = {"red": (30, 40, 110, 120), "blue": (190, 110, 270, 190)}
LABELS = ("red", "green", "blue")


def detector(encoder: Histogram | None = None, **options: object) -> WindowDetector:
    return WindowDetector(encoder or Histogram(), background=BACKGROUND, **options)  # type: ignore[arg-type]


def test_each_square_gets_one_box() -> None:
    finder: Detector = detector()
    found = select(finder.detect(scene(SQUARES), LABELS), finder.selection)
    assert sorted(LABELS[label] for label in found.labels) == ["blue", "red"]
    for label, box in zip(found.labels, found.boxes, strict=True):
        assert iou(box[None], np.asarray([SQUARES[LABELS[label]]]))[0, 0] > 0.7


def test_two_things_of_one_label_are_two_boxes() -> None:
    image = scene({"red": (20, 20, 90, 90)})
    image.paste(scene({"red": (0, 0, 80, 80)}, (80, 80)), (200, 120))
    finder = detector()
    found = select(finder.detect(image, ["red"]), finder.selection)
    overlaps = iou(found.boxes, np.asarray([(20, 20, 90, 90), (200, 120, 280, 200)]))
    assert overlaps.shape == (2, 2)
    assert sorted(overlaps.max(axis=1) > 0.7) == [True, True]
    assert sorted(overlaps.argmax(axis=1)) == [0, 1]


@pytest.mark.parametrize("encoder", [Histogram(), WithoutMaps()])
def test_nothing_is_found_where_nothing_is(encoder: Histogram) -> None:
    finder = detector(encoder)
    assert len(select(finder.detect(scene({}), LABELS), finder.selection)) == 0


def test_without_maps_windows_still_find_things() -> None:
    finder = detector(WithoutMaps())
    found = select(finder.detect(scene(SQUARES), LABELS), finder.selection)
    assert {LABELS[label] for label in found.labels} == {"red", "blue"}
    for label in (0, 2):
        overlaps = iou(found.boxes[found.labels == label], np.asarray([SQUARES[LABELS[label]]]))
        assert overlaps.max() > 0.4


def test_a_higher_threshold_shows_the_first_of_the_same_boxes() -> None:
    finder = detector()
    candidates = finder.detect(scene(SQUARES), LABELS)
    before: list[list[float]] | None = None
    for threshold in (0.9, 0.7, 0.5, 0.2, 0.0):
        found = select(candidates, Selection(threshold, 0.5, containment=0.8, most=50))
        rows = [[label, *box] for label, box in zip(found.labels.tolist(), found.boxes.tolist(), strict=True)]
        assert (found.scores >= threshold).all()
        assert before is None or rows[: len(before)] == before
        before = rows


def test_the_same_picture_gets_the_same_boxes() -> None:
    first, second = (detector().detect(scene(SQUARES), LABELS) for _ in range(2))
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.scores, second.scores)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3, 2), (4000, 10)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    for encoder in (Histogram(), WithoutMaps()):
        found = detector(encoder).detect(Image.new("RGB", size, COLOURS["red"]), ["red"])
        assert 0 < len(found) <= MOST_PROPOSALS
        assert found.boxes.min() >= 0
        assert (found.boxes[:, 2:] <= np.asarray(size) + 1e-3).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()


def test_labels_that_cannot_be_used() -> None:
    for labels, message in (([], "at least one label"), (["red", " "], "label 2 of 2 is empty"), ("red", "a list of labels")):
        with pytest.raises(InputError, match=message):
            detector().detect(scene({}), labels)
    with pytest.raises(InputError, match="at least one proposal"):
        detector(proposals=0)


def test_a_label_that_is_a_background_phrase_is_found() -> None:
    finder = detector()
    found = select(finder.detect(scene({}), ["grey"]), finder.selection)
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes, [[0, 0, 320, 240]])


def test_a_real_model_finds_colours(fake: Model) -> None:
    finder = WindowDetector(fake, background=["black"])
    image = Image.new("RGB", (96, 64), "black")
    image.paste((255, 0, 0), (8, 8, 40, 40))
    found = select(finder.detect(image, ["red", "green"]), finder.selection)
    assert found.labels[0] == 0
    assert iou(found.boxes[:1], np.asarray([[8, 8, 40, 40]]))[0, 0] > 0.4


def test_fewer_proposals_are_fewer_boxes() -> None:
    found = detector(proposals=7).detect(scene(SQUARES), LABELS)
    assert len(found) == 7 * len(LABELS)


def test_selection_of_boxes() -> None:
    found = detections([[0, 0, 10, 10], [0, 0, 10, 9], [2, 2, 6, 6], [0, 0, 10, 9]], [0.9, 0.8, 0.7, 0.6], [0, 0, 0, 1])

    def kept(**options: object) -> list[float]:
        scores: list[float] = select(found, Selection(**({"threshold": 0.0} | options))).scores.tolist()  # type: ignore[arg-type]
        return [round(score, 3) for score in scores]

    assert kept(iou=None) == [0.9, 0.8, 0.7, 0.6]
    assert kept() == [0.9, 0.7, 0.6]
    assert kept(containment=0.8) == [0.9, 0.6]
    assert kept(most=2) == [0.9, 0.7]
    assert kept(threshold=0.7) == [0.9, 0.7]
    assert kept(soft=0.5) == [0.9, 0.665, 0.6, 0.149]  # 0.7 e^(-0.16² / 0.5); 0.8 e^(-0.9² / 0.5) e^(-(16 / 90)² / 0.5)
    assert len(select(Detections.none(), Selection(0.0, containment=0.8))) == 0


@pytest.mark.parametrize(
    "options", [{"threshold": 1.5}, {"threshold": 0.1, "iou": -1}, {"threshold": 0.1, "soft": 0}, {"threshold": 0.1, "most": 0}]
)
def test_selections_that_cannot_be(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        Selection(**options)  # type: ignore[arg-type]


def test_components_are_what_touches_at_sides() -> None:
    mask = np.array([[1, 0, 0, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 0]], dtype=bool)
    assert components(mask).tolist() == [[0, 0, 3, 3], [3, 0, 5, 2], [3, 3, 4, 4]]
    assert components(np.zeros((3, 3), dtype=bool)).shape == (0, 4)
    u = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
    assert components(u).tolist() == [[0, 0, 3, 3]]


@pytest.mark.parametrize("seed", range(5))
def test_components_are_those_of_a_flood(seed: int) -> None:
    mask = np.random.default_rng(seed).random((20, 30)) < 0.55
    assert sorted(map(tuple, components(mask).tolist())) == sorted(flooded(mask))


def flooded(mask: np.ndarray) -> list[tuple[float, ...]]:
    """Boxes of connected parts, by filling from every cell."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    found: list[tuple[float, ...]] = []
    while left:
        front, part = [left.pop()], []
        while front:
            row, column = front.pop()
            part.append((row, column))
            near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & left
            left -= near
            front += near
        rows, columns = zip(*part, strict=True)
        found.append((float(min(columns)), float(min(rows)), float(max(columns) + 1), float(max(rows) + 1)))
    return found


def test_regions_and_windows() -> None:
    heat = np.zeros((4, 6))
    assert regions(heat).shape == (0, 4)
    heat[1:3, 2:5] = 0.5
    heat[1, 3] = 1.0
    assert merged([regions(heat)]).tolist() == [[2, 1, 5, 3], [3, 1, 4, 2]]
    windows = pyramid(300, 200)
    assert windows[0].tolist() == [0, 0, 300, 200]
    covered = np.zeros((200, 300), dtype=int)
    for x0, y0, x1, y1 in np.rint(windows[1:]).astype(int):
        covered[y0:y1, x0:x1] += 1
    assert covered.min() >= 3  # once at each scale
