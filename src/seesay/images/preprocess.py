"""The resize rule and the normalisation: from any picture to a tower's pixels, for every caller (`load_pixels`)."""

import numpy as np
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.decoding.color import with_profile
from seesay.images.decoding.decode import MAX_PIXELS, Decode, Picture
from seesay.images.read import ImageInput, read
from seesay.images.spec import ImageSpec

INTERPOLATION = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Above this the centre is resized by itself: enlarging all of a long strip, to use its centre, would cost too much.
MAX_ENLARGED_PIXELS = 16_000_000


def load_pixels(
    source: ImageInput,
    spec: ImageSpec,
    *,
    decode: Decode = "exact",
    name: str | None = None,
    most_pixels: int = MAX_PIXELS,
) -> tuple[np.ndarray, Picture]:
    """Reads a picture (any input of `read`) -> (its `to_pixels`, the picture itself).

    Raises UnreadableImage, whatever goes wrong with the picture; InputError for what is no input of `read`.
    """
    picture = read(
        source, decode=decode, enough_px=spec.resize_px, alpha=spec.alpha, name=name, most_pixels=most_pixels, srgb=False
    )
    try:
        return to_pixels(picture, spec), picture
    except MemoryError:
        reason = f"{picture.width} x {picture.height} pixels do not fit into memory"
        raise UnreadableImage(name or "picture", reason, transient=True) from None
    except Exception as fault:  # a fault of one picture must not end the run for all others
        raise UnreadableImage(name or "picture", f"cannot be brought to the model's size ({fault})") from fault


def to_pixels(picture: Picture, spec: ImageSpec) -> np.ndarray:
    """A decoded picture -> (3, size_px, size_px) float32, as the tower takes it.

    The same arithmetic as torchvision's Resize on PIL images, CenterCrop, ToTensor and Normalize, as CLIP code uses them, to
    the last bit (tests/parity), with one deliberate difference: CLIP's code resizes first and converts to RGB afterwards, which
    shows in pictures with palettes, alpha or CMYK colours; here pictures are RGB already.
    """
    # The profile is applied to the few pixels that the tower sees: on all of them it would take as long as decoding.
    visible = with_profile(frame(picture.image, spec, (picture.width, picture.height)), picture.profile)
    pixels: np.ndarray = normalize(np.asarray(visible).transpose(2, 0, 1)[None], spec)[0]
    return pixels


def normalize(levels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Levels (N, 3, H, W) uint8 (`images.augment` makes such) -> (level / 255 - mean) / std, of the same shape, float32."""
    pixels = np.empty(levels.shape, dtype=np.float32)
    mean, std = (np.asarray(values, dtype=np.float32)[:, None, None] for values in (spec.mean, spec.std))
    for row, source in zip(pixels, levels, strict=True):  # picture by picture, so that the data stay in the caches
        np.divide(source, np.float32(255), out=row, dtype=np.float32)
        row -= mean
        row /= std
    return pixels


def frame(image: Image.Image, spec: ImageSpec, original: tuple[int, int] | None = None) -> Image.Image:
    """The resize rule of a spec: an RGB image -> the part that the tower sees, (size_px, size_px).

    original: the picture's (width, height) before a fast decode, which rounds each side up to whole pixels. The frame is laid
    out on the original, without the fraction of a pixel that the rounding added.
    """
    resample = INTERPOLATION[spec.interpolation]
    original_width, original_height = original or image.size
    reduced = max(1, round(original_width / image.width))  # 1, 2, 4 or 8
    whole = (0.0, 0.0, original_width / reduced, original_height / reduced)
    if spec.resize == "squash" and spec.resize_px <= spec.size_px:
        return image.resize((spec.size_px, spec.size_px), resample, box=whole)
    width, height = _scaled(original_width, original_height, spec)
    left, top = _offset(width, spec), _offset(height, spec)
    if width * height > MAX_ENLARGED_PIXELS:
        # The box has single precision, which may change a level by 2.
        scale_x, scale_y = whole[2] / width, whole[3] / height
        box = (left * scale_x, top * scale_y, (left + spec.size_px) * scale_x, (top + spec.size_px) * scale_y)
        return image.resize((spec.size_px, spec.size_px), resample, box=box)
    if image.size != (width, height):
        image = image.resize((width, height), resample, box=whole)
    if min(width, height) >= spec.size_px:
        return image.crop((left, top, left + spec.size_px, top + spec.size_px))
    ground = Image.new("RGB", (spec.size_px, spec.size_px), (spec.fill,) * 3)
    ground.paste(image, (-left, -top))
    return ground


def shown_whole(image: Image.Image, box: tuple[float, float, float, float], spec: ImageSpec) -> Image.Image:
    """A part of an RGB image as an image that `frame` shows whole: squashed to the tower's square, and with a border where the
    rule crops. box: x0, y0, x1, y1 in pixels of the image, which may have fractions."""
    side = (spec.size_px, spec.size_px)
    part = image.resize(side, INTERPOLATION[spec.interpolation], box=box)
    if spec.resize == "longest" or spec.resize_px <= spec.size_px:
        return part
    border = _offset(spec.resize_px, spec)
    ground = Image.new("RGB", (spec.resize_px, spec.resize_px))
    ground.paste(part, (border, border))
    return ground


def _scaled(width: int, height: int, spec: ImageSpec) -> tuple[int, int]:
    """The size of the resized picture before it is cropped or padded, rounded as torchvision and OpenCLIP do it."""
    if spec.resize == "squash":
        return spec.resize_px, spec.resize_px
    if spec.resize == "longest":
        ratio = max(height / spec.size_px, width / spec.size_px)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    short, long = sorted((width, height))
    long = max(int(spec.resize_px * long / short), spec.resize_px)
    return (spec.resize_px, long) if width <= height else (long, spec.resize_px)


def _offset(side: int, spec: ImageSpec) -> int:
    """Where the frame begins on one side; negative with padding, of which the first bar is the narrower."""
    margin = side - spec.size_px
    if margin < 0:
        return -(-margin // 2)
    return margin // 2 if spec.crop == "floored" else round(margin / 2)
