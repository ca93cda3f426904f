"""Ours against what `python -m tests.parity.preprocessing --store` stored of the originals."""

import json
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image

from tests.parity.pictures import CLIP, EXACT, MODES, NEAR, STORED, digest, in_mode, ours, pictures, pictures_for, sample

CONTENT: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
PILLOW = PIL.__version__.partition(".")[0]


def known_here(name: str) -> dict[str, Image.Image]:
    """The pictures, but for photos that this machine's decoders read otherwise (JPEG leaves them some freedom)."""
    stored_pixels = CONTENT["pictures"]
    return {n: image for n, image in pictures_for(name).items() if n in MODES or digest(np.asarray(image)) == stored_pixels[n]}


def test_the_pictures_are_those_that_the_originals_were_given() -> None:
    drawn = [name for name, image in pictures().items() if digest(np.asarray(image)) == CONTENT["pictures"][name]]
    assert list(CONTENT["pictures"]) == list(pictures())
    assert sum("/" not in name for name in drawn) == 22


# Before 13 Pillow rounded some resampled levels another way, and the originals' pixels with it.
@pytest.mark.skipif(CONTENT["versions"]["pillow"].partition(".")[0] != PILLOW, reason="stored with another Pillow")
@pytest.mark.parametrize("name", EXACT)
def test_no_bit_differs_from_the_original(name: str) -> None:
    stored = CONTENT["exact"][name]
    images = known_here(name)
    assert set(images) <= set(stored)
    wrong = [picture for picture, image in images.items() if digest(ours(image, EXACT[name])) != stored[picture]]
    assert not wrong, f"{name} differs on {wrong}; run tests/parity/preprocessing.py"


@pytest.mark.parametrize("name", NEAR)
def test_other_methods_are_as_far_as_was_measured(name: str) -> None:
    """The torchvision backend: a level on most pictures, at most 12 on noise, whose every pixel differs from its neighbour."""
    stored = CONTENT["near"][name]
    for picture, image in known_here(name).items():
        stored_pixels = stored[picture]
        assert stored_pixels["mean"] < 0.3
        assert stored_pixels["max"] < (4.1 if "/" in picture else 12.1)
        difference = np.abs(np.array(sample(ours(image, NEAR[name]))) - stored_pixels["sample"])
        assert difference.max() * max(CLIP.std) * 255 <= stored_pixels["max"] + 0.1


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "I;16"])
def test_other_modes_are_converted_before_they_are_resized(mode: str) -> None:
    np.testing.assert_array_equal(ours(in_mode(mode), CLIP), ours(in_mode(mode).convert("RGB"), CLIP))
