"""Drawings with names as training images: emoji of three makers and public-domain clip art, on backgrounds.

Every drawing yields `VIEWS` images: alone or repeated, on white, on a colour, or on a blurred photo. They are written with a
manifest for the trainer, drawings.jsonl beside images/. A concept (an emoji of any maker) is one identity.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageFilter

from recipes.bundled.packages import fetch

SIDE = 260
VIEWS = {"fluent": 4, "google": 2, "twitter": 2, "clipart": 2}
EXAMPLES = Path(__file__).parents[2] / "examples"
SCORED = ("Caltech 101", "Grocery Store")  # evaluation sets, whose photos must not be used for training
FLAGS = 9  # emojibase's group: 260 countries' flags would outweigh everything else
DC = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@dataclass(frozen=True)
class Drawing:
    """A drawing with its names, the best first, and its tags."""

    file: Path
    maker: str
    concept: str
    names: tuple[tuple[str, str], ...]  # (language, name), the best first
    tags: tuple[tuple[str, str], ...]


def drawings(work: Path) -> list[Drawing]:
    """All drawings."""
    return [*_emoji(work), *_clip_art(work)]


def emoji_names(work: Path) -> list[tuple[str, str]]:
    """Names of emoji as (Chinese, English)."""
    return sorted({(d.names[1][1], d.names[0][1]) for d in _emoji(work) if len(d.names) > 1})


def _emoji(work: Path) -> Iterator[Drawing]:
    data = fetch("emojibase-data", work) / "package"
    tables = {lang: {e["hexcode"]: e for e in json.loads((data / lang / "data.json").read_text())} for lang in ("en", "zh")}
    fluent = fetch("@lobehub/fluent-emoji-3d", work) / "package" / "assets"
    makers = {"fluent": fluent}
    for maker in ("google", "twitter"):
        makers[maker] = fetch(f"emoji-datasource-{maker}", work) / "package" / "img" / maker / "64"
    for code, english in tables["en"].items():
        if english.get("group", FLAGS) == FLAGS:
            continue
        entries_by_language = [(lang, tables[lang][code]) for lang in tables if code in tables[lang]]
        names = tuple((lang, e["label"].replace(":", ",")) for lang, e in entries_by_language)
        tags = tuple((lang, tag) for lang, e in entries_by_language for tag in e.get("tags", ()))
        for maker, folder in makers.items():
            spellings = (code.lower(), code.lower().replace("-fe0f", ""), code.lower() + "-fe0f")
            files = (folder / f"{name}.{kind}" for name in spellings for kind in ("webp", "png"))
            if (file := next((f for f in files if f.exists()), None)) is not None:
                yield Drawing(file, maker, f"emoji:{code}", names, tags)


def _clip_art(work: Path) -> Iterator[Drawing]:
    images = fetch("openclipart-png", work) / "usr/share/openclipart/png"
    descriptions = fetch("openclipart-svg", work) / "usr/share/openclipart/svg"
    for file in sorted(images.rglob("*.png")):
        relative = file.relative_to(images)
        title, keywords = _describe(descriptions / relative.with_suffix(".svg"))
        words = [("en", w) for w in keywords]
        if name := _name(title):
            yield Drawing(file, "clipart", f"clipart:{relative}", (("en", name),), tuple(words))
        elif words:
            yield Drawing(file, "clipart", f"clipart:{relative}", (words[0],), tuple(words[1:]))


def _describe(file: Path) -> tuple[str, list[str]]:
    """(title, keywords) of an SVG file; empty if it has none or is not XML."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return "", []
    work = next((e for e in root.iter() if e.tag.endswith("}Work")), None)
    if work is None:
        return "", []
    title = work.findtext(f"{DC}title") or ""
    keywords = [(e.text or "").strip().lower() for e in work.iter(f"{RDF}li")]
    return title, [w for w in dict.fromkeys(keywords) if re.fullmatch(r"[a-z][a-z \-]{2,24}", w) and w not in DULL]


DULL = {
    "clip art",
    "clipart",
    "color",
    "colour",
    "black",
    "white",
    "image",
    "media",
    "public domain",
    "png",
    "svg",
    "unsorted",
    "icon",
    "vector",
    "black and white",
    "line art",
    "contour",
    "silhouette",
    "remix",
    "externalsource",
}


