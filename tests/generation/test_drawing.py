"""Drawings: what they come near to, that they are repeated and go on exactly, and what they refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seesay.errors import InputError
from seesay.generation.drawing.drawing import Drawing, draw
from seesay.generation.drawing.objective import Aims, Objective
from seesay.generation.drawing.prompts import Prompt
from seesay.generation.drawing.run import Run
from seesay.generation.drawing.settings import MODES, Mode, Settings
from seesay.generation.drawing.start import start
from seesay.generation.drawing.subject import Subject
from seesay.generation.drawing.views import Views
from seesay.images.spec import ImageSpec
from seesay.model import Model

FEW = Settings("strokes", strokes=8, steps=9, seed=3, views=2)
CAT = Subject((Prompt("a cat"),))


class Stopped(Exception):
    pass


class ColourEye:
    """Sees the mean colour of a picture, less grey, as its vector, and its pixels as states: an eye whose wishes are known."""

    spec = ImageSpec(24, "shortest", 24, "bicubic", (0.5,) * 3, (1.0,) * 3)
    sides = (24,)

    def vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(pixels.mean(dim=(2, 3)) + 1e-3, dim=1)

    def vectors_and_states(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return self.vectors(pixels), [pixels.flatten(2)]


COLOURS = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}


def colours(*names: str) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor([COLOURS[name] for name in names]).reshape(-1, 3), dim=1)


def drawn(aims: Aims, mode: Mode = "pixels", steps: int = 60) -> tuple[Run, torch.Tensor]:
    """A run with the eye for colours, and what it drew: (3, 64, 64)."""
    medium = start(mode, 48, 64, torch.Generator().manual_seed(0), aims.photo)
    run = Run(Objective(ColourEye(), aims, Views(count=2)), medium, steps, 0)  # type: ignore[arg-type]
    run.look(keep=False)
    while run.step < run.steps:
        run.advance()
    run.look(keep=False)
    with torch.no_grad():
        return run, medium.picture()


def towards(*names: str, weights: tuple[float, ...] = (1.0,), away: tuple[str, ...] = ()) -> Aims:
    return Aims(colours(*names), torch.tensor(weights), colours(*away), torch.full((len(away),), 2.0))


@pytest.mark.parametrize("mode", MODES)
def test_an_eye_for_colours_gets_its_colour(mode: Mode) -> None:
    run, picture = drawn(towards("green"), mode, steps=80)
    first, last = run.similarity
    assert last > first + 0.2
    red, green, blue = picture.mean(dim=(1, 2)).tolist()
    assert green > max(red, blue) + 0.1


def test_what_weighs_more_shows_more_and_the_negative_less() -> None:
    def levels(aims: Aims) -> list[float]:
        return drawn(aims)[1].mean(dim=(1, 2)).tolist()

    red_first = levels(towards("red", "blue", weights=(4.0, 1.0)))
    blue_first = levels(towards("red", "blue", weights=(1.0, 4.0)))
    assert red_first[0] - red_first[2] > 0.1
    assert blue_first[2] - blue_first[0] > 0.1
    assert levels(towards("green", away=("blue",)))[2] < levels(towards("green", away=("red",)))[2] - 0.05


@pytest.mark.parametrize("mode", MODES)
def test_a_photo_is_drawn_after(mode: Mode) -> None:
    photo = torch.ones(3, 64, 64)
    photo[:, 16:48, 12:44] = torch.tensor([0.1, 0.2, 0.7])[:, None, None]
    aims = Aims(colours(), torch.empty(0), colours(), torch.empty(0), photo=photo)
    medium = start(mode, 48, 64, torch.Generator().manual_seed(0), photo)
    with torch.no_grad():
        before = (medium.picture() - photo).abs().mean()
    run, picture = drawn(aims, mode)
    assert (picture - photo).abs().mean() < 0.9 * before
    assert run.similarity[-1] > run.similarity[0]


def test_a_style_brings_its_statistics() -> None:
    stripes = torch.zeros(3, 64, 64)
    stripes[:, ::16] = stripes[:, 1::16] = torch.tensor([1.0, 0.8, 0.0])[:, None, None]
    _, plain = drawn(towards("blue"))
    _, styled = drawn(replace(towards("blue"), style=stripes))
    own = stripes.mean(dim=(1, 2))
    assert (styled.mean(dim=(1, 2)) - own).abs().mean() < 0.8 * (plain.mean(dim=(1, 2)) - own).abs().mean()


@pytest.mark.parametrize("mode", MODES)
def test_a_drawing_comes_nearer_and_a_seed_repeats_it(tiny: Model, mode: Mode) -> None:
    settings = replace(FEW, mode=mode, steps=8)
    first, again, other = (draw(tiny, CAT, replace(settings, seed=seed)) for seed in (1, 1, 2))
    assert first.similarity[-1] > first.similarity[0]
    assert first.similarity == again.similarity
    assert np.array_equal(np.asarray(first.image()), np.asarray(again.image()))
    assert not np.array_equal(np.asarray(first.image()), np.asarray(other.image()))
    if mode == "pixels":
        with pytest.raises(InputError, match=r"\.png"):
            first.svg()
    else:
        assert first.svg("a cat") == again.svg("a cat")
        assert first.svg() != other.svg()
        assert first.image(2).size == (448, 448)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", [1, 5])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tiny: Model, tmp_path: Path, mode: Mode, at: int) -> None:
    settings, state = replace(FEW, mode=mode), tmp_path / "cat.unfinished"
    whole = draw(tiny, CAT, settings, frames=True)

    def stop(drawing: Drawing) -> None:
        if drawing.step == at:
            raise Stopped

    with pytest.raises(Stopped):
        draw(tiny, CAT, settings, frames=True, state=state, watch=stop)
    assert state.is_file()
    steps: list[int] = []
    resumed = draw(tiny, CAT, settings, frames=True, state=state, resume=True, watch=lambda drawing: steps.append(drawing.step))
    assert steps == list(range(at, 10))
    assert list(resumed.similarity) == list(whole.similarity)
    assert all(np.array_equal(a, b) for a, b in zip(resumed.frames, whole.frames, strict=True))
    assert not state.exists()
    if mode != "pixels":
        assert resumed.svg() == whole.svg()


def test_what_cannot_go_on(tiny: Model, tmp_path: Path) -> None:
    state = tmp_path / "cat.unfinished"
    with pytest.raises(InputError, match="no unfinished drawing at"):
        draw(tiny, CAT, FEW, state=state, resume=True)
    state.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="is damaged"):
        draw(tiny, CAT, FEW, state=state, resume=True)

    def stop(drawing: Drawing) -> None:
        if drawing.step == 2:
            raise Stopped

    with pytest.raises(Stopped):
        draw(tiny, CAT, FEW, state=state, watch=stop)
    kept = state.read_bytes()
    for subject, settings, named in (
        (CAT, replace(FEW, steps=99), r"steps \(9, now 99\)"),
        (CAT, replace(FEW, mode="shapes"), r"mode \(strokes, now shapes\)"),
        (Subject((Prompt("a dog"),)), FEW, "subject"),
    ):
        with pytest.raises(InputError, match=f"other settings: .*{named}"):
            draw(tiny, subject, settings, state=state, resume=True)
    assert state.read_bytes() == kept


def test_texts_pictures_a_photo_and_a_style_reach_a_real_tower(convolutions: Model) -> None:
    red, blue = (Image.new("RGB", (90, 60), colour) for colour in ("red", "navy"))
    subject = Subject((Prompt("a cat", 2.0),), (Prompt("a dog", 0.3),), (red,), blue, red)
    drawing = draw(convolutions, subject, replace(FEW, steps=3))
    assert (drawing.step, len(drawing.similarity)) == (3, 4)
    assert np.asarray(drawing.image()).shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strokes": 0}, "strokes at least 1 and at most 2048, got 0"),
        ({"strokes": 100_000}, "strokes"),
        ({"steps": 0}, "steps"),
        ({"seed": -1}, "seed"),
        ({"views": 65}, "views"),
        ({"mode": "oil"}, "strokes, shapes, pixels, got 'oil'"),
    ],
)
def test_settings_out_of_bounds(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Settings(**values)  # type: ignore[arg-type]


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="nothing is to be drawn"):
        Subject()
