"""Pictures for benchmarks: evaluation sets in $SEESAY_DATA if that is set, else the examples."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

EXAMPLES = Path(__file__).parent.parent / "examples" / "photos"
NOISE_LEVELS = 4.0  # standard deviation of the noise laid over enlarged photos, of 255


def data() -> Path | None:
    folder = os.environ.get("SEESAY_DATA")
    return Path(folder) if folder else None


def examples() -> list[Path]:
    """examples/photos, the photos that come with the repository."""
    photos = _photos(EXAMPLES)
    if not photos:
        raise SystemExit(f"no pictures in {EXAMPLES}")
    return photos


def photos_1k() -> tuple[str, list[Path]]:
    """(name, files) of a set: one photo per ImageNet class, or else the examples."""
    folder = data()
    photos = _photos(folder / "photos-1k" / "images") if folder else []
    return ("photos-1k", photos) if photos else ("examples/photos", examples())


def flickr_val() -> dict[Path, list[str]] | None:
    """Flickr8k's val split: photo -> its English captions. None without $SEESAY_DATA."""
    folder = data()
    table = folder / "flickr8k" / "captions.tsv" if folder else None
    if table is None or not table.is_file():
        return None
    captions: dict[Path, list[str]] = {}
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if row["split"] == "val" and row["lang"] == "en":
                captions.setdefault(table.parent / "images" / row["image"], []).append(row["text"])
    return captions


def linked(files: Iterable[Path], folder: Path) -> Path:
    """Makes a folder of links to these files."""
    folder.mkdir(parents=True)
    for number, file in enumerate(files):  # the same name may occur in two folders
        (folder / f"{number:04d}-{file.name}").symlink_to(file.absolute())
    return folder


def enlarge(files: Iterable[Path], folder: Path, size: tuple[int, int], *, quality: int, noise: bool) -> list[Path]:
    """Makes JPEGs of `size` from photos by central crop and bicubic enlargement, with noise as of a camera's sensor."""
    folder.mkdir(exist_ok=True)
    width, height = size
    grain = np.random.default_rng(0).normal(0, NOISE_LEVELS, (height, width, 3)).astype(np.int16) if noise else None
    made = []
    for number, file in enumerate(files):
        with Image.open(file) as image:
            large = ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC)
        if grain is not None:
            shifted = np.roll(grain, (977 * number) % height, axis=0)  # not the same noise in every picture
            large = Image.fromarray(np.clip(np.asarray(large) + shifted, 0, 255).astype(np.uint8))
        made.append(folder / f"{number:04d}-{file.stem}.jpg")
        large.save(made[-1], quality=quality)
    return made


def mosaics(files: list[Path], folder: Path, size: tuple[int, int], count: int, *, tile_px: int = 250) -> list[Path]:
    """Makes JPEGs of `size` tiled with photos at about their own resolution, so that every pixel has real detail."""
    folder.mkdir(exist_ok=True)
    width, height = size
    made, number = [], 0
    for index in range(count):
        sheet = Image.new("RGB", size)
        for top in range(0, height, tile_px):
            for left in range(0, width, tile_px):
                with Image.open(files[number % len(files)]) as image:
                    sheet.paste(ImageOps.fit(image.convert("RGB"), (tile_px, tile_px)), (left, top))
                number += 1
        made.append(folder / f"mosaic-{index:02d}.jpg")
        sheet.save(made[-1], quality=90)
    return made


def _photos(folder: Path) -> list[Path]:
    from seesay.images.decoding.formats import SUFFIXES

    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES) if folder.is_dir() else []
