"""What a narrower build of a model costs on real photos and captions: cosines, and what changes in search and labels."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.model import Model
from seesay.tasks.prompts import TEMPLATES
from seesay.tasks.zero_shot import classify

CHUNK = 2048  # queries scored at once


@dataclass(frozen=True)
class Spread:
    """Cosines between a vector of one build and the same of the other."""

    count: int
    mean: float
    percentile_1: float
    least: float


@dataclass(frozen=True)
class Change:
    """One figure under both builds, a fraction in 0..1."""

    metric: str
    wide: float
    narrow: float


@dataclass(frozen=True)
class Fidelity:
    images: Spread
    texts: Spread | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Pairs:
    """Rows of a table: pictures by path, and for each the texts or the label that belong to it."""

    images: tuple[Path, ...]
    texts: tuple[str, ...]
    owner: tuple[int, ...]  # per text, the number of its picture
    labels: tuple[str, ...] | None  # per picture


def read_pairs(table: Path, images: Path | None = None, *, language: str = "en", split: str | None = None) -> Pairs:
    """A TSV with a header: `image` and `text` (one row per text), or `image` and `label`; optional `lang` and `split`.

    Paths are relative to `images`, by default the folder images/ beside the table, else the table's own. Raises InputError.
    """
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read: {error}") from None
    columns = set(rows[0]) if rows else set()
    if "image" not in columns or not {"text", "label"} & columns:
        raise InputError(
            f"{table}: expected columns image and text, or image and label; got {', '.join(sorted(columns)) or 'none'}"
        )
    kept = [r for r in rows if r.get("lang", language) == language and split in (None, r.get("split"))]
    if not kept:
        raise InputError(f"{table} has no rows of language {language!r}" + (f" and split {split!r}" if split else ""))
    folder = images or (table.parent / "images" if (table.parent / "images").is_dir() else table.parent)
    numbers: dict[str, int] = {}
    for row in kept:
        numbers.setdefault(row["image"], len(numbers))
    labels = {row["image"]: row["label"] for row in kept} if "label" in columns else None
    texts = [row for row in kept if "text" in columns]
    return Pairs(
        images=tuple(folder / name for name in numbers),
        texts=tuple(row["text"] for row in texts),
        owner=tuple(numbers[row["image"]] for row in texts),
        labels=None if labels is None else tuple(labels[name] for name in numbers),
    )


def compare(wide: Model, narrow: Model, pairs: Pairs) -> Fidelity:
    """Both builds over the same pictures and texts. Raises UnreadableImage for a picture that cannot be read."""
    pictures = [model.encode_image(pairs.images) for model in (wide, narrow)]
    changes: list[Change] = []
    texts = None
    if pairs.texts:
        words = [model.encode_text(pairs.texts) for model in (wide, narrow)]
        texts = _spread(*words)
        owner = np.array(pairs.owner)
        numbers = np.arange(len(pairs.images))
        to_image = [recall_at_1(w, p, owner, numbers) for w, p in zip(words, pictures, strict=True)]
        to_text = [recall_at_1(p, w, numbers, owner) for w, p in zip(words, pictures, strict=True)]
        changes += [Change("text to image R@1", *to_image), Change("image to text R@1", *to_text)]
    if pairs.labels is not None:
        names = list(dict.fromkeys(pairs.labels))
        tops = [_top1(model, p, names, pairs.labels) for model, p in zip((wide, narrow), pictures, strict=True)]
        changes.append(Change(f"zero-shot top-1 of {len(names)} labels", *tops))
    return Fidelity(_spread(*pictures), texts, tuple(changes))


def recall_at_1(queries: np.ndarray, targets: np.ndarray, wanted: np.ndarray, owner: np.ndarray) -> float:
    """The share of queries whose nearest target is their own: owner[nearest] == wanted[query]."""
    hits = 0
    for start in range(0, len(queries), CHUNK):
        nearest = (queries[start : start + CHUNK] @ targets.T).argmax(axis=1)
        hits += int((owner[nearest] == wanted[start : start + CHUNK]).sum())
    return hits / len(queries)


def _top1(model: Model, pictures: np.ndarray, names: Sequence[str], labels: Iterable[str]) -> float:
    best = classify(model, pictures, [name.replace("_", " ") for name in names], TEMPLATES).argmax(axis=1)
    return float(np.mean([names[i] == label for i, label in zip(best, labels, strict=True)]))


def _spread(wide: np.ndarray, narrow: np.ndarray) -> Spread:
    cosines = (wide * narrow).sum(axis=1)
    return Spread(len(cosines), float(cosines.mean()), float(np.percentile(cosines, 1)), float(cosines.min()))
