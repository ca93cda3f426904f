"""A segmentation drawn over its picture in colours, with a legend below."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from seesay.models.segmenter import NONE, Segmentation
from seesay.render.letters import font_for, letter_px

# Light enough to be told apart over a photo; after these, hues that lie far apart.
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#9467bd", "#8c564b", "#7f7f7f")
OPACITY = 0.55
LONGEST_PX = 2048
PAPER, INK = "#ffffff", "#222222"


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a label."""
    if number < len(COLOURS):
        code = COLOURS[number]
        return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.55 + 0.4 * (number % 2), 0.95 - 0.3 * (number % 3 == 0))
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_segments(picture: Image.Image, found: Segmentation) -> tuple[Image.Image, str]:
    """A copy of an upright RGB picture, of at most 2048 pixels a side, coloured by label; what has none is grey. Below it, each
    label with its share; and the letters of labels that no font here has."""
    image = picture.convert("RGB")
    image.thumbnail((LONGEST_PX, LONGEST_PX))
    mask = np.asarray(Image.fromarray(found.mask).resize(image.size, Image.Resampling.NEAREST))
    palette = np.array([colour(number) for number in range(NONE)] + [(128, 128, 128)], dtype=np.float32)
    levels = np.asarray(image, dtype=np.float32)
    grey = np.repeat(levels.mean(axis=2, keepdims=True), 3, axis=2)
    levels = np.where((mask == NONE)[:, :, None], grey, (1 - OPACITY) * levels + OPACITY * palette[mask])
    coloured = Image.fromarray(levels.round().astype(np.uint8))
    legend, unknown = _legend(found, image.width, letter_px(image.size))
    drawn = Image.new("RGB", (max(image.width, legend.width), image.height + legend.height), PAPER)
    drawn.paste(coloured, (0, 0))
    drawn.paste(legend, (0, image.height))
    return drawn, unknown


def _legend(found: Segmentation, width: int, side: int) -> tuple[Image.Image, str]:
    """The labels with their colours and shares, in lines of a width; the largest first."""
    font, unknown = font_for("".join(found.labels) + "0123456789 %", side)
    order = np.argsort(-found.shares, kind="stable")
    entries = [(colour(int(number)), f"{found.labels[number]} {found.shares[number]:.0%}") for number in order]
    places, size = _places([_length(text, font) + 2 * side for _, text in entries], width, side)
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for (fill, text), (x, y) in zip(entries, places, strict=True):
        draw.rectangle((x, y, x + side - 1, y + side - 1), fill=fill)
        draw.text((x + side * 3 // 2, y + side // 2), text, fill=INK, font=font, anchor="lm")
    return image, unknown


def _places(widths: list[int], width: int, side: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Where entries go, from left to right and line by line, and the size of all of them."""
    places, x, y = [], side // 2, side // 2
    for own in widths:
        if x + own > width and x > side // 2:
            x, y = side // 2, y + side * 3 // 2
        places.append((x, y))
        x += own + side
    return places, (max([width, *(side + own for own in widths)]), y + side * 3 // 2)


def _length(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(font.getlength(text))
