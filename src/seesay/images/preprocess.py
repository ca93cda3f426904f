"""From RGB pictures to a tower's pixels: one function for search, evaluation, training and serving."""

from collections.abc import Sequence

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
# Enlarged beyond this, a long strip, of which only the centre is used, costs more than it is worth.
MAX_ENLARGED_PIXELS = 16_000_000


def load_pixels(
    source: ImageInput,
    spec: ImageSpec,
    *,
    decode: Decode = "exact",
    name: str | None = None,
    most_pixels: int = MAX_PIXELS,
) -> tuple[np.ndarray, Picture]:
    """One picture, wherever it is (as `read` takes it) -> what a tower sees of it, (3, size_px, size_px) float32, and the
    picture. Raises UnreadableImage, whatever goes wrong with it."""
    picture = read(
        source, decode=decode, enough_px=spec.resize_px, alpha=spec.alpha, name=name, most_pixels=most_pixels, srgb=False
    )
    try:
        # Colours are turned in the few pixels that the tower sees: in all of them it would take as long as decoding.
        part = with_profile(frame(picture.image, spec, (picture.width, picture.height)), picture.profile)
        return normalize(np.asarray(part).transpose(2, 0, 1)[None], spec)[0], picture
    except MemoryError:
        shown = f"{picture.width} x {picture.height} pixels do not fit into memory"
        raise UnreadableImage(name or "picture", shown, transient=True) from None
    except Exception as fault:  # whatever one picture brings about must not end the run for all others
        raise UnreadableImage(name or "picture", f"cannot be brought to the model's size ({fault})") from fault


def preprocess(
    images: Sequence[Image.Image], spec: ImageSpec, *, originals: Sequence[tuple[int, int]] | None = None
) -> np.ndarray:
    """RGB images -> pixels (N, 3, size_px, size_px) float32.

    The same arithmetic as torchvision's Resize on PIL images, CenterCrop, ToTensor and Normalize, as CLIP code uses them, to
    the last bit (tests/parity). One difference is meant: CLIP's code resizes first and converts to RGB afterwards, which shows
    in pictures with palettes, alpha or CMYK colours; here pictures are RGB already.
    `originals`: (width, height) before a fast decode made the images smaller, so that the same part of each is taken.
    """
    levels = np.empty((len(images), 3, spec.size_px, spec.size_px), dtype=np.uint8)
    for row, image, size in zip(levels, images, originals or [image.size for image in images], strict=True):
        row[:] = np.asarray(frame(image, spec, size)).transpose(2, 0, 1)
    return normalize(levels, spec)


def normalize(levels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Levels (N, 3, H, W) uint8, as of `images.augment`, -> pixels of that shape, float32."""
    pixels = np.empty(levels.shape, dtype=np.float32)
    mean, std = (np.asarray(values, dtype=np.float32)[:, None, None] for values in (spec.mean, spec.std))
    for row, own in zip(pixels, levels, strict=True):  # a picture at a time stays in the caches
        np.divide(own, np.float32(255), out=row, dtype=np.float32)
        row -= mean
        row /= std
    return pixels


def frame(image: Image.Image, spec: ImageSpec, original: tuple[int, int] | None = None) -> Image.Image:
    """The part of an RGB image that the tower sees, at the size it sees it (size_px, size_px).

    `original`: the picture's (width, height) before a fast decode, which rounds a side up to whole pixels: the frame is laid
    out on the original, and the fraction of a pixel that was made up is left out.
    """
    how = INTERPOLATION[spec.interpolation]
    original_width, original_height = original or image.size
    reduced = max(1, round(original_width / image.width))  # 1, 2, 4 or 8
    whole = (0.0, 0.0, original_width / reduced, original_height / reduced)
    if spec.resize == "squash":
        return image.resize((spec.size_px, spec.size_px), how, box=whole)
    width, height = _scaled(original_width, original_height, spec)
    left, top = _offset(width, spec), _offset(height, spec)
    if width * height > MAX_ENLARGED_PIXELS:
        # resize() takes the centre alone; its box has single precision, which may change a level by 2.
        scale_x, scale_y = whole[2] / width, whole[3] / height
        box = (left * scale_x, top * scale_y, (left + spec.size_px) * scale_x, (top + spec.size_px) * scale_y)
        return image.resize((spec.size_px, spec.size_px), how, box=box)
    if image.size != (width, height):
        image = image.resize((width, height), how, box=whole)
    if min(width, height) >= spec.size_px:
        return image.crop((left, top, left + spec.size_px, top + spec.size_px))
    ground = Image.new("RGB", (spec.size_px, spec.size_px), (spec.fill,) * 3)
    ground.paste(image, (-left, -top))
    return ground


def _scaled(width: int, height: int, spec: ImageSpec) -> tuple[int, int]:
    """The size of the whole picture before it is cut or given bars; rounded as torchvision and OpenCLIP each do it."""
    if spec.resize == "longest":
        ratio = max(height / spec.size_px, width / spec.size_px)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    short, long = sorted((width, height))
    long = max(int(spec.resize_px * long / short), spec.resize_px)
    return (spec.resize_px, long) if width <= height else (long, spec.resize_px)


def _offset(side: int, spec: ImageSpec) -> int:
    """Where the frame begins; negative where there are bars, of which the first is the narrower."""
    margin = side - spec.size_px
    if margin < 0:
        return -(-margin // 2)
    return margin // 2 if spec.crop == "floored" else round(margin / 2)
