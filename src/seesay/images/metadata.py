"""What is written into a picture besides its pixels: when, with what and where it was taken, and which way is up.

Whatever is damaged or of an odd type costs itself alone, and never the picture.
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
)  # xap: as of 2001
XMP_DEGREES = re.compile(r"\s*(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?\s*([NSEW])\s*")  # 33,51.6S
FIGURES = re.compile(r"-?\d+(?:\.\d+)?")
# Directions that pictures are taken to mean; others in words are rare enough.
NEGATIVE = ("S", "W")


@dataclass(frozen=True)
class Metadata:
    """taken_at: local time of the camera, ISO 8601 without zone, with the fraction of a second where it is known, and without
    the time of day where that is not. latitude, longitude: degrees, north and east positive."""

    orientation: int = 1
    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def read_metadata(image: Image.Image, data: bytes = b"") -> Metadata:
    """Of an opened picture; data: its file, in which the tags of a TIFF lie."""
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
    """Of a picture that somebody else has opened."""
    try:
        return read_metadata(image, image.getexif().tobytes()).orientation
    except Exception:  # Pillow's reader gives up on any fault in the block; then nobody knows
        return 1


def _exif_block(image: Image.Image, data: bytes) -> bytes:
    block = image.info.get("exif")
    if isinstance(block, bytes):
        return block
    profile = image.info.get("Raw profile type exif")  # what ImageMagick writes into a PNG: lines of hexadecimal figures
    if isinstance(profile, str):
        try:
            return bytes.fromhex("".join(profile.split("\n")[3:]))
        except ValueError:
            return b""
    return data if image.format in ("TIFF", None) else b""


def _xmp(image: Image.Image, tags: Directories) -> str:
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or tags.main.get(Tag.XMP) or ""
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def _property(xmp: str, name: str) -> str | None:
    """A property that stands as an attribute or as an element. Damaged XML has properties, too."""
    found = re.search(rf"""{name}(?:\s*=\s*["']([^"'<]*)["']|>\s*([^<]*)<)""", xmp) if name in xmp else None
    return None if found is None else " ".join((found[1] or found[2] or "").split()) or None


def _orientation(tags: Directories, xmp: str) -> int:
    found = number(tags.main.get(Tag.ORIENTATION))
    if found is None:
        said = _property(xmp, "tiff:Orientation")
        found = float(said) if said is not None and said.isdigit() else None
    return int(found) if found is not None and found in range(1, 9) else 1


def _dates(image: Image.Image, data: bytes, tags: Directories, xmp: str) -> Iterator[str | None]:
    """The first that is one is the day of the photo; when a file was changed says least about it."""
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
    """In universal time: what the satellites say."""
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
        found = XMP_DEGREES.fullmatch(_property(xmp, name) or "")
        if found is None:
            return None
        degrees, minutes, seconds, reference = found.groups()
        both.append(_signed((float(degrees), float(minutes), float(seconds or 0)), reference))
    return _place(*both)


def _place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Both or none; 0, 0 is what is written without a fix."""
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # which NaN fails, too
        return None
    return round(latitude, 7), round(longitude, 7)


def _degrees(value: Value | None, reference: Value | None) -> float | None:
    if isinstance(value, bytes):
        value = tuple(map(float, FIGURES.findall(text(value) or "")))
    if not value:
        return None
    if isinstance(reference, tuple):  # typed as a number
        reference = bytes(int(letter) for letter in reference if letter in range(128))
    return _signed(value[:3], text(reference))


def _signed(parts: tuple[float, ...], reference: str | None) -> float:
    """Degrees, minutes and seconds, of which the last may be left out. A direction tells the sign even of a negative number."""
    degrees = float(sum(abs(part) / 60.0**at for at, part in enumerate(parts) if at == 0 or math.isfinite(part)))
    if not reference:
        return math.copysign(degrees, parts[0])
    return -degrees if reference[0].upper() in NEGATIVE else degrees
