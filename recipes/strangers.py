"""Makes src/seesay/library/strangers.webp: 144 everyday pictures as squares, 12 by 12.

    SEESAY_DATA=... python -m recipes.strangers

The first picture of each class of Caltech 101 but portraits and cartoon figures, and of each coarse class of
GroceryStoreDataset; the second picture of four classes, so that the sheet is full.
"""

import csv
import os
from pathlib import Path

from PIL import Image

from seesay.evaluation.datasets import read_labels
from seesay.library.strangers import SHEET, SIDE, SQUARE_PX

LEFT_OUT = ("Faces", "Faces easy", "garfield", "snoopy")
TWICE = ("dolphin", "elephant", "sunflower", "sea horse")
QUALITY = 45


def caltech(data: Path) -> list[Path]:
    """The pictures of Caltech 101 in the sheet."""
    labelled = read_labels(data / "caltech101" / "labels.tsv")
    pictures: dict[str, list[Path]] = {}
    for image, label in zip(labelled.images, labelled.labels, strict=True):
        pictures.setdefault(labelled.names[label], []).append(Path(image))
    firsts = [pictures[name][0] for name in labelled.names if name not in LEFT_OUT]
    return firsts + [pictures[name][1] for name in TWICE]


def grocery(data: Path) -> list[Path]:
    """The pictures of GroceryStoreDataset in the sheet."""
    with (data / "grocery" / "train.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    first: dict[int, str] = {}
    for row in rows:
        first.setdefault(int(row["coarse"]), row["image"])
    return [data / "grocery" / "images" / first[number] for number in sorted(first)]


def main() -> None:
    data = Path(os.environ["SEESAY_DATA"])
    pictures = caltech(data) + grocery(data)
    assert len(pictures) == SIDE * SIDE
    sheet = Image.new("RGB", (SIDE * SQUARE_PX, SIDE * SQUARE_PX))
    for number, picture in enumerate(pictures):
        with Image.open(picture) as opened:
            square = opened.convert("RGB")
        side = min(square.size)
        left, top = (square.width - side) // 2, (square.height - side) // 2
        small = square.crop((left, top, left + side, top + side)).resize((SQUARE_PX, SQUARE_PX), Image.Resampling.LANCZOS)
        sheet.paste(small, (number % SIDE * SQUARE_PX, number // SIDE * SQUARE_PX))
    sheet.save(SHEET, quality=QUALITY, method=6)
    print(f"wrote {SHEET.name}: {SHEET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
