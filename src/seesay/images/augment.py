"""Augmentation for training: random crop, flip, colour jitter and greyscale; without any, the crop of evaluation."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from seesay.errors import InputError
from seesay.images.decoding.decode import Picture
from seesay.images.preprocess import INTERPOLATION, frame
from seesay.images.spec import ImageSpec

ASPECTS = (3 / 4, 4 / 3)  # of a crop: least and greatest width / height
TRIES = 10  # to draw a crop that fits
JITTERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


@dataclass(frozen=True)
class Augment:
    """Random changes of a picture, applied in the order of the fields.

    crop_scale: least and greatest share of the picture's area in a crop, drawn as in torchvision's RandomResizedCrop; (1, 1)
    takes evaluation's frame instead. flip: mirrors every second picture; off by default, since texts may name sides. colour:
    brightness, contrast and saturation, in random order, are each multiplied by a factor in 1 - colour .. 1 + colour. grey:
    probability of a greyscale picture.
    """

    crop_scale: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    colour: float = 0.0
    grey: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.crop_scale
        if not 0 < low <= high <= 1:
            raise InputError(f"expected crop_scale as two parts of the area, 0 < from <= to <= 1, got {low} and {high}")
        for name in ("colour", "grey"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"expected {name} from 0 to 1, got {getattr(self, name)}")

    @property
    def crops(self) -> bool:
        """Whether pictures are cropped at random."""
        return self.crop_scale != (1.0, 1.0)

    @property
    def random(self) -> bool:
        """Whether two calls with one picture may differ."""
        return self.crops or self.flip or self.colour > 0 or self.grey > 0

    def enough_px(self, spec: ImageSpec) -> int:
        """The `enough_px` for `images.read(decode="fast")`, which keeps twice as many pixels on both sides.

        At least evaluation's, and enough that a fast decode never makes a crop be enlarged.
        """
        if not self.crops:
            return spec.resize_px
        narrowest = math.sqrt(self.crop_scale[0] * ASPECTS[0])  # shortest side of a crop, as a share of the picture's
        return max(spec.resize_px, math.ceil(spec.size_px / narrowest / 2))


def augment(picture: Picture, spec: ImageSpec, how: Augment, rng: np.random.Generator) -> np.ndarray:
    """A decoded picture -> levels (3, size_px, size_px) uint8, for `images.preprocess.normalize`.

    Without random changes the result is bit for bit that of `images.preprocess.to_pixels`.
    """
    size = (picture.width, picture.height)
    if how.crops:
        left, top, width, height = random_crop(*size, how.crop_scale, rng)
        reduced = max(1, round(picture.width / picture.image.width))  # a fast decode divides sides by 1, 2, 4 or 8
        box = (left / reduced, top / reduced, (left + width) / reduced, (top + height) / reduced)
        image = picture.image.resize((spec.size_px, spec.size_px), INTERPOLATION[spec.interpolation], box=box)
    else:
        image = frame(picture.image, spec, size)
    if how.flip and rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if how.colour:
        factors = rng.uniform(1 - how.colour, 1 + how.colour, len(JITTERS))
        for index in rng.permutation(len(JITTERS)).tolist():
            image = JITTERS[index](image).enhance(float(factors[index]))
    if how.grey and rng.random() < how.grey:
        image = image.convert("L").convert("RGB")
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def random_crop(width: int, height: int, scale: tuple[float, float], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draws the (left, top, width, height) of a crop as torchvision does: area uniform, aspect ratio uniform in the logarithm.

    scale: least and greatest share of the area. A crop that does not fit is drawn again; after TRIES the largest central crop
    within ASPECTS is taken.
    """
    for _ in range(TRIES):
        area = width * height * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h
    w, h = min(width, round(height * ASPECTS[1])), min(height, round(width / ASPECTS[0]))
    w, h = max(1, w), max(1, h)
    return (width - w) // 2, (height - h) // 2, w, h
