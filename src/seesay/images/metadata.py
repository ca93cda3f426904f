"""Reads a picture's date, camera, place and orientation, from EXIF, XMP and PNG; the start for all metadata.

A damaged or oddly typed value costs itself alone, and never the picture.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from seesay.images.dates import iso
from seesay.images.decoding.png import changed_at
from seesay.images.exif import GPS, Directories, Tag, Value, number, text

XMP_DATES = (
    "exif:DateTimeOriginal",
    "photoshop:DateCreated",
    "exif:DateTimeDigitized",
    "xmp:CreateDate",
    "xap:CreateDate",
)  # xap: the prefix of 2001
XMP_DEGREES = re.compile(r"\s*(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?\s*([NSEW])\s*")  # 33,51.6S
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
NEGATIVE = ("S", "W")  # first letters of directions; words for them in other languages are rare


@dataclass(frozen=True)
class Metadata:
    """Facts about a picture; None if unknown.

    orientation: of EXIF, 1 to 8. taken_at: the camera's local time in ISO 8601 without zone, with a fraction of the second
    where it is known, or the day alone. latitude, longitude: degrees, north and east positive.
    """

    orientation: int = 1
    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def read_metadata(image: Image.Image, data: bytes = b"") -> Metadata:
    """The metadata of an opened image. data: its file, which holds the tags of a TIFF."""
    tags = Directories(_exif_block(image, data))
    xmp = _xmp(image, tags)
    place = _exif_place(tags) or _xmp_place(xmp) or (None, None)
    return Metadata(
        orientation=_orientation(tags, xmp),
        taken_at=next(filter(None, _dates(image, data, tags, xmp)), None),
        camera=_camera(text(tags.main.get(Tag.MAKE)), text(tags.main.get(Tag.MODEL)))
        or _camera(_property(xmp, "tiff:Make"), _property(xmp, "tiff:Model")),
        latitude=place[0],
        longitude=place[1],
    )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of an image that the caller has opened; 1 if unknown."""
    try:
        return read_metadata(image, image.getexif().tobytes()).orientation
    except Exception:  # Pillow's reader fails on any fault in the block
        return 1


def _exif_block(image: Image.Image, data: bytes) -> bytes:
    block = image.info.get("exif")
    if isinstance(block, bytes):
        return block
    profile = image.info.get("Raw profile type exif")  # ImageMagick writes it into a PNG, in hexadecimal lines
    if isinstance(profile, str):
        try:
            return bytes.fromhex("".join(profile.split("\n")[3:]))
        except ValueError:
            return b""
    return data if image.format in ("TIFF", None) else b""


def _xmp(image: Image.Image, tags: Directories) -> str:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or tags.main.get(Tag.XMP) or ""
    return xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) else str(xmp)


def _property(xmp: str, name: str) -> str | None:
    """The value of an attribute or element, found by pattern, so that damaged XML has properties, too."""
    match = re.search(rf"""{name}(?:\s*=\s*["']([^"'<]*)["']|>\s*([^<]*)<)""", xmp) if name in xmp else None
    return None if match is None else " ".join((match[1] or match[2] or "").split()) or None


def _orientation(tags: Directories, xmp: str) -> int:
    orientation = number(tags.main.get(Tag.ORIENTATION))
    if orientation is None:
        written = _property(xmp, "tiff:Orientation")
        orientation = float(written) if written is not None and written.isdigit() else None
    return int(orientation) if orientation is not None and orientation in range(1, 9) else 1


def _dates(image: Image.Image, data: bytes, tags: Directories, xmp: str) -> Iterator[str | None]:
    """Candidates for the date of the photo, the most reliable first; the time of the last change comes last."""
    for tag, subsecond in (
        (Tag.DATE_TIME_ORIGINAL, Tag.SUBSECOND_ORIGINAL),
        (Tag.DATE_TIME_DIGITIZED, Tag.SUBSECOND_DIGITIZED),
    ):
        fraction = next(map(text, tags.first(subsecond)), None)
        yield from (iso(text(value), fraction) for value in tags.first(tag))
    yield _gps_date(tags)
    yield from (iso(_property(xmp, name)) for name in XMP_DATES)
    for name in ("Creation Time", "creation_time"):
        written = image.info.get(name)
        yield iso(written) if isinstance(written, str) else None
    yield iso(changed_at(data))
    fraction = next(map(text, tags.first(Tag.SUBSECOND)), None)
    yield from (iso(text(value), fraction) for value in tags.first(Tag.DATE_TIME))


def _gps_date(tags: Directories) -> str | None:
    """Date and time of the GPS fix, in universal time."""
    day = text(tags.place.get(GPS.DATE))
    clock = tags.place.get(GPS.TIME)
    if day is None:
        return None
    if isinstance(clock, tuple) and len(clock) >= 3 and all(map(math.isfinite, clock[:3])):
        hours, minutes, seconds = clock[:3]
        return iso(f"{day} {int(hours):02}:{int(minutes):02}:{int(seconds):02}") or iso(day)
    return iso(day)


def _camera(make: str | None, model: str | None) -> str | None:
    if make and model and model.lower().startswith(make.split()[0].lower()):
        return model  # "Canon" + "Canon EOS 5D"
    return " ".join(filter(None, (make, model))) or None


def _exif_place(tags: Directories) -> tuple[float, float] | None:
    return _place(
        _degrees(tags.place.get(GPS.LATITUDE), tags.place.get(GPS.LATITUDE_REF)),
        _degrees(tags.place.get(GPS.LONGITUDE), tags.place.get(GPS.LONGITUDE_REF)),
    )


def _xmp_place(xmp: str) -> tuple[float, float] | None:
    both = []
    for name in ("exif:GPSLatitude", "exif:GPSLongitude"):
        match = XMP_DEGREES.fullmatch(_property(xmp, name) or "")
        if match is None:
            return None
        degrees, minutes, seconds, reference = match.groups()
        both.append(_signed((float(degrees), float(minutes), float(seconds or 0)), reference))
    return _place(*both)


def _place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """(latitude, longitude), or None if one is missing or out of range; 0, 0 is written without a fix."""
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # also false for NaN
        return None
    return round(latitude, 7), round(longitude, 7)


def _degrees(value: Value | None, reference: Value | None) -> float | None:
    if isinstance(value, bytes):
        value = tuple(map(float, NUMBERS.findall(text(value) or "")))
    if not value:
        return None
    if isinstance(reference, tuple):  # typed as a number
        reference = bytes(int(letter) for letter in reference if letter in range(128))
    return _signed(value[:3], text(reference))


def _signed(parts: tuple[float, ...], reference: str | None) -> float:
    """Degrees from degrees, minutes and seconds; the last two may be missing. A direction decides the sign, if there is one."""
    degrees = float(sum(abs(part) / 60.0**at for at, part in enumerate(parts) if at == 0 or math.isfinite(part)))
    if not reference:
        return math.copysign(degrees, parts[0])
    return -degrees if reference[0].upper() in NEGATIVE else degrees
