"""seesay mix: pictures that are one colour, a model that knows colours, and a small generator."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import seesay.cli.mix
from seesay.errors import TruncatedText
from seesay.generation.interpolation import slerp
from seesay.model import Model
from tests.cli.conftest import Run
from tests.conftest import Paint
from tests.picture_server import Server, png, sends


@pytest.fixture
def colours(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch, fake: Model) -> Path:
    """The album, indexed, with purple and others between; the command sees it with a model that knows colours."""
    for index, share in enumerate(np.linspace(0, 1, 9)):
        Image.new("RGB", (64, 64), (round(230 * (1 - share)), 20, round(230 * share))).save(album / f"purple-{index}.png")
    for module in ("seesay.cli.mix", "seesay.cli.index"):
        monkeypatch.setattr(f"{module}.open_model", lambda name, **_: fake)
    assert run("index", album).code == 0
    return album


def test_a_way_between_two_pictures(run: Run, colours: Path, tmp_path: Path) -> None:
    red, blue = colours / "red" / "red.png", colours / "blue" / "blue.png"
    strip = tmp_path / "strip.png"
    result = run("mix", red, blue, "--steps", 5, "-o", strip, "--json")
    assert (result.code, result.err.count("wrote ")) == (0, 1)
    document = json.loads(result.out)
    assert [item["kind"] for item in document["items"]] == ["picture", "picture"]
    assert [step["at"] for step in document["steps"]] == [0, 0.25, 0.5, 0.75, 1]
    names = [Path(step["results"][0]["path"]).stem for step in document["steps"]]
    assert names == sorted(names), "from red to blue"
    assert len(set(names)) == 5, "no picture twice"
    assert not {"red", "blue"} & set(names), "and not those that were given"
    assert document["strip"] == str(strip)
    with Image.open(strip) as image:
        assert image.width > 7 * 176


def test_texts_are_told_from_pictures_and_pull(run: Run, colours: Path) -> None:
    red, blue = colours / "red" / "red.png", colours / "blue" / "blue.png"
    shown = run("mix", red, blue, "green", "--steps", 3, "-n", 2)
    lines = shown.out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["picture", "picture", "words"]
    assert [line.split()[0] for line in lines[4:]] == ["0%", "0%", "50%", "50%", "100%", "100%"]
    strong = json.loads(run("mix", red, "green", "--weights", "0.1,3", "--json").out)
    assert "green" in strong["steps"][0]["results"][0]["path"]
    assert "at" not in strong["steps"][0]
    away = json.loads(run("mix", red, "red", "blue", "--weights", "1,-1,2", "--json").out)
    assert "blue" in away["steps"][0]["results"][0]["path"]
    assert away["items"][1] == {"kind": "text", "value": "red", "weight": -1}


def test_vectors_are_written_without_a_library(
    run: Run, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Model
) -> None:
    monkeypatch.setattr(seesay.cli.mix, "open_model", lambda name, **_: fake)
    monkeypatch.setenv("SEESAY_LIBRARY", str(tmp_path / "none"))
    red, blue = paint("a.png", "red"), paint("b.png", "blue")
    file = tmp_path / "new" / "out.safetensors"
    document = json.loads(run("mix", red, blue, "--steps", 3, "--embedding", file, "--json").out)
    assert document["tensors"] == {"embedding": [3, 16]}
    assert document["steps"] == [{"at": 0}, {"at": 0.5}, {"at": 1}]
    vectors = load_file(file)["embedding"]
    a, b = fake.encode_image([red, blue])
    np.testing.assert_allclose(vectors, [a, slerp(a, b, 0.5), b], atol=1e-6)
    assert run("mix", red, blue, "-o", tmp_path / "other.safetensors").code == 0
    assert run("mix", blue, red, "-o", file).code == 0  # its own output is replaced
    checkpoint = tmp_path / "painter.safetensors"
    save_file({"weight": np.zeros(2, np.float32)}, checkpoint)
    before = checkpoint.read_bytes()
    for option in ("-o", "--embedding"):
        refused = run("mix", red, blue, option, checkpoint)
        assert (refused.code, "SeeSay writes over none" in refused.err) == (2, True)
    assert checkpoint.read_bytes() == before
    weighed = json.loads(run("mix", red, blue, "--weights", "1,1", "--steps", 3, "--embedding", file, "--json").out)
    assert weighed["tensors"] == document["tensors"], "--steps makes a way, also with weights"
    shown = run("mix", red, blue, "--weights", "1,1", "--embedding", file).out
    assert [line.split() for line in shown.splitlines()[2:]] == [["embedding", "1", "×", "16", "1", "row,", "the", "mix"]]
    missing = run("mix", red, blue)
    assert (missing.code, missing.out) == (2, "")
    assert "there is no library" in missing.err


def test_a_picture_may_be_a_url(run: Run, colours: Path, server: Server, tmp_path: Path) -> None:
    url, gone = server.url("/red.png", sends(png())), server.url("/gone.png", sends(status=404))
    strip = tmp_path / "strip.webp"
    document = json.loads(run("mix", url, colours / "blue" / "blue.png", "--steps", 3, "-o", strip, "--json").out)
    assert document["items"][0] == {"kind": "picture", "value": url, "weight": 1}
    assert "red" in document["steps"][0]["results"][0]["path"]
    assert strip.is_file()
    missing = run("mix", gone, "blue")
    assert (missing.code, "404" in missing.err) == (1, True)


def test_what_cannot_be_mixed(run: Run, colours: Path, tmp_path: Path) -> None:
    red = colours / "red" / "red.png"
    bad, folder = tmp_path / "bad.jpg", tmp_path / "folder"
    bad.write_text("x")
    folder.mkdir()
    for arguments, told in (
        ((), "at least two"),
        ((red,), "at least two"),
        ((red, "  "), "One of the items is empty"),
        ((red, "none.jpg"), "there is no picture none.jpg. To mix in a text, write it without .jpg"),
        ((red, folder), "there is no picture"),
        ((red, "blue", "--weights", "1"), "--weights has 1 numbers for 2 items"),
        ((red, "blue", "--weights", "1,x"), "takes numbers with commas"),
        ((red, "blue", "--weights", "1,nan"), "finite numbers"),
        ((red, "blue", "--weights", "0,0"), "all weights are 0"),
        ((red, red, "--weights", "1,-1"), "take each other away"),
        ((red, "blue", "--weights", "1,2", "--steps", 3), "no weights of their own"),
        ((red, "blue", "--steps", 0), "--steps"),
        ((red, "blue", "-o", tmp_path / "x.gif"), "expected a file that ends in"),
        ((red, "blue", "-o", red), "writes over no picture"),
        ((red, "blue", "--embedding", tmp_path / "x.npz"), "name it .safetensors"),
        ((red, "blue", "--for", folder), "say where to write them"),
    ):
        result = run("mix", *arguments)
        assert (result.code, result.out, told in result.err) == (2, "", True), (arguments, result.err)
    broken = run("mix", red, bad)
    assert broken.code == 1
    assert "bad.jpg" in broken.err


def test_a_text_that_is_too_long_is_cut_with_a_warning(run: Run, colours: Path) -> None:
    with pytest.warns(TruncatedText, match="longer than 8 tokens"):
        assert run("mix", "red " * 30, "blue", "--json").code == 0


def test_a_file_is_a_picture_and_chinese_is_a_text(run: Run, colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh")
    monkeypatch.chdir(colours / "red")
    os.rename("red.png", "snow")
    shown = run("mix", "snow", "雪")
    assert [line.split() for line in shown.out.splitlines()[:2]] == [["图片", "snow"], ["文字", "雪"]]
    assert "中文" in shown.err
    assert "至少" in run("mix", "snow").err


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("diffusers")
    from tests.generation.pipelines import image_variation

    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    return image_variation(tmp_path / "unclip")


def test_for_a_generator(run: Run, paint: Paint, tmp_path: Path, generator: Path) -> None:
    red, blue, file = paint("a.png", "red"), paint("b.png", "blue"), tmp_path / "out.safetensors"
    result = run("mix", red, blue, "--steps", 4, "--for", generator, "--noise-level", 5, "-o", file, "--json")
    assert result.code == 0
    document = json.loads(result.out)
    assert document["for"] == "unclip"
    assert document["tensors"] == {"image_embeds": [4, 64], "class_labels": [4, 128]}
    own = seesay.load(generator / "image_encoder").encode_image([red, blue], normalize=False)
    found = load_file(file)["image_embeds"]
    np.testing.assert_allclose(found[[0, 3]], own, atol=1e-5)
    lengths, ends = np.linalg.norm(found, axis=1), np.linalg.norm(own, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(ends[0], ends[1], 4), rtol=1e-5)
    with safe_open(file, framework="np") as opened:
        assert json.loads(opened.metadata()["items"])[0]["value"] == str(red)
        assert opened.metadata()["noise_level"] == "5"
    shown = run("mix", red, blue, "--steps", 4, "--for", generator, "-o", file).out.splitlines()
    assert [line.split(maxsplit=4)[0::4] for line in shown[-2:]] == [
        ["image_embeds", "4 rows, the points of the way from its beginning"],
        ["class_labels", "the same rows with the noise of --noise-level"],
    ]
    assert "4 × 64" in shown[-2]
    one = run("mix", red, "--for", generator, "-o", file)
    assert (one.code, "1 row, the mix" in one.out) == (0, True), "one picture can be varied"


def test_another_space_is_refused(run: Run, paint: Paint, tmp_path: Path, generator: Path) -> None:
    red, file = paint("a.png", "red"), tmp_path / "out.safetensors"
    other = run("mix", red, "--for", generator, "--model", "bundled", "-o", file)
    assert (other.code, other.out) == (2, "")
    assert "was trained on embeddings of 64 dimensions" in other.err
    assert "'bundled' have 512" in other.err
    texts = run("mix", red, "snow", "--for", generator, "-o", file)
    assert (texts.code, "cannot mix in the text 'snow'" in texts.err, "(--model)" in texts.err) == (2, True, True)
    assert (
        "expected 0 (the picture as it is) to 999, got 1000"
        in run("mix", red, "--for", generator, "--noise-level", 1000, "-o", file).err
    )
    assert not file.exists()
