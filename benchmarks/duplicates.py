"""Precision and recall of finding duplicates among edited copies of photos and different photos.

    SEESAY_DATA=... python benchmarks/duplicates.py [--quick] [--json]

Every edit makes copies of Flickr8k photos, which should be found with their original (recall). All pairs of different photos of
Flickr8k, photos-1k and Caltech101 should not be; those whose hashes differ by at most two bits at a cosine above 0.95 are left
out, since the sets themselves hold copies. Precision: of all that a rule finds, the edited copies, among these millions of
pairs. Rules: SeeSay's, each of its two halves alone, and imagehash's phash at the distance customary for it.

Goal: fewer pairs of different photos than one in a million.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import imagehash
import numpy as np
import pictures
from benchmark import Goal, Result, Table, run
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

import seesay
from seesay.images.phash import WAVES, bits, turned, waves
from seesay.library.duplicates import NEAR, one_picture
from seesay.model import Model

CUSTOMARY = 8  # bits, for imagehash
ALONE = 0.94
ROWS = 256  # of the pairs compared at once
Rule = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # cosines, our distances, imagehash's distances -> found

RULES: dict[str, Rule] = {
    "SeeSay": lambda cosine, distance, peer: one_picture(cosine, distance),
    f"hash alone, {NEAR} bits": lambda cosine, distance, peer: distance <= NEAR,
    f"cosine alone, {ALONE}": lambda cosine, distance, peer: cosine >= ALONE,
    f"imagehash, {CUSTOMARY} bits": lambda cosine, distance, peer: peer <= CUSTOMARY,
}


def _jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


def _crop(image: Image.Image, share: float) -> Image.Image:
    """A crop of a share of width and height, off the centre."""
    width, height = round(image.width * share), round(image.height * share)
    left, top = (image.width - width) // 4, (image.height - height) // 4
    return image.crop((left, top, left + width, top + height))


def _watermark(image: Image.Image) -> Image.Image:
    words = Image.new("RGBA", image.size)
    draw, font = ImageDraw.Draw(words), ImageFont.load_default(size=image.height // 8)
    for y in range(0, image.height, image.height // 3):
        draw.text((image.width // 10, y + image.height // 10), "© sample photo", fill=(255, 255, 255, 140), font=font)
    return Image.alpha_composite(image.convert("RGBA"), words).convert("RGB")


def _border(image: Image.Image) -> Image.Image:
    framed = Image.new("RGB", (image.width, round(image.height * 1.2)))
    framed.paste(image, (0, round(image.height * 0.1)))
    return framed


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "a quarter of the size": lambda image: image.resize((image.width // 4, image.height // 4)),
    "JPEG at quality 30": _jpeg,
    "without colour": lambda image: image.convert("L").convert("RGB"),
    "brighter by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by 90°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "watermark": _watermark,
    "black bars": _border,
    "95 % of width and height": lambda image: _crop(image, 0.95),
    "90 % of width and height": lambda image: _crop(image, 0.9),
    "turned by 3°": lambda image: image.rotate(3, Image.Resampling.BICUBIC),
}


def measure(quick: bool) -> Result:
    result = Result()
    data = pictures.data()
    if data is None:
        result.notes.append("Photos are needed: SEESAY_DATA=folder with flickr8k, photos-1k and caltech101")
        return result
    model = seesay.load()
    flickr = sorted((data / "flickr8k" / "images").iterdir())
    originals = [Image.open(path).convert("RGB") for path in flickr[:: len(flickr) // (20 if quick else 150)]]
    first = _Pictures(model, originals)
    rows: list[tuple[str, ...]] = []
    right = dict.fromkeys(RULES, 0)
    for name, edit in EDITS.items():
        edited = _Pictures(model, [edit(image) for image in originals])
        cosine, distance, peer = (np.diagonal(each) for each in first.compared(edited))
        counts = {rule: int(decide(cosine, distance, peer).sum()) for rule, decide in RULES.items()}
        right = {rule: right[rule] + count for rule, count in counts.items()}
        found = {rule: count / len(originals) for rule, count in counts.items()}
        result.figures[name] = {rule: round(share, 3) for rule, share in found.items()}
        rows.append((name, *(f"{share:.0%}" for share in found.values())))
    others = [data / name for name in ("photos-1k", "caltech101")]
    paths = flickr + [path for folder in others for path in sorted((folder / "images").rglob("*.*"))]
    paths = paths[:: len(paths) // 300] if quick else paths
    pairs, wrong = 0, dict.fromkeys(RULES, 0)
    everything = _Pictures(model, paths)
    for cosine, distance, peer in everything.pairs():
        different = ~((distance <= 2) & (cosine > 0.95))
        pairs += int(different.sum())
        for rule, decide in RULES.items():
            wrong[rule] += int((decide(cosine, distance, peer) & different).sum())
    made = len(originals) * len(EDITS)
    told = {rule: (right[rule] / made, right[rule] / max(right[rule] + wrong[rule], 1)) for rule in RULES}
    result.figures["all edits"] = {rule: {"recall": round(a, 4), "precision": round(b, 4)} for rule, (a, b) in told.items()}
    rows.append(("all of these: recall", *(f"{recall:.1%}" for recall, _ in told.values())))
    rows.append(("precision among the pairs below", *(f"{precision:.1%}" for _, precision in told.values())))
    title = f"{len(originals)} photos and their edited copies: found with their original"
    result.tables.append(Table(title, ("edit", *RULES), rows))
    result.figures["different"] = {"pairs": pairs, **wrong}
    per_million = {rule: 1e6 * count / pairs for rule, count in wrong.items()}
    rows = [
        ("found", *(f"{count:,}" for count in wrong.values())),
        ("in a million", *(f"{share:.2f}" for share in per_million.values())),
    ]
    result.tables.append(Table(f"{pairs:,} pairs of {len(paths):,} different photos", ("", *RULES), rows))
    result.goals = [Goal("pairs of different photos found in a million", per_million["SeeSay"], 1)]
    return result


class _Pictures:
    def __init__(self, model: Model, pictures: Sequence[Path | Image.Image]):
        self.vectors = model.encode_image(list(pictures))
        ours, peers = [], []
        for picture in pictures:
            image = picture if isinstance(picture, Image.Image) else Image.open(picture).convert("RGB")
            ours.append(waves(image))
            peers.append(imagehash.phash(image).hash.ravel())
        self.waves = np.array(ours).reshape(-1, WAVES, WAVES)
        self.signs = np.where(bits(self.waves), np.float32(1), np.float32(-1))
        self.peer = np.where(np.array(peers), np.float32(1), np.float32(-1))

    def compared(self, others: "_Pictures", own: slice = slice(None)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(cosines, our distances, imagehash's distances), (N, M) each."""
        turns = np.where(bits(turned(self.waves[own])), np.float32(1), np.float32(-1))
        same = np.maximum.reduce([turn @ others.signs.T for turn in turns])
        return self.vectors[own] @ others.vectors.T, 32 - same / 2, 32 - self.peer[own] @ others.peer.T / 2

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Every pair once."""
        for start in range(0, len(self.vectors), ROWS):
            own = slice(start, start + ROWS)
            told = self.compared(self, own)
            upper = np.arange(len(self.vectors)) > np.arange(start, start + len(told[0]))[:, None]
            cosine, distance, peer = (each[upper] for each in told)
            yield cosine, distance, peer


if __name__ == "__main__":
    run("duplicates", __doc__, measure)
