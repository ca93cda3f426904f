"""Published preprocessing rules by name: "openai" and "chinese-clip"."""

from typing import Literal

from seesay.errors import CheckpointError
from seesay.images.spec import ImageSpec

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
Preprocessing = Literal["openai", "chinese-clip"]
PREPROCESSINGS: tuple[Preprocessing, ...] = ("openai", "chinese-clip")


def preset(name: str, size_px: int) -> ImageSpec:
    """The rule "openai" (shorter side, centre crop) or "chinese-clip" (squashed); both bicubic. Raises CheckpointError."""
    if name not in PREPROCESSINGS:
        raise CheckpointError(f"preprocessing is one of {', '.join(PREPROCESSINGS)} or an ImageSpec, got {name!r}")
    return ImageSpec(
        size_px=size_px,
        resize="shortest" if name == "openai" else "squash",
        resize_px=size_px,
        interpolation="bicubic",
        mean=CLIP_MEAN,
        std=CLIP_STD,
    )
