"""Published preprocessing rules by name: "openai", "chinese-clip" and "siglip"."""

from typing import Literal

from seesay.errors import CheckpointError
from seesay.images.spec import ImageSpec

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
Preprocessing = Literal["openai", "chinese-clip", "siglip"]
PREPROCESSINGS: tuple[Preprocessing, ...] = ("openai", "chinese-clip", "siglip")


def preset(name: str, size_px: int) -> ImageSpec:
    """The rule "openai" (shorter side, centre crop), "chinese-clip" (squashed) or "siglip" (squashed, -1 to 1).

    The first two are bicubic, the last bilinear. Raises CheckpointError.
    """
    if name not in PREPROCESSINGS:
        raise CheckpointError(f"preprocessing is one of {', '.join(PREPROCESSINGS)} or an ImageSpec, got {name!r}")
    return ImageSpec(
        size_px=size_px,
        resize="shortest" if name == "openai" else "squash",
        resize_px=size_px,
        interpolation="bilinear" if name == "siglip" else "bicubic",
        mean=HALF if name == "siglip" else CLIP_MEAN,
        std=HALF if name == "siglip" else CLIP_STD,
    )
