"""Pictures that are made for benchmarks: photos spoilt in known ways, and documents and program windows drawn with Pillow."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Spoil = Callable[[Image.Image], Image.Image]


def slightly_blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * 0.01))


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * 0.025))


def shaken(image: Image.Image) -> Image.Image:
    """Blurred by a motion to the side of a twelfth of the shorter side."""
    levels = np.asarray(image, dtype=np.float32)
    steps = max(3, min(image.size) // 12)
    return Image.fromarray(np.mean([np.roll(levels, step, axis=1) for step in range(steps)], axis=0).astype(np.uint8))


def dark(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.15)


def bright(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) * 2.5 + 60, 0, 255).astype(np.uint8))


def noisy(image: Image.Image) -> Image.Image:
    levels = np.asarray(image, dtype=np.float32)
    return Image.fromarray(np.clip(levels + np.random.default_rng(0).normal(0, 50, levels.shape), 0, 255).astype(np.uint8))


def grey(image: Image.Image) -> Image.Image:
    return ImageOps.grayscale(image).convert("RGB")


def pixelated(image: Image.Image) -> Image.Image:
    """Squares as of pixel art, 32 across, in 16 colours."""
    small = image.resize((32, max(1, 32 * image.height // image.width))).quantize(16).convert("RGB")
    return small.resize(image.size, Image.Resampling.NEAREST)


def document(number: int, words: list[str]) -> Image.Image:
    """A letter, or every third time a receipt, on paper that is not quite white and not quite straight."""
    random = np.random.default_rng(number)
    paper = (int(random.integers(225, 256)),) * 3
    width, height = (420, 900) if number % 3 == 0 else (800, 1100)
    page = Image.new("RGB", (width, height), paper)
    draw, margin, y = ImageDraw.Draw(page), width // 10, height // 14
    draw.text((margin, y), " ".join(random.choice(words, 3)).title(), "black", ImageFont.load_default(width // 20))
    font, y = ImageFont.load_default(int(random.integers(15, 21))), y + width // 8
    while y < height * 0.92:
        if number % 3 == 0:
            draw.text((margin, y), str(random.choice(words)), "black", font)
            draw.text((width - 3 * margin, y), f"{random.uniform(0.5, 40):.2f}", "black", font)
        elif random.random() > 0.12:  # else a paragraph ends
            line = ""
            while font.getlength(line) < width - 3 * margin:
                line += f"{random.choice(words)} "
            draw.text((margin, y), line, "black", font)
        y += 30
    return page.rotate(float(random.uniform(-2, 2)), fillcolor=(120, 110, 100))


def window(number: int, words: list[str]) -> Image.Image:
    """A program's window: a title bar, buttons, a list at the side, and a table or text."""
    random = np.random.default_rng(number)
    back, front, bar = [("white", "black", "#d8dce2"), ("#1e1f24", "#dddddd", "#33353d")][number % 2]
    accent = ("#2f6fed", "#0a8754", "#c2410c", "#7c3aed")[number % 4]
    screen = Image.new("RGB", (1280, 800), back)
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(17)
    draw.rectangle((0, 0, 1280, 36), bar)
    draw.text((560, 8), " ".join(random.choice(words, 2)).title(), front, font)
    for at, colour in enumerate(("#e5534b", "#e0a92e", "#57ab5a")):
        draw.ellipse((14 + 26 * at, 11, 28 + 26 * at, 25), colour)
    for at in range(6):
        draw.rounded_rectangle((20 + 120 * at, 50, 124 + 120 * at, 82), 6, accent if at == number % 6 else bar)
        draw.text((32 + 120 * at, 57), str(random.choice(words))[:10], front, font)
    draw.rectangle((0, 96, 240, 800), bar)
    for at in range(18):
        draw.text((24, 112 + 36 * at), str(random.choice(words))[:22], front, font)
    for row in range(20):
        y = 112 + 34 * row
        if number % 3 == 0:
            draw.line((260, y + 26, 1260, y + 26), bar)
            for column in range(4):
                draw.text((270 + 250 * column, y), str(random.choice(words))[:22], front, font)
        else:
            draw.text((270, y), " ".join(random.choice(words, 8))[:95], front, font)
    return screen
