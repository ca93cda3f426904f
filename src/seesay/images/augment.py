"""Pictures as training sees them: cut, turned and coloured by chance, or just as evaluation sees them."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from seesay.errors import InputError
from seesay.images.decoding.decode import Picture
from seesay.images.preprocess import INTERPOLATION, frame
from seesay.images.spec import ImageSpec

ASPECTS = (3 / 4, 4 / 3)  # of a crop, width to height
TRIES = 10
JITTERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


@dataclass(frozen=True)
class Augment:
    """What chance does to a picture, in this order.

    crop_scale: the part of the picture's area that a crop takes, from and to, drawn as torchvision's RandomResizedCrop draws
    it; (1, 1): no crop by chance, but the frame that evaluation sees. flip: left to right, every second picture; texts may name
    sides, so it is off. colour: brightness, contrast and saturation, in an order drawn, are each multiplied by 1 - colour to
    1 + colour. grey: the chance of a picture without colours.
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
        return self.crop_scale != (1.0, 1.0)

    @property
    def random(self) -> bool:
        """Whether the same picture may look different the next time."""
        return self.crops or self.flip or self.colour > 0 or self.grey > 0

    def enough_px(self, spec: ImageSpec) -> int:
        """For `images.read(decode="fast")`, which keeps twice this on both sides.

        No less than evaluation asks for, and so much that no crop that may be drawn is enlarged because of it.
        """
        if not self.crops:
            return spec.resize_px
        narrowest = math.sqrt(self.crop_scale[0] * ASPECTS[0])  # side of a crop, of the picture's shorter one
        return max(spec.resize_px, math.ceil(spec.size_px / narrowest / 2))


def augment(picture: Picture, spec: ImageSpec, how: Augment, rng: np.random.Generator) -> np.ndarray:
    """-> levels (3, size_px, size_px) uint8, which `images.preprocess.normalize` makes a tower's pixels.

    Where nothing is left to chance, those are bit for bit `preprocess`'s.
    """
    size = (picture.width, picture.height)
    if how.crops:
        left, top, width, height = random_crop(*size, how.crop_scale, rng)
        reduced = max(1, round(picture.width / picture.image.width))  # by a fast decode: 1, 2, 4 or 8
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
    """(left, top, width, height) of a crop, drawn as torchvision does: its area evenly, its shape evenly in the logarithm.

    A crop that does not fit is drawn again; after some tries it is the largest central one with a shape within the bounds.
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
