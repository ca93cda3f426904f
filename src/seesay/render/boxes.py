"""Boxes drawn on a picture, each with its label and score."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from seesay.errors import InputError
from seesay.models.detector import Detections
from seesay.system.files import atomic_write
from seesay.system.paths import printable

# Dark enough for white letters, and told apart by people who do not see red and green alike (after Okabe and Ito 2008).
COLOURS = ("#0072b2", "#b34700", "#007a5a", "#a3487f", "#7a5c00", "#5b4bb3", "#333333", "#a8003b")
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
LETTERS_PER_SIDE = 36  # of the shorter side
LEAST_LETTER_PX = 12


def draw_boxes(picture: Image.Image, found: Detections, labels: Sequence[str]) -> tuple[Image.Image, str]:
    """A copy of an RGB picture with its boxes, the best drawn last; and the letters of labels that no font here has."""
    image = picture.convert("RGB")
    draw = ImageDraw.Draw(image)
    side = max(LEAST_LETTER_PX, round(min(image.size) / LETTERS_PER_SIDE))
    shown = "".join(labels[label] for label in sorted(set(found.labels.tolist())))
    font, unknown = font_for(shown, side)
    for box, score, label in list(zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True))[::-1]:
        x0, y0, x1, y1 = box
        colour = COLOURS[label % len(COLOURS)]
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour, width=max(2, side // 6))
        text = f"{labels[label]} {score:.0%}"
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        width, height, gap = right - left, bottom - top, side // 4
        # The label lies inside the box's upper edge, and moves where it would leave the picture.
        x = min(max(x0, 0), max(0, image.width - width - 2 * gap))
        y = min(max(y0, 0), max(0, image.height - height - 2 * gap))
        draw.rectangle((x, y, x + width + 2 * gap, y + height + 2 * gap), fill=colour)
        draw.text((x + gap - left, y + gap - top), text, fill="white", font=font)
    return image, unknown


def format_of(file: Path) -> str:
    """The format that a file's suffix names. Raises InputError."""
    if (suffix := file.suffix.lower()) not in FORMATS:
        raise InputError(f"expected a file that ends in {', '.join(FORMATS)}, got {printable(str(file))}")
    return FORMATS[suffix]


def save(image: Image.Image, file: Path) -> None:
    """Writes an image in the format that its file's suffix names. Raises InputError."""
    form = format_of(file)
    try:
        with atomic_write(file) as draft:
            image.save(draft, form)
    except OSError as error:
        raise InputError(f"cannot write the picture to {printable(str(file))}: {error.strerror or error}") from None


def font_for(text: str, side: int) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, str]:
    """A font for a text, and the letters that it lacks. Pillow's own has English ones; for others the fonts of this system are
    looked through, where matplotlib is there to list them."""
    plain = ImageFont.load_default(side)
    if text.isascii():
        return plain, ""
    try:
        from seesay.render.fonts import file_for

        file, unknown = file_for(text)
    except ImportError:
        return plain, "".join(dict.fromkeys(letter for letter in text if not letter.isascii()))
    return ImageFont.truetype(file, side), unknown
