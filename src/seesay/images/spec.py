"""`ImageSpec`: how a picture becomes the pixels of an image tower, as values."""

from dataclasses import dataclass, replace
from typing import Literal

from seesay.errors import InputError

MOST_PIXELS = 10_000  # of a side: a damaged configuration must not take all memory


@dataclass(frozen=True)
class ImageSpec:
    """How a decoded picture becomes pixels (3, size_px, size_px) float32: resize, crop or pad, then (value - mean) / std.

    resize "shortest": the shorter side becomes `resize_px`, the longer one in proportion (rounded down); then a central crop.
    resize "squash": both sides become `size_px`, regardless of the aspect ratio; where `resize_px` is more, that, and then a
    central crop.
    resize "longest": the longer side becomes `size_px`, the shorter one in proportion; bars of the grey level `fill` (0..255)
    pad it to a square.
    resize "corner": the picture stands in the upper left corner of a square of middle grey as wide as its longer side, which
    becomes `size_px` by `images.smoothing`, whatever `interpolation` says (OWLv2).
    alpha "white": transparent pictures are composed on white; "drop": the alpha channel is ignored, as in most CLIP code.
    crop: where the central crop begins when the margin is odd. "rounded": to the nearest pixel, halves to the even one, as in
    torchvision, and with it in OpenAI's CLIP and OpenCLIP; "floored": as in transformers. Raises InputError.
    """

    size_px: int
    resize: Literal["shortest", "squash", "longest", "corner"]
    resize_px: int
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    alpha: Literal["white", "drop"] = "drop"
    fill: int = 0
    crop: Literal["rounded", "floored"] = "rounded"

    def __post_init__(self) -> None:
        if not (1 <= self.size_px <= MOST_PIXELS and 1 <= self.resize_px <= MOST_PIXELS):
            raise InputError(f"sides of 1 to {MOST_PIXELS} pixels, got size_px {self.size_px} and resize_px {self.resize_px}")

    def at(self, size_px: int) -> "ImageSpec":
        """The same preparation for another size, with as much of the picture in the crop."""
        return replace(self, size_px=size_px, resize_px=round(self.resize_px * size_px / self.size_px))
