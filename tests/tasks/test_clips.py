"""Animations as the mean of their frames."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.clip import clip_frames
from seesay.model import Model
from seesay.tasks.clips import each_clip, mean_frame
from tests.conftest import COLOURS, Paint


def striped(colour: str) -> Image.Image:
    """A frame that is not blank."""
    frame = Image.new("RGB", (48, 40), COLOURS[colour])
    frame.paste((250, 250, 250), (0, 0, 24, 40))
    return frame


def numbered(*colours: str) -> list[Image.Image]:
    """Frames that differ in a pixel, since equal ones would be stored as one that lasts longer."""
    frames = [striped(colour) for colour in colours]
    for number, frame in enumerate(frames):
        frame.putpixel((0, 0), (10 * number, 10 * number, 10 * number))
    return frames


def animation(path: Path, *colours: str) -> Path:
    first, *rest = numbered(*colours)
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=rest, duration=50, **lossless)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_clip_is_the_mean_of_its_frames(tmp_path: Path, fake: Model, paint: Paint, suffix: str) -> None:
    clip = animation(tmp_path / f"a{suffix}", "red", "green", "blue", "black")
    still, missing = paint("still.png", "red"), tmp_path / "none.gif"
    frames = clip_frames(clip, 4)
    assert len(frames) == 4
    got = list(each_clip(fake, [still, clip, missing, clip.read_bytes()], frames=4))
    vectors = fake.encode_image(numbered("red", "green", "blue", "black"))
    mean = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    np.testing.assert_array_equal(got[0], fake.encode_image(still)[0])
    for vector in (got[1], got[3]):
        np.testing.assert_allclose(vector, mean, atol=0.02 if suffix == ".gif" else 1e-5)  # a GIF has 256 colours
    assert isinstance(got[2], UnreadableImage)


def test_frames_are_spread_over_the_whole_clip(tmp_path: Path) -> None:
    clip = animation(tmp_path / "a.webp", *["red"] * 10, *["blue"] * 10)
    for count in (1, 2, 3, 8, 64):
        frames = clip_frames(clip, count)
        assert len(frames) == min(count, 20)
        blue = [frame.getpixel((40, 20))[2] > 128 for frame in frames]  # type: ignore[index]
        assert blue == sorted(blue)
        assert sum(blue) == pytest.approx(len(frames) / 2, abs=0.5)


def test_blank_frames_count_only_where_all_are(tmp_path: Path) -> None:
    black, shown = Image.new("RGB", (48, 40)), numbered("red", "green")
    black.save(tmp_path / "fade.webp", save_all=True, append_images=[*shown, Image.new("RGB", (48, 40), "navy")], lossless=True)
    assert len(clip_frames(tmp_path / "fade.webp", 4)) == 2
    black.save(tmp_path / "dark.webp", save_all=True, append_images=[Image.new("RGB", (48, 40), "navy")], lossless=True)
    assert len(clip_frames(tmp_path / "dark.webp", 4)) == 2


def test_what_is_no_clip_has_no_frames(tmp_path: Path, paint: Paint) -> None:
    text = tmp_path / "text.gif"
    text.write_text("GIF89a and no more")
    still = tmp_path / "still.gif"
    striped("red").save(still)
    for source in (
        paint("a.png"),
        paint("a.jpg"),
        text,
        still,
        tmp_path,
        tmp_path / "none.gif",
        "http://127.0.0.1/a.gif",
        b"x",
    ):
        assert clip_frames(source, 4) == []


def test_a_clip_that_ends_too_early_keeps_the_frames_it_has(tmp_path: Path) -> None:
    clip = animation(tmp_path / "a.gif", "red", "green", "blue", "black")
    clip.write_bytes(clip.read_bytes()[:-60])
    assert 1 <= len(clip_frames(clip, 4)) <= 4


def test_one_frame_keeps_its_vector() -> None:
    row = np.ones((1, 4), dtype=np.float32)
    np.testing.assert_array_equal(mean_frame(row), row[0])


def test_large_clips_give_fewer_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = animation(tmp_path / "a.webp", *["red"] * 10)
    monkeypatch.setattr("seesay.images.clip.KEPT_PIXELS", 3 * 48 * 40)
    assert len(clip_frames(clip, 8)) == 3
    monkeypatch.setattr("seesay.images.clip.KEPT_PIXELS", 1)
    assert len(clip_frames(clip, 8)) == 1
