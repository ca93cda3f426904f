"""Preprocessing against a slow reference in float64 for everything but Pillow's own resampling."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.preprocess import frame, load_pixels
from seesay.images.spec import ImageSpec

CLIP = ImageSpec(224, "shortest", 224, "bicubic", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8))


def reference(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    """What torchvision's Resize(resize_px), CenterCrop(size_px), ToTensor, Normalize do, step by step."""
    width, height = image.size
    if spec.resize == "squash":
        width = height = spec.resize_px
    elif width <= height:
        width, height = spec.resize_px, int(spec.resize_px * height / width)
    else:
        width, height = int(spec.resize_px * width / height), spec.resize_px
    levels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
    top, left = round((height - spec.size_px) / 2.0), round((width - spec.size_px) / 2.0)
    cut = levels[top : top + spec.size_px, left : left + spec.size_px]
    return ((cut / 255 - np.array(spec.mean)) / np.array(spec.std)).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (224, 224), (100, 37), (333, 500), (1, 1), (225, 224), (2000, 300)])
@pytest.mark.parametrize("resize", ["shortest", "squash"])
@pytest.mark.parametrize("margin", [0, 32])
def test_equals_the_reference(size: tuple[int, int], resize: str, margin: int) -> None:
    spec = ImageSpec(224, resize, 224 + margin, "bicubic", CLIP.mean, CLIP.std)  # type: ignore[arg-type]
    image = noise(*size)
    got = load_pixels(image, spec)[0]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference(image, spec), atol=2e-6)


def test_a_long_strip_does_not_become_a_huge_picture() -> None:
    """Only its centre is used, so only its centre is enlarged; Pillow's edge handling makes at most a level of difference."""
    image = noise(4000, 10)
    got = np.asarray(frame(image, CLIP), dtype=int)
    whole = image.resize((224 * 400, 224), Image.Resampling.BICUBIC)
    left = round((whole.width - 224) / 2)
    expected = np.asarray(whole.crop((left, 0, left + 224, 224)), dtype=int)
    assert got.shape == (224, 224, 3)
    assert np.abs(got - expected).max() <= 2


def test_a_strip_of_no_great_size_is_enlarged_whole() -> None:
    image = noise(2500, 10)
    whole = image.resize((224 * 250, 224), Image.Resampling.BICUBIC)
    left = round((whole.width - 224) / 2)
    np.testing.assert_array_equal(np.asarray(frame(image, CLIP)), np.asarray(whole.crop((left, 0, left + 224, 224))))


@pytest.mark.parametrize("size", [(640, 480), (225, 224), (224, 225), (224, 224), (100, 37), (1, 300), (3000, 1)])
def test_longest_shows_the_whole_picture_between_bars(size: tuple[int, int]) -> None:
    spec = replace(CLIP, resize="longest", fill=90)
    image = noise(*size)
    got = np.asarray(frame(image, spec))
    width, height = (max(1, round(side * 224 / max(size))) for side in size)
    left, top = (224 - width) // 2, (224 - height) // 2
    expected = np.full((224, 224, 3), 90, dtype=np.uint8)
    expected[top : top + height, left : left + width] = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("width", "rounded", "floored"), [(225, 0, 0), (226, 1, 1), (227, 2, 1), (229, 2, 2), (231, 4, 3)])
def test_odd_margins_are_rounded_to_even_or_floored(width: int, rounded: int, floored: int) -> None:
    image = noise(width, 224)
    levels = np.asarray(image)
    for crop, left in (("rounded", rounded), ("floored", floored)):
        got = np.asarray(frame(image, replace(CLIP, crop=crop)))  # type: ignore[arg-type]
        np.testing.assert_array_equal(got, levels[:, left : left + 224])


def test_a_crop_larger_than_the_picture_has_bars() -> None:
    """As torchvision's CenterCrop: the narrower one first."""
    got = np.asarray(frame(noise(221, 221), replace(CLIP, resize_px=221)))
    np.testing.assert_array_equal(got[1:222, 1:222], np.asarray(noise(221, 221)))
    assert not got[0].any()
    assert not got[222:].any()


@pytest.mark.parametrize("size", [(2401, 1603), (1603, 2401), (3837, 2560), (4000, 3000)])
def test_a_fast_decode_shows_the_same_part_of_the_picture(size: tuple[int, int]) -> None:
    """Sides that do not divide by 8: laid out on the reduced picture, the crop would be off by a pixel."""
    from io import BytesIO

    from seesay.images.read import read

    width, height = size
    y, x = np.mgrid[0:height, 0:width] / min(size)
    waves = np.stack([np.sin(x * 40), np.sin(y * 40), np.sin((x + y) * 30)], axis=-1)
    stream = BytesIO()
    Image.fromarray((127 + 100 * waves).astype(np.uint8)).save(stream, "JPEG", quality=95, subsampling=0)
    exact = read(stream.getvalue())
    fast = read(stream.getvalue(), decode="fast", enough_px=224)
    assert fast.image.width < width / 1.9
    got, expected = (np.asarray(frame(p.image, CLIP, (p.width, p.height)), dtype=float) for p in (fast, exact))
    assert np.abs(got - expected).mean() < 0.6
    assert np.abs(got - expected).max() <= 6


@pytest.mark.parametrize(
    ("fault", "reason"), [(MemoryError(), "do not fit into memory"), (OverflowError("x"), r"model's size \(x\)")]
)
def test_whatever_a_picture_brings_about_is_its_own_error(
    fault: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr("seesay.images.preprocess.frame", fail)
    with pytest.raises(UnreadableImage, match=rf"^a: .*{reason}"):
        load_pixels(np.zeros((8, 8, 3), np.uint8), CLIP, name="a")


def test_a_squashed_picture_may_be_cropped_afterwards() -> None:
    """As EfficientNet's pictures are prepared for ALIGN: both sides resized, then a central crop."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8))
    half = (0.5, 0.5, 0.5)
    spec = ImageSpec(32, "squash", 40, "bilinear", half, half, crop="floored")
    expected = np.asarray(image.resize((40, 40), Image.Resampling.BILINEAR).crop((4, 4, 36, 36)), dtype=np.float64)
    pixels = load_pixels(np.asarray(image), spec)[0]
    np.testing.assert_allclose(pixels, (expected / 127.5 - 1).transpose(2, 0, 1), atol=1e-6)
