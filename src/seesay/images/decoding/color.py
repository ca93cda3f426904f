"""Colours as a viewer shows them: a picture's own colour profile, turned into sRGB."""

import hashlib
import io
import threading

import numpy as np
from PIL import Image, ImageCms

from seesay.images.decoding.strips import strips

MOST_PROFILE = 4 * 2**20  # bytes; a printer's largest has about two
ALIKE = 2  # levels: profiles that differ from sRGB by less are sRGB, of which there are hundreds of versions
KEPT = 64  # transforms; a library holds pictures of a few cameras
SPACES = {"RGB ": ("RGB", "RGB"), "GRAY": ("L", "L"), "CMYK": ("CMYK", "RGB")}  # of a profile -> modes before and after
NO_CACHE = ImageCms.Flags.NOCACHE  # the library's own cache of one pixel is not safe in several threads

_transforms: dict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = {}
_lock = threading.Lock()


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB, where it has a profile that says otherwise and that can be used. Alpha stays as it is."""
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
    turned = Image.new(after, plain.size)
    for top, bottom in strips(plain):
        strip = plain.crop((0, top, plain.width, bottom))
        if alpha is not None:
            strip = strip.convert(mode)
        done = ImageCms.applyTransform(strip, transform)
        if done is not None:
            turned.paste(done, (0, top))
    if alpha is not None:
        turned.putalpha(alpha)
    return turned


def profile_of(image: Image.Image) -> bytes | None:
    """The profile of a picture of three colours, where it is not sRGB: it can be turned when the picture is smaller."""
    profile = _profile(image)
    if image.mode != "RGB" or profile is None:
        return None
    if profile[16:20] != b"RGB " or _transform(profile, "RGB", "RGB") is None:
        return None
    return profile


def with_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A picture in its own colours, in sRGB."""
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
    """None where the profile is damaged, or is sRGB."""
    key = hashlib.sha256(profile).digest(), mode
    with _lock:
        if key in _transforms:
            return _transforms[key]
    made = _made(profile, mode, after)
    with _lock:
        if len(_transforms) >= KEPT:
            _transforms.clear()
        _transforms[key] = made
    return made


def _made(profile: bytes, mode: str, after: str) -> ImageCms.ImageCmsTransform | None:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(own, srgb, mode, after, ImageCms.Intent.PERCEPTUAL, NO_CACHE)
        if mode == "CMYK":
            return transform
        samples = _samples(mode)
        turned = ImageCms.applyTransform(samples, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if turned is None or np.abs(np.asarray(turned, dtype=np.int16) - np.asarray(samples, dtype=np.int16)).max() <= ALIKE:
        return None
    return transform


def _samples(mode: str) -> Image.Image:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(9, 81, 3))
