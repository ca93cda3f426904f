"""OpenCLIP's preprocessing: `image_transform`, the random crops of training, and the dtypes that pixels are given in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from seesay.checkpoints.preprocessing import CLIP_MEAN, CLIP_STD
from seesay.compat.processors import Preprocess
from seesay.errors import InputError
from seesay.images.augment import random_crop
from seesay.images.preprocess import load_pixels
from seesay.images.read import read
from seesay.images.spec import ImageSpec

if TYPE_CHECKING:
    from seesay.images.read import ImageInput

Interpolation = Literal["bicubic", "bilinear"]
ResizeMode = Literal["shortest", "longest", "squash"]
OPENAI_DATASET_MEAN = CLIP_MEAN
OPENAI_DATASET_STD = CLIP_STD
CROP_AREA = (0.9, 1.0)  # share of the image that a training crop covers


@dataclass(frozen=True)
class TrainPreprocess:
    """OpenCLIP's default augmentation: a random crop of 90 to 100 % of the image, squashed to the tower's size.

    An image longer than 3:2 or so has no such crop between 3:4 and 4:3; its centre is taken, as in OpenCLIP.
    The seed comes from torch, so torch.manual_seed repeats the crops.
    """

    spec: ImageSpec

    def __call__(self, image: "ImageInput") -> Tensor:
        picture = read(image, alpha=self.spec.alpha).image
        part = picture.crop(train_crop(*picture.size))
        return torch.from_numpy(load_pixels(part, replace(self.spec, resize="squash", resize_px=self.spec.size_px))[0])


def train_crop(width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a random crop."""
    rng = np.random.default_rng(int(torch.randint(2**62, ())))
    left, top, w, h = random_crop(width, height, CROP_AREA, rng)
    return left, top, left + w, top + h


def image_transform(
    image_size: int | tuple[int, int],
    is_train: bool,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    resize_mode: ResizeMode | None = None,
    interpolation: Interpolation | None = None,
    fill_color: int = 0,
) -> Preprocess | TrainPreprocess:
    """Preprocessing by itself, an image -> pixels (3, image_size, image_size); a model's own comes with it."""
    sides = {image_size} if isinstance(image_size, int) else {*image_size}
    if len(sides) != 1:
        raise InputError(
            f"expected one side for both directions, got image_size {image_size}",
            parameter="image_size",
            expected="one side for both directions",
            got=image_size,
        )
    (side,) = sides
    spec = ImageSpec(
        size_px=side,
        resize="shortest",
        resize_px=side,
        interpolation="bicubic",
        mean=CLIP_MEAN,
        std=CLIP_STD,
        fill=fill_color,
    )
    spec = changed_spec(spec, mean=mean, std=std, interpolation=interpolation, resize_mode=resize_mode)
    return TrainPreprocess(spec) if is_train else Preprocess(spec)


def changed_spec(
    spec: ImageSpec,
    *,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    interpolation: Interpolation | None,
    resize_mode: ResizeMode | None,
    prefix: str = "",
) -> ImageSpec:
    """The spec with the values that are not None. `prefix`: of the arguments' names in messages. Raises InputError."""
    for name, value, choices in (
        ("interpolation", interpolation, get_args(Interpolation)),
        ("resize_mode", resize_mode, get_args(ResizeMode)),
    ):
        if value is not None and value not in choices:
            expected = f"one of {', '.join(choices)}"
            raise InputError(
                f"{prefix}{name} is {expected}, got {value!r}", parameter=f"{prefix}{name}", expected=expected, got=value
            )
    return replace(
        spec,
        mean=_three(mean or spec.mean),
        std=_three(std or spec.std),
        interpolation=interpolation or spec.interpolation,
        resize=resize_mode or spec.resize,
        resize_px=spec.size_px if resize_mode == "squash" else spec.resize_px,
    )


def get_input_dtype(precision: str) -> torch.dtype | None:
    """The dtype that pixels are given in; None for float32, which they have already."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision.removeprefix("pure_"))


get_cast_dtype = get_input_dtype


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise InputError(
            f"expected three numbers, one per colour, got {values!r}", expected="three numbers, one per colour", got=values
        )
    return float(values[0]), float(values[1]), float(values[2])
