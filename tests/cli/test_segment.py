"""segment: a mask, a drawing and JSON of one picture; what cannot be used is said before the work begins."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay.cli.segment
from seesay.errors import MissingCapability, TruncatedText
from seesay.model import Model
from seesay.tasks.run_lengths import from_run_lengths
from tests.cli.conftest import Run


@pytest.fixture
def halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Model) -> Path:
    """A picture that is red at the left and blue at the right, which the command looks at with a model that knows colours."""
    monkeypatch.setattr(seesay.cli.segment, "open_model", lambda name: fake)
    image = Image.new("RGB", (90, 60), "red")
    image.paste((0, 0, 255), (45, 0, 90, 60))
    image.save(tmp_path / "halves.png")
    return tmp_path / "halves.png"


def test_segment_writes_a_mask_a_drawing_and_json(run: Run, halves: Path, tmp_path: Path) -> None:
    mask, overlay = tmp_path / "out" / "mask.png", tmp_path / "out" / "overlay.webp"
    result = run("segment", halves, "--labels", "blue, red，blue", "--background", "", "--mask", mask, "-o", overlay, "--json")
    assert (result.code, result.err.count("wrote ")) == (0, 2)
    document = json.loads(result.out)
    assert (document["labels"], document["size"], document["none"]) == (["blue", "red"], [90, 60], 0)
    with Image.open(mask) as image:
        assert (image.mode, image.format, image.size) == ("L", "PNG", (90, 60))
        values = np.asarray(image)
    assert (values == np.repeat([1, 0], 45)).all()
    for segment in document["segments"]:
        assert (from_run_lengths(segment["run_lengths"]) == (values == segment["value"])).all()
        assert (segment["area"], segment["share"]) == (2700, 0.5)
    assert [segment["box"] for segment in document["segments"]] == [[45, 0, 90, 60], [0, 0, 45, 60]]
    assert document["segments"][1]["polygons"] == [[0, 0, 45, 0, 45, 60, 0, 60]]
    with Image.open(overlay) as image:
        assert image.width >= 90
        assert image.height > 60  # with a legend


def test_segment_prints_shares_and_what_has_no_label(run: Run, halves: Path, tmp_path: Path) -> None:
    shown = run("segment", halves, "--labels", "red,green", "--background", "blue", "--mask", tmp_path / "m.png")
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == ["50.0%", "0.0%", "50.0%"]
    assert shown.out.splitlines()[-1].endswith("none of them")
    with Image.open(tmp_path / "m.png") as image:
        assert (np.asarray(image) == np.repeat(np.array([0, 255]), 45)).all()


def test_segment_one_label_and_a_threshold(run: Run, halves: Path) -> None:
    (segment,) = json.loads(run("segment", halves, "--labels", "red", "--background", "blue", "--json").out)["segments"]
    assert segment["share"] == 0.5
    assert not json.loads(run("segment", halves, "--labels", "red,blue", "--threshold", 1, "--json").out)["segments"]
    alone = run("segment", halves, "--labels", "red", "--background", "")
    assert (alone.code, alone.out) == (2, "")
    assert "one label without a background" in alone.err


def test_segment_the_upright_picture(run: Run, halves: Path, tmp_path: Path) -> None:
    turned, mask = tmp_path / "turned.jpg", tmp_path / "m.png"
    with Image.open(halves) as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown a quarter turn clockwise
        image.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=95)
    assert run("segment", turned, "--labels", "red,blue", "--background", "", "--mask", mask).code == 0
    with Image.open(mask) as image:
        assert image.size == (90, 60)
        assert (np.asarray(image) == np.repeat([0, 1], 45)).mean() > 0.95


@pytest.mark.parametrize("name", ["mask.jpg", "mask.webp", "mask.gif", "mask"])
def test_a_mask_in_a_format_that_cannot_hold_it(run: Run, halves: Path, tmp_path: Path, name: str) -> None:
    result = run("segment", halves, "--labels", "red,blue", "--mask", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert "a mask holds exact numbers" in result.err
    assert "ends in .png" in result.err
    assert not (tmp_path / name).exists()


def test_segment_with_what_cannot_be_used(run: Run, halves: Path, tmp_path: Path) -> None:
    assert "--labels is empty" in run("segment", halves, "--labels", " ,，").err
    assert "at most 255 labels, got 256" in run("segment", halves, "--labels", ",".join(f"red{n}" for n in range(256))).err
    assert "ends in .png" in run("segment", halves, "--labels", "red", "-o", tmp_path / "o.gif").err
    missing = run("segment", tmp_path / "none.png", "--labels", "red")
    assert (missing.code, "no such file" in missing.err) == (1, True)
    (tmp_path / "bad.jpg").write_text("x")
    assert run("segment", tmp_path / "bad.jpg", "--labels", "red").code == 1
    assert run("segment", halves).code == 2
    with pytest.warns(TruncatedText, match="longer than 8 tokens"):
        assert run("segment", halves, "--labels", "red " * 30 + ",blue", "--json").code == 0


def test_segment_one_pixel(run: Run, halves: Path, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(tmp_path / "one.png")
    result = run(
        "segment", tmp_path / "one.png", "--labels", "red,blue", "--mask", tmp_path / "m.png", "-o", tmp_path / "o.png"
    )
    assert result.code == 0
    with Image.open(tmp_path / "m.png") as image:
        assert image.size == (1, 1)


def test_a_model_without_cells(run: Run, halves: Path, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability("it gives no features per patch")

    monkeypatch.setattr(type(fake.engine), "encode_dense", fail)
    result = run("segment", halves, "--labels", "red,blue")
    assert (result.code, result.out) == (2, "")
    assert "it gives no features per patch" in result.err


def test_segment_with_the_bundled_model_in_two_languages(run: Run, photos: list[Path]) -> None:
    photo = next(path for path in photos if path.name.startswith("sailing-boat-at"))
    for labels in ("sky,water,boat", "天空,水,船"):
        document = json.loads(run("segment", photo, "--labels", labels, "--json").out)
        boxes = {segment["value"]: segment["box"] for segment in document["segments"]}
        assert boxes[0][1] < boxes[1][1]  # the sky is above the water
