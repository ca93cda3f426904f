"""Inputs of pictures, as `images.read` takes them: one, or each of many."""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from seesay.errors import InputError

if TYPE_CHECKING:
    from seesay.images.read import ImageInput


def each_input(items: object) -> "Iterator[ImageInput]":
    """Yields one input of `images.read`, or each of many. Raises InputError for what is neither."""
    from PIL import Image  # whoever encodes texts alone needs none

    if isinstance(items, str | os.PathLike | bytes | Image.Image) or (isinstance(items, np.ndarray) and items.ndim == 3):
        yield items
    elif isinstance(items, Iterable):
        yield from items
    else:
        raise InputError(f"expected pictures or paths of pictures, got {type(items).__name__}")
