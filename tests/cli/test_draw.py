"""draw: files of a drawing, what it says, and what it refuses."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay.cli.draw
import seesay.generation.drawing.drawing
import seesay.generation.drawing.run
from seesay.generation.drawing.drawing import Drawing
from seesay.model import Model
from tests.cli.conftest import Run
from tests.generation.small_models import CONVOLUTIONS, made_of
from tests.parity.test_checkpoints import DATA

QUICK = ("--steps", 4, "--strokes", 6)


@pytest.fixture(scope="module")
def small() -> Model:
    return made_of(CONVOLUTIONS)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Model) -> Path:
    """An empty folder to draw in, and a model of a second."""
    monkeypatch.setattr(seesay.cli.draw, "open_model", lambda name, engine: small)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_draw_writes_an_svg_an_animation_and_a_page(run: Run, here: Path) -> None:
    result = run("draw", "a red apple", "-o", "new/apple.svg", *QUICK, "--gif", "steps.gif", "--preview", "live.html", "--json")
    document = json.loads(result.out)
    assert (result.code, document["strokes"], document["steps"], document["seed"]) == (0, 6, 4, 0)
    assert (document["path"], document["text"], document["mode"]) == ("new/apple.svg", "a red apple", "shapes")
    assert len(document["similarity"]) == 5
    svg = (here / "new/apple.svg").read_text(encoding="utf-8")
    assert svg.count("<path ") == 6
    assert "<title>a red apple</title>" in svg
    with Image.open(here / "steps.gif") as gif:
        assert (getattr(gif, "n_frames", 0), gif.size) == (5, (224, 224))
    page = (here / "live.html").read_text(encoding="utf-8")
    assert "4 / 4" in page
    assert 'http-equiv="refresh"' not in page  # it is finished
    assert sorted(path.name for path in here.rglob("*") if path.is_file()) == ["apple.svg", "live.html", "steps.gif"]


def test_the_page_refreshes_itself_while_it_is_drawn(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(2, monkeypatch)
    assert run("draw", "a cat", "-o", "cat.svg", *QUICK, "--preview", "live.html").code == 130
    page = (here / "live.html").read_text(encoding="utf-8")
    assert 'http-equiv="refresh"' in page
    assert "data:image/png;base64," in page


def test_the_same_seed_is_the_same_file(run: Run, here: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = run("draw", "一只猫 | snow:0.5", "-o", f"{name}.svg", *QUICK, "--seed", seed, "--negative", "text")
        assert (result.code, "cosine" in result.out, f"wrote {name}.svg" in result.err) == (0, True, True)
    first, again, other = ((here / f"{name}.svg").read_bytes() for name in "abc")
    assert first == again
    assert first != other


@pytest.mark.parametrize(("mode", "side"), [("strokes", 896), ("shapes", 896), ("pixels", 224)])
def test_draw_writes_pixels(run: Run, here: Path, mode: str, side: int) -> None:
    result = run("draw", "a cat", "-o", "cat.png", *QUICK, "--mode", mode, "--json")
    assert json.loads(result.out)["strokes"] == (None if mode == "pixels" else 6)
    with Image.open(here / "cat.png") as image:
        assert image.size == (side, side)


def test_draw_after_pictures(run: Run, here: Path) -> None:
    Image.new("RGB", (60, 40), "navy").save(here / "photo.png")
    result = run(
        "draw",
        "-o",
        "sea.svg",
        *QUICK,
        "--mode",
        "strokes",
        "--from",
        "photo.png",
        "--style",
        "photo.png",
        "--image",
        "photo.png",
        "--json",
    )
    assert (result.code, json.loads(result.out)["text"]) == (0, None)
    fills = re.findall(r'stroke="#(..)(..)(..)"', (here / "sea.svg").read_text(encoding="utf-8"))
    assert np.array([int(blue, 16) > int(red, 16) for red, _, blue in fills]).all()


def test_a_stopped_drawing_goes_on(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("draw", "a cat", "-o", "whole.svg", *QUICK).code == 0
    with monkeypatch.context() as patched:
        stop_at(2, patched)
        stopped = run("draw", "a cat", "-o", "cat.svg", *QUICK)
    assert (stopped.code, "--resume goes on" in stopped.err, (here / "cat.svg").exists()) == (130, True, False)
    other = run("draw", "a cat", "-o", "cat.svg", "--steps", 9, "--strokes", 6, "--resume")
    assert (other.code, "other settings: steps (4, now 9)" in other.err) == (2, True)
    assert run("draw", "a cat", "-o", "cat.svg", *QUICK, "--resume").code == 0
    title = "<title>a cat</title>"
    assert (here / "cat.svg").read_text(encoding="utf-8") == (here / "whole.svg").read_text(encoding="utf-8")
    assert title in (here / "cat.svg").read_text(encoding="utf-8")
    again = run("draw", "a cat", "-o", "cat.svg", *QUICK, "--resume")
    assert (again.code, "no unfinished drawing" in again.err) == (2, True)


def test_a_drawing_that_is_stopped_early_goes_on(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = ("--steps", 90, "--strokes", 2)  # it is looked at, and saved, at every third step
    advance = seesay.generation.drawing.run.Run.advance

    def interrupted(at: int) -> Callable[[seesay.generation.drawing.run.Run], None]:
        def step(self: seesay.generation.drawing.run.Run) -> None:
            if self.step == at:
                raise KeyboardInterrupt
            advance(self)

        return step

    for at, told, kept in ((0, "nothing is kept", False), (1, "cat.svg.unfinished keeps what is done so far", True)):
        with monkeypatch.context() as patched:
            patched.setattr(seesay.generation.drawing.run.Run, "advance", interrupted(at))
            stopped = run("draw", "a cat", "-o", "cat.svg", *many)
        assert (stopped.code, told in stopped.err, (here / "cat.svg.unfinished").exists()) == (130, True, kept), stopped.err
    first = (here / "cat.svg.unfinished").read_bytes()
    anew = run("draw", "a cat", "-o", "cat.svg", *QUICK)
    assert (anew.code, "rename cat.svg.unfinished.old to cat.svg.unfinished" in anew.err) == (0, True)
    assert (here / "cat.svg.unfinished.old").read_bytes() == first
    (here / "cat.svg.unfinished.old").rename(here / "cat.svg.unfinished")
    assert run("draw", "a cat", "-o", "cat.svg", *many, "--resume").code == 0
    assert run("draw", "a cat", "-o", "whole.svg", *many).code == 0
    assert (here / "cat.svg").read_bytes() == (here / "whole.svg").read_bytes()


def test_too_few_steps_are_told(run: Run, here: Path) -> None:
    result = run("draw", "a cat", "-o", "cat.svg", "--steps", 1, "--strokes", 2)
    assert result.code == 0
    assert "more steps (--steps, now 1)" in result.err or "1 step is few" in result.err


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at a step."""
    draw = seesay.generation.drawing.drawing.draw

    def stopped(*arguments: object, watch: object, **options: object) -> Drawing:
        def look(drawing: Drawing) -> None:
            watch(drawing)  # type: ignore[operator]
            if drawing.step == step:
                raise KeyboardInterrupt

        return draw(*arguments, watch=look, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(seesay.generation.drawing.drawing, "draw", stopped)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "-o", "a.svg"), "a prompt is empty"),
        (("-o", "a.svg"), "nothing is to be drawn"),
        (("a cat:nan", "-o", "a.svg"), "expected a weight above 0"),
        (("a cat", "-o", "a.svg", "--negative", " "), "a prompt is empty"),
        (("a cat", "-o", "a.bmp"), "expected a file that ends in .svg, .png, .jpg, .jpeg, .webp, got a.bmp"),
        (
            ("a cat", "-o", "a.svg", "--mode", "pixels"),
            "--mode pixels makes a picture of pixels, which an .svg cannot hold: name a.png",
        ),
        (("a cat", "-o", "a.bmp", "--mode", "pixels"), "expected a file that ends in .png, .jpg, .jpeg, .webp, got a.bmp"),
        (("a cat", "-o", "a.svg", "--gif", "a.png"), "ends in .gif"),
        (("a cat", "-o", "a.svg", "--preview", "a.png"), "ends in .html"),
        (("a cat", "-o", "a.svg", "--strokes", "0"), "strokes at least 1 and at most 2048, got 0"),
        (("a cat", "-o", "a.svg", "--strokes", "99999"), "got 99999"),
        (("a cat", "-o", "a.svg", "--steps", "0"), "steps at least 1"),
        (("a cat", "-o", "photo.png", "--from", "photo.png"), "writes over no picture"),
        (
            ("a cat", "-o", "a.svg", "--style", "photo.png", "--gif", "photo.gif", "--image", "photo.gif"),
            "writes over no picture",
        ),
        (("a cat",), "Missing option"),
    ],
)
def test_draw_with_what_cannot_be_used(run: Run, here: Path, arguments: tuple[str, ...], message: str) -> None:
    for name in ("photo.png", "photo.gif"):
        Image.new("RGB", (8, 8)).save(here / name)
    result = run("draw", *arguments)
    assert (result.code, result.out, message in result.err, "Traceback" in result.err) == (2, "", True, False), result.err
    assert sorted(path.name for path in here.iterdir()) == ["photo.gif", "photo.png"]


