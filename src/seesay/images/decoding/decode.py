"""Decodes one file's bytes into a picture: within limits, auto-rotated, in sRGB, with its metadata."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageFile

from seesay.errors import UnreadableImage
from seesay.images.decoding import jpeg, png
from seesay.images.decoding.color import profile_of, to_srgb
from seesay.images.decoding.formats import ADVICE, HEIC, HEIF, SHOWN, heif
from seesay.images.decoding.frames import seek_informative_frame
from seesay.images.decoding.headers import format_of
from seesay.images.decoding.levels import is_deep, to_8_bits
from seesay.images.decoding.memory import BYTES_PER_PIXEL
from seesay.images.decoding.strips import strips
from seesay.images.exif import Directories, Tag, number
from seesay.images.metadata import Metadata, read_metadata

Decode = Literal["exact", "fast"]
Alpha = Literal["white", "drop"]

# EXIF orientation -> transposition to upright. Not ImageOps.exif_transpose: Pillow gives up a block for one damaged tag, and
# ignores an orientation that is typed as a byte.
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 178_956_970  # Pillow's own hard limit; 0.5 GB once decoded
MAX_SCANS = 100  # of a JPEG; a progressive one has about ten. A scan of 141 bytes takes as long as a picture
MAX_STRIPS = 200_000  # of a TIFF; Pillow takes 13 microseconds for each
NO_MEMORY = "does not fit into memory"
CUT_SHORT = "cut short, shown as far as it goes"
VIDEOS = (b"\x1a\x45\xdf\xa3", b"\0\0\1\xba", b"FLV\1")  # how Matroska and WebM, MPEG and Flash begin
ENOUGH = 0.5  # least share of rows that a truncated file must have

Reserve = Callable[[int], AbstractContextManager[None]]  # waits for so many bytes of memory and holds them during a block


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    width, height: of the auto-rotated original, in pixels, also after a fast decode. note: what is wrong with a file that could
    be read nevertheless. profile: ICC profile of its colours if they are still to be converted to sRGB.
    """

    image: Image.Image  # mode RGB
    width: int
    height: int
    metadata: Metadata
    note: str | None = None
    profile: bytes | None = None


@dataclass(frozen=True)
class DecodeOptions:
    """How a picture is decoded (see `images.read`). srgb: False may leave the conversion, of 20 ns a pixel, for later."""

    decode: Decode = "exact"
    enough_px: int = 0
    alpha: Alpha = "white"
    most_pixels: int = MAX_PIXELS
    srgb: bool = True


def decode_picture(data: bytes, name: str, options: DecodeOptions, reserve: Reserve) -> Picture:
    """The picture in a file's bytes. Raises UnreadableImage, whatever is wrong."""
    check_bytes(len(data), name)
    kind = format_of(data)
    if kind is None:
        raise UnreadableImage(name, _reason_not_read(data))
    if kind == HEIF:
        _open_heif(name)
    try:
        _check_structure(data, kind, name)
        picture: Picture | None = _attempt(data, kind, name, options, reserve)
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage(name, NO_MEMORY, transient=True) from None
    except Image.DecompressionBombError:
        raise UnreadableImage(name, f"has more than {MAX_PIXELS / 1e6:.0f} million pixels") from None
    # Decoders raise nearly anything for a damaged file, and their messages may quote it; it must stay this picture's error.
    except Exception:
        picture = None
    if picture is None:
        picture = _repaired(data, kind, name, options, reserve)
    if picture is None:
        raise UnreadableImage(name, "is damaged or cut short")
    return picture


def check_bytes(size: int, name: str) -> None:
    """Raises UnreadableImage for a file of no bytes or too many."""
    if size == 0:
        raise UnreadableImage(name, "is empty (0 bytes)")
    if size > MAX_BYTES:
        raise UnreadableImage(name, f"is {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read")


def check_pixels(width: int, height: int, name: str, most: int) -> None:
    """Raises UnreadableImage for more than `most` pixels."""
    if width * height > most:
        raise UnreadableImage(
            name, f"is {width} x {height} = {width * height / 1e6:.0f} million pixels; at most {most / 1e6:.0f} are read"
        )


def _check_structure(data: bytes, kind: str, name: str) -> None:
    """Refuses files whose decoding takes far longer than their size in pixels suggests."""
    if kind == "JPEG" and (scans := jpeg.scans(data)) > MAX_SCANS:
        raise UnreadableImage(name, f"has {scans:,} scans; at most {MAX_SCANS} are decoded")
    if kind == "TIFF":
        counts = Directories(data).counts
        parts = max(counts.get(Tag.STRIP_OFFSETS, 0), counts.get(Tag.TILE_OFFSETS, 0))
        if parts > MAX_STRIPS:
            raise UnreadableImage(name, f"is in {parts:,} parts; at most {MAX_STRIPS:,} are read")


