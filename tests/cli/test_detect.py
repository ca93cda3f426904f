"""detect: boxes as text, JSON, COCO and on the picture; what cannot be used is said."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import seesay.cli.detect
from seesay.checkpoints.convert import convert
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import TruncatedText
from seesay.images.read import read
from seesay.model import Model
from seesay.tasks.detection import WindowDetector
from tests.cli.conftest import Run
from tests.finders import finder_folder


@pytest.fixture
def square(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Model) -> Path:
    """A picture with a red square, which the command looks at with a model that knows colours."""
    monkeypatch.setattr(seesay.cli.detect, "open_model", lambda name, **_: fake)
    image = Image.new("RGB", (96, 64), "black")
    image.paste((255, 0, 0), (8, 8, 40, 40))
    image.save(tmp_path / "square.png")
    return tmp_path / "square.png"


def test_a_folder_is_all_pictures_in_it(run: Run, square: Path, tmp_path: Path) -> None:
    (tmp_path / "album" / "deep").mkdir(parents=True)
    for name in ("album/a.png", "album/deep/b.png"):
        shutil.copy(square, tmp_path / name)
    found = json.loads(run("detect", tmp_path / "album", "--labels", "red", "--json").out)["results"]
    assert [Path(each["path"]).name for each in found] == ["a.png", "b.png"]
    assert run("detect", tmp_path / "album", "--labels", "red", "-o", tmp_path / "x.png").code == 2


def test_detect_prints_boxes(run: Run, square: Path, tmp_path: Path) -> None:
    coco, overlay = tmp_path / "out" / "coco.json", tmp_path / "out" / "overlay.png"
    result = run("detect", square, "--labels", "red, green，red", "--json", "--coco", coco, "-o", overlay)
    document = json.loads(result.out)
    assert result.code == 0
    assert (document["labels"], document["failed"]) == (["red", "green"], [])
    (entry,) = document["results"]
    assert entry["path"] == str(square)
    assert entry["boxes"][0]["label"] == "red"
    x0, y0, x1, y1 = entry["boxes"][0]["box"]
    assert 0 <= x0 < 24 < x1 <= 96
    assert 0 <= y0 < 24 < y1 <= 64
    written = json.loads(coco.read_text())
    assert [each["score"] for each in written["annotations"]] == [box["score"] for box in entry["boxes"]]
    with Image.open(overlay) as image:
        assert image.size == (96, 64)
        assert image.convert("RGB").tobytes() != Image.open(square).tobytes()
    assert result.err.count("wrote ") == 2
    shown = run("detect", square, "--labels", "red,green").out
    assert shown.splitlines()[0].endswith("square.png")
    assert len(shown.splitlines()) == 1 + len(entry["boxes"])
    assert "  red  " in shown


def test_detect_counts_and_thresholds(run: Run, square: Path) -> None:
    def boxes(*options: object) -> list[float]:
        (entry,) = json.loads(run("detect", square, "--labels", "red,green", "--json", *options).out)["results"]
        return [box["score"] for box in entry["boxes"]]

    every = boxes("--threshold", 0, "--iou", 1)
    assert every == sorted(every, reverse=True)
    assert boxes("--threshold", 0, "--iou", 1, "-n", 2) == every[:2]
    assert len(boxes("--threshold", 0, "--iou", 0)) < len(every)
    result = run("detect", square, "--labels", "green", "--threshold", 1)
    assert (result.code, result.out.splitlines()[1]) == (0, "  none of them, above the threshold")


def test_detect_with_a_bad_picture_does_the_rest(run: Run, square: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("x")
    result = run("detect", bad, square, tmp_path / "none.png", "--labels", "red", "--json")
    document = json.loads(result.out)
    assert result.code == 1
    assert [each["path"] for each in document["results"]] == [str(square)]
    assert [each["path"] for each in document["failed"]] == [str(bad), str(tmp_path / "none.png")]
    assert "none.png: no such file" in result.err
    assert run("detect", bad, "--labels", "red", "-o", tmp_path / "o.png").code == 1
    assert not (tmp_path / "o.png").exists()


def test_detect_takes_boxes_of_the_upright_picture(run: Run, square: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jpg"
    with Image.open(square) as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown a quarter turn clockwise
        image.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=95)
    (entry,) = json.loads(run("detect", turned, "--labels", "red", "--json", "-n", 1).out)["results"]
    (box,) = entry["boxes"]
    assert box["box"][0] < 24 < box["box"][2] <= 64
    assert box["box"][1] < 24 < box["box"][3] <= 64


def test_detect_with_what_cannot_be_used(run: Run, square: Path, tmp_path: Path) -> None:
    assert "--labels is empty" in run("detect", square, "--labels", " ,，").err
    other = Path(shutil.copy(square, tmp_path / "other.png"))
    many = run("detect", square, other, "--labels", "red", "-o", tmp_path / "o.png")
    assert (many.code, "-o draws one picture, got 2" in many.err) == (2, True)
    gif = run("detect", square, "--labels", "red", "-o", tmp_path / "o.gif")
    assert (gif.code, gif.out, "ends in .png" in gif.err) == (2, "", True)
    assert run("detect", square, "--labels", "red", "--threshold", 2).code == 2
    assert run("detect", square).code == 2
    assert run("detect", "--labels", "red").code == 2
    with pytest.warns(TruncatedText, match="longer than 8 tokens") as notes:
        assert run("detect", square, square, "--labels", "red " * 30 + ",green", "--json").code == 0
    assert len(notes) == 1  # for all pictures


def test_detect_looks_at_one_pixel(run: Run, square: Path, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(tmp_path / "one.png")
    result = run("detect", tmp_path / "one.png", "--labels", "红,red", "--json", "-o", tmp_path / "o.png")
    assert result.code == 0
    boxes = json.loads(result.out)["results"][0]["boxes"]
    assert boxes
    for box in boxes:
        assert box["box"] == [0, 0, 1, 1]


def test_detect_with_the_bundled_model(run: Run, photos: list[Path]) -> None:
    pizza = next(path for path in photos if path.name.startswith("pizza"))
    (entry,) = json.loads(run("detect", pizza, "--labels", "pizza,helicopter", "--json").out)["results"]
    assert {box["label"] for box in entry["boxes"]} == {"pizza"}


def test_a_model_without_maps_still_finds_boxes(run: Run, square: Path, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WindowDetector, "_heat", lambda self, picture, vectors: vectors[None, :0, :0])
    assert json.loads(run("detect", square, "--labels", "red", "--json").out)["results"][0]["boxes"]


@pytest.fixture(scope="module")
def owl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny OWLv2, converted, so that the command needs no torch."""
    place = tmp_path_factory.mktemp("owl")
    convert(open_checkpoint(finder_folder(place, "hf-owl-v2-5")), place / "owl")
    return place / "owl"


