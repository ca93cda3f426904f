"""One file's bytes -> one picture: within limits, upright, in sRGB, with what is written in it."""

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
from seesay.images.decoding.frames import seek_shown
from seesay.images.decoding.headers import format_of
from seesay.images.decoding.levels import to_8_bits, wide
from seesay.images.decoding.memory import BYTES_PER_PIXEL
from seesay.images.decoding.strips import strips
from seesay.images.exif import Directories, Tag, number
from seesay.images.metadata import Metadata, read_metadata

Decode = Literal["exact", "fast"]
Alpha = Literal["white", "drop"]

# EXIF orientation -> what brings the picture upright.
TURNS = {
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
MAX_SCANS = 100  # of a JPEG; a progressive one has about ten. Each costs as much as a picture and 141 bytes
MAX_STRIPS = 200_000  # of a TIFF; Pillow takes 13 microseconds for each
NO_MEMORY = "does not fit into memory"
CUT_SHORT = "cut short, shown as far as it goes"
ENOUGH = 0.5  # of the rows, below which what is there says too little

Room = Callable[[int], AbstractContextManager[None]]  # holds so many bytes of memory, when there are as many


@dataclass(frozen=True)
class Picture:
    """A decoded picture. `width` and `height` are those of the upright original, in pixels, whatever was decoded. note: what
    is wrong with it, where it could be read all the same. profile: that of its colours, where they are left to be turned."""

    image: Image.Image  # mode RGB
    width: int
    height: int
    metadata: Metadata
    note: str | None = None
    profile: bytes | None = None


@dataclass(frozen=True)
class Wanted:
    """How a picture shall come out, as `read` has it. srgb: False leaves colours to be turned later (20 ns a pixel)."""

    decode: Decode = "exact"
    enough_px: int = 0
    alpha: Alpha = "white"
    most_pixels: int = MAX_PIXELS
    srgb: bool = True


def decoded(data: bytes, name: str, wanted: Wanted, room: Room) -> Picture:
    """Raises UnreadableImage, whatever is wrong."""
    check_bytes(len(data), name)
    kind = format_of(data)
    if kind is None:
        raise UnreadableImage(name, _not_read(data))
    if kind == HEIF:
        _open_heif(name)
    try:
        _check_structure(data, kind, name)
        picture: Picture | None = _attempt(data, kind, name, wanted, room)
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage(name, NO_MEMORY, transient=True) from None
    except Image.DecompressionBombError:
        raise UnreadableImage(name, f"has more than {MAX_PIXELS / 1e6:.0f} million pixels") from None
    # A damaged file can surface as nearly anything from inside a decoder; it must stay an error of this picture alone. What the
    # decoder says of it may quote the file.
    except Exception:
        picture = None
    if picture is None:
        picture = _mended(data, kind, name, wanted, room)
    if picture is None:
        raise UnreadableImage(name, "is damaged or cut short")
    return picture


def check_bytes(size: int, name: str) -> None:
    if size == 0:
        raise UnreadableImage(name, "is empty (0 bytes)")
    if size > MAX_BYTES:
        raise UnreadableImage(name, f"is {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read")


def check_pixels(width: int, height: int, name: str, most: int) -> None:
    if width * height > most:
        raise UnreadableImage(
            name, f"is {width} x {height} = {width * height / 1e6:.0f} million pixels; at most {most / 1e6:.0f} are read"
        )


def _check_structure(data: bytes, kind: str, name: str) -> None:
    """Refuses what is made to keep a decoder busy: work that its pixels do not tell."""
    if kind == "JPEG" and (scans := jpeg.scans(data)) > MAX_SCANS:
        raise UnreadableImage(name, f"has {scans:,} scans; at most {MAX_SCANS} are decoded")
    if kind == "TIFF":
        counts = Directories(data).counts
        strips = max(counts.get(Tag.STRIP_OFFSETS, 0), counts.get(Tag.TILE_OFFSETS, 0))
        if strips > MAX_STRIPS:
            raise UnreadableImage(name, f"is in {strips:,} parts; at most {MAX_STRIPS:,} are read")


def _mended(data: bytes, kind: str, name: str, wanted: Wanted, room: Room) -> Picture | None:
    """The picture of a file that has its pixels, or at least half of their rows, and is otherwise damaged."""
    for mended, share in _repairs(data, kind):
        try:
            return _attempt(mended, kind, name, wanted, room, share=share)
        except (UnreadableImage, MemoryError):
            raise
        except Exception:  # the next may do
            continue
    return None


def _repairs(data: bytes, kind: str) -> Iterator[tuple[bytes, float | None]]:
    """Files to try instead, each with the share of rows that are there: None for all of them, 0 where the pixels tell."""
    if kind == "JPEG":
        yield jpeg.without_faults(data), None
        yield jpeg.completed(data), 0.0
        yield jpeg.completed(jpeg.without_faults(data)), 0.0
    if kind == "PNG":
        yield png.without_faults(data), None
        completed = png.completed(data, ENOUGH)
        if completed is not None:
            yield completed


def _attempt(data: bytes, kind: str, name: str, wanted: Wanted, room: Room, *, share: float | None = None) -> Picture:
    """share: of the rows that are there, in a file that was cut short and completed."""
    with Image.open(io.BytesIO(data), formats=(kind,)) as image:
        check_pixels(*image.size, name, wanted.most_pixels)
        size = image.size
        upright = _turned_by_pillow(image)
        if wanted.decode == "fast" and wanted.enough_px:
            image.draft(image.mode, (2 * wanted.enough_px, 2 * wanted.enough_px))
        with room(image.width * image.height * BYTES_PER_PIXEL):
            seek_shown(image)
            image.load()
            metadata = _metadata(image, data)  # a PNG may have it behind its pixels
            turn = None if upright else TURNS.get(metadata.orientation)
            if share == 0 and jpeg.shown(image) < ENOUGH:
                raise UnreadableImage(name, "is damaged or cut short (less than half of it is there)")
            if image.format == "TIFF":
                size = image.size
            profile = None if wanted.srgb else profile_of(image)
            rgb = to_rgb(_narrow(image, data), wanted.alpha, managed=profile is None)
            made = rgb if turn is None else rgb.transpose(turn)
        width, height = size[::-1] if turn is not None and metadata.orientation >= 5 else size
        return Picture(made, width, height, metadata, None if share is None else CUT_SHORT, profile)


def _metadata(image: ImageFile.ImageFile, data: bytes) -> Metadata:
    try:
        return read_metadata(image, data)
    except Exception:  # the parser meets arbitrary bytes here, and no fault in them may cost the picture
        return Metadata()


def _turned_by_pillow(image: Image.Image) -> bool:
    """Whether it comes out of its decoder upright: a TIFF does, unless its orientation is of an odd type."""
    return image.format == "TIFF" and isinstance(getattr(image, "tag_v2", {}).get(Tag.ORIENTATION, 1), int)


def _narrow(image: Image.Image, data: bytes) -> Image.Image:
    """Of any depth -> of 8 bits, and without alpha that hides everything by mistake."""
    if wide(image):
        tags = Directories(data).main if image.format == "TIFF" else {}
        bits = number(tags.get(Tag.BITS_PER_SAMPLE))
        return to_8_bits(image, bits=None if bits is None else int(bits), white_is_zero=number(tags.get(Tag.PHOTOMETRIC)) == 0)
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")  # programs that know no alpha leave it at 0
    return image


def to_rgb(image: Image.Image, alpha: Alpha, *, managed: bool = True) -> Image.Image:
    """Any mode to RGB. managed: with its colour profile turned into sRGB."""
    if wide(image):
        image = to_8_bits(image)
    elif managed:
        image = to_srgb(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if alpha == "white" and image.has_transparency_data:
        return _on_white(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow would warn
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    made = Image.new("RGB", image.size)
    for top, bottom in strips(image):
        strip = image.crop((0, top, image.width, bottom)).convert("RGBA")
        made.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB"), (0, top))
    return made


def _open_heif(name: str) -> None:
    """Lets Pillow open HEIF."""
    library = heif()
    if library is None:
        raise UnreadableImage(name, f"is a {HEIC}; {ADVICE[HEIC]}", transient=True)
    # A file may bring pictures inside pictures; only the one that is shown is wanted.
    library.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _not_read(data: bytes) -> str:
    known = ", ".join(SHOWN)
    if data[4:8] == b"ftyp":
        return f"is a video, which is not read; convert it to one of {known}"
    return f"is not a picture that SeeSay reads ({known})"
