"""Boxes drawn on a picture, each with its label and score."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from seesay.models.detector import Detections
from seesay.render.letters import font_for, letter_px

# Dark enough for white letters, and told apart by people who do not see red and green alike (after Okabe and Ito 2008).
COLOURS = ("#0072b2", "#b34700", "#007a5a", "#a3487f", "#7a5c00", "#5b4bb3", "#333333", "#a8003b")


def draw_boxes(picture: Image.Image, found: Detections, labels: Sequence[str]) -> tuple[Image.Image, str]:
    """A copy of an RGB picture with its boxes, the best drawn last; and the letters of labels that no font here has."""
    image = picture.convert("RGB")
    draw = ImageDraw.Draw(image)
    side = letter_px(image.size)
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
