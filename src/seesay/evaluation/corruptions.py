"""Corruptions of pictures at five severities, to measure a model's robustness.

Noise and JPEG have the severities of ImageNet-C (Hendrycks and Dietterich 2019), blur is Gaussian; crop and grey are what
photos on a disk meet more often. Every picture is first reduced to the size that the tower sees, so that a severity means the
same for a large picture and a small one.
"""

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from seesay.errors import InputError
from seesay.images.read import read

SEVERITIES = (1, 2, 3, 4, 5)
Corruption = Callable[[Image.Image, int, np.random.Generator], Image.Image]

NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation, of 1
BLUR = (1.0, 2.0, 3.0, 4.0, 6.0)  # standard deviation in pixels, of a shorter side of 224
JPEG = (25, 18, 15, 10, 7)  # quality
CROP = (0.9, 0.75, 0.6, 0.45, 0.3)  # remaining share of both sides
GREY = (0.2, 0.4, 0.6, 0.8, 1.0)  # share of the grey picture in the blend


def noise(image: Image.Image, severity: int, generator: np.random.Generator) -> Image.Image:
    """Adds Gaussian noise to every value."""
    values = np.asarray(image, dtype=np.float32) / 255
    values = values + generator.standard_normal(values.shape, dtype=np.float32) * NOISE[severity - 1]
    return Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))


def blur(image: Image.Image, severity: int, generator: np.random.Generator) -> Image.Image:
    """Blurs with a Gaussian."""
    return image.filter(ImageFilter.GaussianBlur(BLUR[severity - 1] * min(image.size) / 224))


def jpeg(image: Image.Image, severity: int, generator: np.random.Generator) -> Image.Image:
    """Compresses as JPEG at low quality."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=JPEG[severity - 1])
    return Image.open(stream, formats=("JPEG",)).convert("RGB")


def crop(image: Image.Image, severity: int, generator: np.random.Generator) -> Image.Image:
    """Crops at a random position, with the picture's aspect ratio."""
    width, height = (max(1, round(side * CROP[severity - 1])) for side in image.size)
    left, top = (int(generator.integers(rest + 1)) for rest in (image.width - width, image.height - height))
    return image.crop((left, top, left + width, top + height))


def grey(image: Image.Image, severity: int, generator: np.random.Generator) -> Image.Image:
    """Blends with the grey picture; the last severity has no colour."""
    return Image.blend(image, ImageOps.grayscale(image).convert("RGB"), GREY[severity - 1])


CORRUPTIONS: dict[str, Corruption] = {"noise": noise, "blur": blur, "jpeg": jpeg, "crop": crop, "grey": grey}


def corrupted(image: Image.Image, name: str, severity: int, *, number: int = 0, seed: int = 0) -> Image.Image:
    """An RGB picture under a corruption. number: its position in the dataset. The same arguments give the same pixels.

    Raises InputError.
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        raise InputError(f"expected one of {', '.join(CORRUPTIONS)} at severity 1 to 5, got {name!r} at {severity!r}")
    generator = np.random.default_rng([seed, zlib.crc32(name.encode()), severity, number])
    return CORRUPTIONS[name](image, severity, generator)


class Corrupt:
    """Reads pictures of a dataset and corrupts them; an `alter` for `features.picture_features`."""

    def __init__(self, name: str, severity: int, *, shorter_px: int, seed: int = 0) -> None:
        self.name, self.severity, self.shorter_px, self.seed = name, severity, shorter_px, seed

    @property
    def variant(self) -> str:
        """The corruption with its strengths, which tells its vectors in the cache from others."""
        strengths = (NOISE, BLUR, JPEG, CROP, GREY)
        return f"{self.name} {self.severity} of {strengths}, {self.shorter_px} px, seed {self.seed}"

    def __call__(self, number: int, source: Path | str) -> Image.Image:
        """Raises UnreadableImage."""
        image = read(source, decode="fast", enough_px=self.shorter_px).image
        shrink = self.shorter_px / min(image.size)
        if shrink < 1:
            width, height = (max(1, round(side * shrink)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
        return corrupted(image, self.name, self.severity, number=number, seed=self.seed)