def _repaired(data: bytes, kind: str, name: str, options: DecodeOptions, reserve: Reserve) -> Picture | None:
    """The picture of a damaged file that has at least half of its rows; None if no repair helps."""
    for repaired, share in _repairs(data, kind):
        try:
            return _attempt(repaired, kind, name, options, reserve, share=share)
        except (UnreadableImage, MemoryError):
            raise
        except Exception:  # the next repair may succeed
            continue
    return None


def _repairs(data: bytes, kind: str) -> Iterator[tuple[bytes, float | None]]:
    """Repaired files to try, each with the share of rows that are intact: None for all, 0 if only the pixels can tell."""
    if kind == "JPEG":
        yield jpeg.without_metadata(data), None
        yield jpeg.with_end(data), 0.0
        yield jpeg.with_end(jpeg.without_metadata(data)), 0.0
    if kind == "PNG":
        yield png.without_damage(data), None
        completed = png.with_all_rows(data, ENOUGH)
        if completed is not None:
            yield completed


def _attempt(
    data: bytes, kind: str, name: str, options: DecodeOptions, reserve: Reserve, *, share: float | None = None
) -> Picture:
    """share: of intact rows, in a truncated file that was completed."""
    with Image.open(io.BytesIO(data), formats=(kind,)) as image:
        check_pixels(*image.size, name, options.most_pixels)
        size = image.size
        upright = _rotated_by_pillow(image)
        if options.decode == "fast" and options.enough_px:
            image.draft(image.mode, (2 * options.enough_px, 2 * options.enough_px))
        with reserve(image.width * image.height * BYTES_PER_PIXEL):
            seek_informative_frame(image)
            image.load()
            metadata = _metadata(image, data)  # read after the pixels, behind which a PNG may have it
            transposition = None if upright else TRANSPOSITIONS.get(metadata.orientation)
            if share == 0 and jpeg.intact_share(image) < ENOUGH:
                raise UnreadableImage(name, "is damaged or cut short (less than half of it is there)")
            if image.format == "TIFF":
                size = image.size
            profile = None if options.srgb else profile_of(image)
            rgb = to_rgb(_with_8_bits(image, data), options.alpha, managed=profile is None)
            if transposition is not None:
                rgb = rgb.transpose(transposition)
        width, height = size[::-1] if transposition is not None and metadata.orientation >= 5 else size
        return Picture(rgb, width, height, metadata, None if share is None else CUT_SHORT, profile)


def _metadata(image: ImageFile.ImageFile, data: bytes) -> Metadata:
    try:
        return read_metadata(image, data)
    except Exception:  # the parser meets arbitrary bytes, whose faults must not cost the picture
        return Metadata()


def _rotated_by_pillow(image: Image.Image) -> bool:
    """Whether Pillow itself rotates the image on loading: a TIFF, unless its orientation has an unusual type."""
    return image.format == "TIFF" and isinstance(getattr(image, "tag_v2", {}).get(Tag.ORIENTATION, 1), int)


def _with_8_bits(image: Image.Image, data: bytes) -> Image.Image:
    """The image at 8 bits per channel, without an alpha channel that hides all of it by mistake."""
    if is_deep(image):
        tags = Directories(data).main if image.format == "TIFF" else {}
        bits = number(tags.get(Tag.BITS_PER_SAMPLE))
        return to_8_bits(image, bits=None if bits is None else int(bits), white_is_zero=number(tags.get(Tag.PHOTOMETRIC)) == 0)
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")  # programs without alpha leave it at 0
    return image


def to_rgb(image: Image.Image, alpha: Alpha, *, managed: bool = True) -> Image.Image:
    """An image of any mode in RGB. managed: converted from its colour profile to sRGB."""
    if is_deep(image):
        image = to_8_bits(image)
    elif managed:
        image = to_srgb(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if alpha == "white" and image.has_transparency_data:
        return _on_white(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns if it converts directly to RGB
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    composed = Image.new("RGB", image.size)
    for top, bottom in strips(image):
        strip = image.crop((0, top, image.width, bottom)).convert("RGBA")
        composed.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB"), (0, top))
    return composed


def _open_heif(name: str) -> None:
    """Registers HEIF with Pillow. Raises UnreadableImage without a binding of libheif."""
    library = heif()
    if library is None:
        raise UnreadableImage(name, f"is a {HEIC}; {ADVICE[HEIC]}", transient=True)
    # A file may hold pictures inside pictures; only the primary one is needed.
    library.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _reason_not_read(data: bytes) -> str:
    formats = ", ".join(SHOWN)
    if data[4:8] == b"ftyp" or data.startswith(VIDEOS) or (data[:4] == b"RIFF" and data[8:12] == b"AVI "):
        return f"is a video, which is not read; convert it to one of {formats}"
    return f"is not a picture that SeeSay reads ({formats})"