@pytest.mark.parametrize("option", ["--from", "--image", "--style"])
def test_draw_after_what_is_no_picture(run: Run, here: Path, option: str) -> None:
    (here / "bad.jpg").write_bytes(b"no picture")
    for name in ("bad.jpg", "none.jpg"):
        result = run("draw", "a cat", "-o", "a.svg", option, name)
        assert (result.code, name in result.err, "Traceback" in result.err) == (1, True, False)


def test_draw_replaces_a_drawing_only_when_it_is_finished(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "cat.svg").write_text("old", encoding="utf-8")
    with monkeypatch.context() as patched:
        stop_at(1, patched)
        run("draw", "a cat", "-o", "cat.svg", *QUICK)
    assert (here / "cat.svg").read_text(encoding="utf-8") == "old"
    assert run("draw", "a cat", "-o", "cat.svg", *QUICK).code == 0
    assert (here / "cat.svg").read_text(encoding="utf-8").startswith("<svg")


def test_graphs_alone_cannot_draw(run: Run, tmp_path: Path) -> None:
    result = run("draw", "a cat", "-o", tmp_path / "a.svg", "--model", DATA / "graphs" / "immich")
    assert (result.code, result.out, "Traceback" in result.err) == (2, "", False)
    assert "take the checkpoint that they were exported from" in result.err


def test_draw_needs_torch(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torch" or name == "seesay.engines.torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("draw", "a cat", "-o", tmp_path / "a.svg")
    assert (result.code, "seesay[torch]" in result.err, "Traceback" in result.err) == (2, True, False), result.err


def test_draw_with_the_bundled_model(run: Run, tmp_path: Path) -> None:
    result = run("draw", "a red apple", "-o", tmp_path / "apple.svg", "--steps", 12, "--strokes", 16, "--json")
    similarity = json.loads(result.out)["similarity"]
    assert similarity[-1] > similarity[0] + 0.01
