"""Writes docs/gallery.md: the bundled model's results in examples/photos for queries in both languages, failures included.

`python -m recipes.bundled.gallery`
"""

from pathlib import Path

import numpy as np
from PIL import Image

import seesay

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "examples" / "photos"
PAGE = ROOT / "docs" / "gallery.md"
SHOWN = 5
HEIGHT = 150
QUERIES = {
    "English": (
        "a boat on the water",
        "two dogs",
        "snow on a mountain",
        "people playing music",
        "red fruit at the market",
        "a man with a camera",
        "something to drink",
        "a city at night",
        "an old building with columns",
        "a yellow flower",
        "an animal in the sea",
        "a quiet place to think",
    ),
    "Chinese": (
        "海上的船",
        "两只狗",
        "雪山",
        "一个男人在微笑",
        "红色的水果",
        "夜晚的城市",
        "草地上的马",
        "黄色的花",
        "海里的动物",
        "飛機在天空中",
        "一只 golden retriever",
        "适合安静思考的地方",
    ),
}


def main() -> None:
    model = seesay.load()
    files = sorted(file for file in PHOTOS.rglob("*") if file.suffix in (".jpg", ".png", ".webp"))
    vectors = model.encode_image(files)
    lines = [
        "# What the bundled model finds",
        "",
        f"The first five of the {len(files)} photos in `examples/photos`, with their cosines. Written by",
        "`python -m recipes.bundled.gallery`; nothing was chosen after the fact, so some are wrong.",
    ]
    folder = PAGE.parent / "images" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for language, queries in QUERIES.items():
        lines += ["", f"## {language}"]
        for number, query in enumerate(queries, 1):
            cosines = vectors @ model.encode_text(query)[0]
            best = np.argsort(-cosines, kind="stable")[:SHOWN]
            name = f"{language.lower()}-{number:02d}.jpg"
            _strip([files[i] for i in best]).save(folder / name, quality=80)
            caption = ", ".join(f"{files[i].stem} {cosines[i]:.2f}" for i in best)
            lines += ["", f"**{query}**", "", f"![{caption}](images/gallery/{name})"]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(PAGE)


def _strip(files: list[Path]) -> Image.Image:
    photos = []
    for file in files:
        with Image.open(file) as photo:
            width = min(round(photo.width * HEIGHT / photo.height), 2 * HEIGHT)
            photos.append(photo.convert("RGB").resize((width, HEIGHT), Image.Resampling.LANCZOS))
    strip = Image.new("RGB", (sum(p.width + 4 for p in photos) - 4, HEIGHT), "white")
    left = 0
    for thumbnail in photos:
        strip.paste(thumbnail, (left, 0))
        left += thumbnail.width + 4
    return strip


if __name__ == "__main__":
    main()
