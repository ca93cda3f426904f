"""Colour management: converts pictures from their own ICC profile to sRGB, as a viewer does."""

import hashlib
import io
import threading

import numpy as np
from PIL import Image, ImageCms

from seesay.images.decoding.strips import strips

MOST_PROFILE = 4 * 2**20  # bytes; the largest of printers have two million
ALIKE = 2  # levels: a profile that differs less from sRGB is taken for one of its hundreds of versions
KEPT = 64  # transforms in the cache; a library has pictures of a few cameras
SPACES = {
    "RGB ": ("RGB", "RGB"),
    "GRAY": ("L", "L"),
    "CMYK": ("CMYK", "RGB"),
}  # colour space of a profile -> modes before and after
NO_CACHE = ImageCms.Flags.NOCACHE  # the library's own cache of one pixel is not safe in several threads

_transforms: dict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = {}
_lock = threading.Lock()


def to_srgb(image: Image.Image) -> Image.Image:
    """The image in sRGB, with its alpha unchanged; the image itself if it has no usable profile, or that of sRGB."""
    profile = _profile(image)
    if profile is None:
        return image
    space = SPACES.get(profile[16:20].decode("latin-1"))
    if space is None:
        return image
    mode, after = space
    plain = _without_palette(image) if mode == "RGB" else image
    if plain.mode not in (mode, f"{mode}A"):
        return image
    transform = _transform(profile, mode, after)
    if transform is None:
        return image
    alpha = plain.getchannel("A") if plain.mode.endswith("A") else None
    converted = Image.new(after, plain.size)
    for top, bottom in strips(plain):
        strip = plain.crop((0, top, plain.width, bottom))
        if alpha is not None:
            strip = strip.convert(mode)
        done = ImageCms.applyTransform(strip, transform)
        if done is not None:
            converted.paste(done, (0, top))
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def profile_of(image: Image.Image) -> bytes | None:
    """The profile of an RGB image for a later `with_profile`; None if it is absent, damaged or sRGB."""
    profile = _profile(image)
    if image.mode != "RGB" or profile is None:
        return None
    if profile[16:20] != b"RGB " or _transform(profile, "RGB", "RGB") is None:
        return None
    return profile


def with_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Converts an image from a profile (None: sRGB already) to sRGB."""
    if profile is None:
        return image
    image.info["icc_profile"] = profile
    return to_srgb(image)


def _profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and 128 <= len(profile) <= MOST_PROFILE else None


def _without_palette(image: Image.Image) -> Image.Image:
    if image.mode != "P":
        return image
    return image.convert("RGBA" if "transparency" in image.info else "RGB")


def _transform(profile: bytes, mode: str, after: str) -> ImageCms.ImageCmsTransform | None:
    """The cached transform from a profile; None if it is damaged or sRGB."""
    key = hashlib.sha256(profile).digest(), mode
    with _lock:
        if key in _transforms:
            return _transforms[key]
    transform = _new_transform(profile, mode, after)
    with _lock:
        if len(_transforms) >= KEPT:
            _transforms.clear()
        _transforms[key] = transform
    return transform


def _new_transform(profile: bytes, mode: str, after: str) -> ImageCms.ImageCmsTransform | None:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(own, srgb, mode, after, ImageCms.Intent.PERCEPTUAL, NO_CACHE)
        if mode == "CMYK":
            return transform
        samples = _samples(mode)
        converted = ImageCms.applyTransform(samples, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if converted is None:
        return None
    difference = np.asarray(converted, dtype=np.int16) - np.asarray(samples, dtype=np.int16)
    if np.abs(difference).max() <= ALIKE:
        return None
    return transform


def _samples(mode: str) -> Image.Image:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(9, 81, 3))