def _name(title: str) -> str:
    """The title as words; empty if it is a number, a person or a sentence."""
    title = re.sub(r"[_\-]+|\b(architetto|francesco|rollandin|01|02|03)\b", " ", title.lower())
    title = re.sub(r"[^a-z ]|\b(clip ?art|svg|icon|by \w+)\b", " ", title)
    words = title.split()
    return " ".join(words) if 1 <= len(words) <= 5 and len("".join(words)) > 2 else ""


def render(file: Path, rng: np.random.Generator) -> Image.Image:
    """The drawing on a background, (SIDE, SIDE) RGB: usually alone, sometimes a heap of copies."""
    drawing = Image.open(file).convert("RGBA")
    drawing = drawing.crop(drawing.getbbox() or (0, 0, *drawing.size))
    canvas = _background(rng)
    heap = rng.random() < 0.3
    for _ in range(int(rng.integers(4, 18)) if heap else 1):
        side = SIDE * (rng.uniform(0.25, 0.5) if heap else rng.uniform(0.55, 1.0))
        scale = side / max(drawing.size)
        one = drawing.resize([max(round(s * scale), 1) for s in drawing.size], Image.Resampling.BICUBIC)
        one = one.rotate(rng.uniform(-180, 180) if heap else rng.normal(0, 8), Image.Resampling.BICUBIC, expand=True)
        free = [SIDE - s for s in one.size]
        spread = 0.2 if heap else 0.0
        position = [int(f / 2 + rng.uniform(-0.5 - spread, 0.5 + spread) * max(abs(f), SIDE * spread)) for f in free]
        canvas.paste(one, (position[0], position[1]), one)
    return canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5))) if rng.random() < 0.2 else canvas


def _background(rng: np.random.Generator) -> Image.Image:
    kind = rng.random()
    if kind < 0.4:
        return Image.new("RGB", (SIDE, SIDE), "white")
    if kind < 0.65:
        return Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in rng.integers(0, 256, 3)))
    photos = backgrounds()
    photo = photos[int(rng.integers(len(photos)))]
    side = int(min(photo.size) * rng.uniform(0.3, 1))
    left, top = (int(rng.integers(0, s - side + 1)) for s in photo.size)
    crop = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
    return crop.filter(ImageFilter.GaussianBlur(rng.uniform(0, 6)))


@cache
def backgrounds() -> tuple[Image.Image, ...]:
    """The photos that serve as backgrounds."""
    return tuple(Image.open(file).convert("RGB") for file in example_photos())


def example_photos() -> list[Path]:
    """The photos in examples/photos that come from none of the sets in `SCORED`."""
    rows = (line.split(" | ") for line in (EXAMPLES / "ATTRIBUTION.md").read_text(encoding="utf-8").splitlines())
    sources = [(row[0].strip("| `"), row[2]) for row in rows if len(row) > 3 and row[0].startswith("| `")]
    return sorted(EXAMPLES / "photos" / name for name, source in sources if not source.startswith(SCORED))


def write(work: Path, seed: int = 0) -> Path:
    """Writes drawings.jsonl and its images/, once. Returns the manifest."""
    folder = work / "drawings"
    manifest = folder / "drawings.jsonl"
    if manifest.exists():
        return manifest
    (folder / "images").mkdir(parents=True, exist_ok=True)
    all_drawings = drawings(work)
    jobs = (
        (drawing, number, view, folder, seed)
        for number, drawing in enumerate(all_drawings)
        for view in range(VIEWS[drawing.maker])
    )
    rows = []
    with ProcessPoolExecutor() as pool:
        while part := list(islice(jobs, 2000)):
            rows += [row for row in pool.map(_write_one, part, chunksize=50) if row is not None]
            print(f"{len(rows)} pictures of {len(all_drawings)} drawings", flush=True)
    draft = manifest.with_suffix(".part")
    draft.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    draft.rename(manifest)
    return manifest


def _write_one(job: tuple[Drawing, int, int, Path, int]) -> dict[str, object] | None:
    drawing, number, view, folder, seed = job
    name = f"{number:05d}-{view}.jpg"
    if not (folder / "images" / name).exists():
        try:
            image = render(drawing.file, np.random.default_rng((seed, number, view)))
        except (OSError, Image.DecompressionBombError):  # damaged, or as large as a poster: the drawing is skipped
            return None
        image.save(folder / "images" / name, quality=90)
    texts = [{"text": text, "lang": lang, "weight": 1.0} for lang, text in drawing.names]
    texts += [{"text": text, "lang": lang, "weight": 0.6 / len(drawing.tags)} for lang, text in drawing.tags]
    return {"image": name, "texts": texts, "identity": drawing.concept}