def test_detect_with_a_model_that_was_trained_for_boxes(run: Run, owl: Path, photos: list[Path], tmp_path: Path) -> None:
    overlay, coco = tmp_path / "o.png", tmp_path / "c.json"
    arguments = ("detect", photos[0], "--labels", "a cat,一只狗", "--model", owl, "--json", "-o", overlay, "--coco", coco)
    result = run(*arguments, "--threshold", 0)
    (entry,) = json.loads(result.out)["results"]
    width, height = read(photos[0]).image.size
    assert result.code == 0
    assert 4 <= len(entry["boxes"]) <= 16
    for box in entry["boxes"]:
        x0, y0, x1, y1 = box["box"]
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert box["label"] in ("a cat", "一只狗")
    scores = [box["score"] for box in entry["boxes"]]
    assert scores == sorted(scores, reverse=True)
    usual = json.loads(run("detect", photos[0], "--labels", "a cat,一只狗", "--model", owl, "--json").out)["results"][0][
        "boxes"
    ]
    assert usual == [box for box in entry["boxes"] if box["score"] >= 0.1]
    assert overlay.is_file()
    assert len(json.loads(coco.read_text())["annotations"]) == len(entry["boxes"])


def test_detect_what_an_example_shows(run: Run, owl: Path, photos: list[Path], tmp_path: Path) -> None:
    found = json.loads(run("detect", *photos[:2], "--like", photos[1], "--model", owl, "--json", "--threshold", 0).out)
    assert found["labels"] == [photos[1].name]
    assert all(0 < len(entry["boxes"]) <= 16 for entry in found["results"])
    Image.new("RGB", (20, 20), "grey").save(tmp_path / "plain.png")
    plain = run("detect", photos[0], "--like", tmp_path / "plain.png", "--model", owl)
    assert (plain.code, "the example has one colour and shows nothing" in plain.err) == (2, True)
    gone = run("detect", photos[0], "--like", tmp_path / "gone.png", "--model", owl)
    assert (gone.code != 0, "gone.png" in gone.err, "Traceback" in gone.err) == (True, True, False)
    by_words = run("detect", photos[0], "--like", photos[1])
    assert (by_words.code != 0, "--like needs one that was trained for boxes" in by_words.err) == (True, True)
    both = run("detect", photos[0], "--like", photos[1], "--labels", "a cat", "--model", owl)
    assert (both.code, "by words or by a picture" in both.err) == (2, True)


def test_other_commands_say_that_it_finds_boxes(run: Run, owl: Path, photos: list[Path]) -> None:
    for arguments in (
        ("classify", photos[0], "--labels", "cat,dog"),
        ("index", photos[0].parent),
        ("search", "a dog"),
        ("similarity", "a dog", "a cat"),
    ):
        result = run(*arguments, "--model", owl)
        assert result.code != 0
        assert "finds boxes; its vectors are no space to search" in result.err
        assert f"seesay detect --model {owl.name}" in result.err
    for command in ("info", "inspect"):
        result = run("models", command, owl)
        assert (result.code, "finds          boxes: seesay detect --model" in result.out) == (0, True)


def test_detect_with_more_labels_than_allowed(run: Run, owl: Path, photos: list[Path]) -> None:
    labels = ",".join(f"thing {number}" for number in range(1001))
    result = run("detect", photos[0], "--labels", labels, "--model", owl)
    assert (result.code, "at most 1000 labels" in result.err) == (2, True)
