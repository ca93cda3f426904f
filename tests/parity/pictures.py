"""The pictures that preprocessing is compared on, and which ImageSpec stands for which original; the same ones everywhere."""

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from seesay.images.preprocess import load_pixels
from seesay.images.read import read
from seesay.images.spec import ImageSpec

PHOTOS = Path(__file__).parent.parent.parent / "examples" / "photos"
STORED = Path(__file__).parent / "data" / "preprocessing.json"

# Sides that divide badly, differ by one to four from the frame, or hardly exist.
SIZES = (
    (1, 1),
    (1, 7),
    (7, 1),
    (1, 300),
    (300, 1),
    (2, 3),
    (37, 100),
    (223, 225),
    (224, 224),
    (224, 225),
    (225, 224),
    (226, 224),
    (224, 227),
    (228, 224),
    (231, 500),
    (333, 500),
    (640, 480),
    (480, 641),
    (1000, 50),
    (60, 1999),
    (2000, 1333),
)
MODES = ("L", "RGBA", "LA", "P", "1", "CMYK", "I;16")

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
CLIP = ImageSpec(224, "shortest", 224, "bicubic", MEAN, STD)
HALF = (0.5, 0.5, 0.5)

# transformers converts to RGB before it resizes, as we do; its PIL backend is the slow processor of version 4.
HUGGING_FACE = replace(CLIP, crop="floored", alpha="white")
# Originals whose method is ours: no bit may differ.
EXACT: dict[str, ImageSpec] = {
    "clip 224": CLIP,
    "clip 336": replace(CLIP, size_px=336, resize_px=336),
    "open_clip shortest": CLIP,
    "open_clip shortest bilinear": replace(CLIP, interpolation="bilinear"),
    "open_clip squash 384": replace(CLIP, size_px=384, resize_px=384, resize="squash", mean=HALF, std=HALF),
    "open_clip longest": replace(CLIP, resize="longest"),
    "open_clip longest, bilinear, filled": replace(CLIP, resize="longest", interpolation="bilinear", fill=127),
    "cn_clip": replace(CLIP, resize="squash"),
    "transformers CLIP, PIL": HUGGING_FACE,
    "transformers ChineseCLIP, PIL": replace(HUGGING_FACE, resize="squash"),
}
# The torchvision backend of transformers, its default since version 5, resizes in other arithmetic: how far that is from ours
# is measured and stored.
NEAR: dict[str, ImageSpec] = {
    "transformers CLIP, torchvision": HUGGING_FACE,
    "transformers ChineseCLIP, torchvision": replace(HUGGING_FACE, resize="squash"),
}


def drawn(width: int, height: int) -> Image.Image:
    """Slow waves under noise, in whole numbers only, so that every machine draws the same."""
    y, x, channel = np.mgrid[0:height, 0:width, 0:3].astype(np.uint64)
    noise = (x * 2654435761 + y * 2246822519 + channel * 3266489917 + (x * y) * 668265263) >> np.uint64(13)
    slope = (x * (channel + 1) * 255 // max(width, 1) + y * 255 // max(height, 1)) % 256
    return Image.fromarray(((noise % 64 + slope * 3 // 4) % 256).astype(np.uint8))


def in_mode(mode: str) -> Image.Image:
    image = drawn(300, 217)
    levels = np.asarray(image)
    if mode == "I;16":
        return Image.fromarray(levels[..., 0].astype(np.uint16) * 257)
    if mode == "P":
        picture = Image.fromarray(levels[..., 0] // 4, "P")
        picture.putpalette([(i * k) % 256 for i in range(64) for k in (5, 11, 23)])
        return picture
    picture = image.convert(mode, dither=Image.Dither.NONE)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(levels[..., 2]))
    return picture


@cache
def pictures() -> dict[str, Image.Image]:
    """RGB and grey images by name."""
    by_name = {f"{width} x {height}": drawn(width, height) for width, height in SIZES}
    by_name["grey"] = in_mode("L")
    photos = sorted(file for file in PHOTOS.rglob("*") if file.suffix in (".jpg", ".png", ".webp"))
    for file in photos[::9]:
        by_name[file.relative_to(PHOTOS).as_posix()] = read(file, alpha="drop").image
    return by_name


def pictures_for(name: str) -> dict[str, Image.Image]:
    """The images on which an original is compared: those that convert to RGB first take other modes as well."""
    return pictures() | ({mode: in_mode(mode) for mode in MODES if mode != "I;16"} if name.startswith("transformers") else {})


def ours(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    """Pixels (3, size_px, size_px) float32 of any image, as `Model` computes them."""
    return load_pixels(image, spec)[0]


def digest(array: np.ndarray) -> str:
    """16 hex digits of an array's SHA-256, shape included."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(str(array.shape).encode() + plain.tobytes()).hexdigest()[:16]


def sample(pixels: np.ndarray) -> list[float]:
    """A few dozen values from all over the frame."""
    return [round(float(value), 5) for value in pixels[:, 5::43, 7::43].ravel()]
