"""Drawings with names: emoji of three makers and public-domain clip art, laid on backgrounds as pictures to learn from.

Every drawing becomes `VIEWS` pictures: alone or several of it, on white, on a colour, or on a blurred photo. Written as a
manifest for the trainer, drawings.jsonl beside images/. A concept (an emoji, whoever drew it) is one identity.
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
SCORED = ("Caltech 101", "Grocery Store")  # sets that the model is scored on: none of their photos may teach it
FLAGS = 9  # emojibase's group: 260 countries' flags would outweigh everything else
DC = "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@dataclass(frozen=True)
class Drawing:
    file: Path
    maker: str
    concept: str
    names: tuple[tuple[str, str], ...]  # (language, name), the best first
    tags: tuple[tuple[str, str], ...]


def drawings(work: Path) -> list[Drawing]:
    return [*_emoji(work), *_clip_art(work)]


def emoji_names(work: Path) -> list[tuple[str, str]]:
    """(Chinese, English)"""
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
        said = [(lang, tables[lang][code]) for lang in tables if code in tables[lang]]
        names = tuple((lang, e["label"].replace(":", ",")) for lang, e in said)
        tags = tuple((lang, tag) for lang, e in said for tag in e.get("tags", ()))
        for maker, folder in makers.items():
            spelled = (code.lower(), code.lower().replace("-fe0f", ""), code.lower() + "-fe0f")
            files = (folder / f"{name}.{kind}" for name in spelled for kind in ("webp", "png"))
            if (file := next((f for f in files if f.exists()), None)) is not None:
                yield Drawing(file, maker, f"emoji:{code}", names, tags)


def _clip_art(work: Path) -> Iterator[Drawing]:
    pictures = fetch("openclipart-png", work) / "usr/share/openclipart/png"
    described = fetch("openclipart-svg", work) / "usr/share/openclipart/svg"
    for file in sorted(pictures.rglob("*.png")):
        at = file.relative_to(pictures)
        title, keywords = _describe(described / at.with_suffix(".svg"))
        words = [("en", w) for w in keywords]
        if name := _name(title):
            yield Drawing(file, "clipart", f"clipart:{at}", (("en", name),), tuple(words))
        elif words:
            yield Drawing(file, "clipart", f"clipart:{at}", (words[0],), tuple(words[1:]))


def _describe(file: Path) -> tuple[str, list[str]]:
    """(title, keywords); nothing where the file has none, or is no XML."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return "", []
    work = next((e for e in root.iter() if e.tag.endswith("}Work")), None)
    if work is None:
        return "", []
    title = work.findtext(f"{DC}title") or ""
    found = [(e.text or "").strip().lower() for e in work.iter(f"{RDF}li")]
    return title, [w for w in dict.fromkeys(found) if re.fullmatch(r"[a-z][a-z \-]{2,24}", w) and w not in DULL]


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
    """The title as words, or nothing where it is a number, a person or a sentence."""
    title = re.sub(r"[_\-]+|\b(architetto|francesco|rollandin|01|02|03)\b", " ", title.lower())
    title = re.sub(r"[^a-z ]|\b(clip ?art|svg|icon|by \w+)\b", " ", title)
    words = title.split()
    return " ".join(words) if 1 <= len(words) <= 5 and len("".join(words)) > 2 else ""


# Pictures


def render(file: Path, rng: np.random.Generator) -> Image.Image:
    """The drawing on a background, (SIDE, SIDE) RGB: mostly alone, sometimes a heap of it."""
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
        at = [int(f / 2 + rng.uniform(-0.5 - spread, 0.5 + spread) * max(abs(f), SIDE * spread)) for f in free]
        canvas.paste(one, (at[0], at[1]), one)
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
    return tuple(Image.open(file).convert("RGB") for file in example_photos())


def example_photos() -> list[Path]:
    """Those of examples/photos that are of no set in `SCORED`."""
    rows = (line.split(" | ") for line in (EXAMPLES / "ATTRIBUTION.md").read_text(encoding="utf-8").splitlines())
    named = [(row[0].strip("| `"), row[2]) for row in rows if len(row) > 3 and row[0].startswith("| `")]
    return sorted(EXAMPLES / "photos" / name for name, source in named if not source.startswith(SCORED))


def write(work: Path, seed: int = 0) -> Path:
    """drawings.jsonl and its images/, made once. Returns the manifest."""
    folder = work / "drawings"
    manifest = folder / "drawings.jsonl"
    if manifest.exists():
        return manifest
    (folder / "images").mkdir(parents=True, exist_ok=True)
    found = drawings(work)
    jobs = (
        (drawing, number, view, folder, seed) for number, drawing in enumerate(found) for view in range(VIEWS[drawing.maker])
    )
    rows = []
    with ProcessPoolExecutor() as pool:
        while part := list(islice(jobs, 2000)):
            rows += [row for row in pool.map(_write_one, part, chunksize=50) if row is not None]
            print(f"{len(rows)} pictures of {len(found)} drawings", flush=True)
    whole = manifest.with_suffix(".part")
    whole.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    whole.rename(manifest)
    return manifest


def _write_one(job: tuple[Drawing, int, int, Path, int]) -> dict[str, object] | None:
    drawing, number, view, folder, seed = job
    name = f"{number:05d}-{view}.jpg"
    if not (folder / "images" / name).exists():
        try:
            picture = render(drawing.file, np.random.default_rng((seed, number, view)))
        except (OSError, Image.DecompressionBombError):  # damaged, or as large as a poster: one drawing less
            return None
        picture.save(folder / "images" / name, quality=90)
    texts = [{"text": text, "lang": lang, "weight": 1.0} for lang, text in drawing.names]
    texts += [{"text": text, "lang": lang, "weight": 0.6 / len(drawing.tags)} for lang, text in drawing.tags]
    return {"image": name, "texts": texts, "identity": drawing.concept}
