"""Whether a heat map shows why a text fits: what the score loses without the hottest fifth of a photo.

    SEESAY_DATA=... python benchmarks/explanation.py [--quick] [--json]

200 photos of Flickr8k's val split, each with its first caption. A fifth of the photo is removed, by blurring with a radius of
a tenth of the shorter side, or by the photo's mean colour: the hottest fifth of the heat map; a random fifth, of squares of 16
pixels, twice; the fifth of another photo's map, which is as connected and as central; and the disk around the centre, where
photographers put what they show. Occlusion is measured on every eighth photo, and so are insertion and deletion (Petsiuk, Das
and Saenko 2018), mean scores over steps of a tenth. The score is the cosine of caption and photo.

Goal: the hottest fifth costs at least twice what a random fifth does.
"""

from collections.abc import Callable

import numpy as np
from benchmark import Goal, Result, Table, run
from pictures import flickr_val
from PIL import Image, ImageFilter

import seesay
from seesay.model import Model
from seesay.tasks.explanation import BLUR, deletion, explain, hottest, insertion

PHOTOS, QUICK = 200, 10
SHARE = 0.2
SQUARES = 14  # along a side of a photo of 224 pixels
FEW = 8  # of which one photo is explained by occlusion, and has its curves drawn: they take long
Remove = Callable[[Image.Image], Image.Image]  # a picture -> what parts of it are replaced by


def measure(quick: bool) -> Result:
    result = Result()
    captions = flickr_val()
    if captions is None:
        result.notes.append("Flickr8k is needed: SEESAY_DATA=folder with flickr8k/captions.tsv")
        return result
    model = seesay.load()
    count = QUICK if quick else PHOTOS
    chosen = sorted(captions)[:: len(captions) // count][:count]
    photos = [Image.open(file).convert("RGB") for file in chosen]
    texts = model.encode_text([captions[file][0] for file in chosen])
    whole = (model.encode_image(photos) * texts).sum(axis=1)
    generator = np.random.default_rng(0)
    random = [[hottest(generator.random((SQUARES, SQUARES)), SHARE) for _ in photos] for _ in range(2)]
    cells = [explain(model, photo, captions[file][0]).heat for photo, file in zip(photos, chosen, strict=True)]
    few = slice(None, None, 1 if quick else FEW)
    hidden = [explain(model, p, captions[file][0], "occlusion").heat for p, file in zip(photos[few], chosen[few], strict=True)]
    own = [hottest(heat, SHARE) for heat in cells]
    masks = {
        "random squares": random,
        "cells": [own],
        "cells, of another photo": [own[1:] + own[:1]],
        "the centre": [[hottest(_nearness(heat.shape), SHARE) for heat in cells]],
    }
    rows: list[tuple[str, ...]] = []
    for how, remove in (("blurred", _blurred), ("mean colour", _mean_colour)):
        losses = {name: _loss(model, photos, texts, whole, several, remove) for name, several in masks.items()}
        base = losses["random squares"]
        occluded = [[hottest(heat, SHARE) for heat in hidden]]
        losses["occlusion"] = _loss(model, photos[few], texts[few], whole[few], occluded, remove)
        rows += [(f"{how}: {name}", f"{loss:.4f}", f"{loss / base:.2f}") for name, loss in losses.items()]
        result.goals.append(Goal(f"{how}: twice a random fifth's loss to the hottest fifth's", 2 * base / losses["cells"], 1))
        result.figures[how] = {name: round(loss, 5) for name, loss in losses.items()}
    title = f"Loss of the cosine without a fifth of the photo, {len(photos)} photos, cosine {whole.mean():.3f} with all of it"
    result.tables = [Table(title, ("removed", "loss", "times random"), rows)]
    result.tables.append(_curves(model, photos[few], texts[few], cells[few]))
    return result


def _curves(model: Model, photos: list[Image.Image], texts: np.ndarray, heats: list[np.ndarray]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, maps in (("cells", heats), ("the centre", [_nearness(heat.shape) for heat in heats])):
        less, more = (
            float(np.mean([curve(model, *each) for each in zip(photos, texts, maps, strict=True)]))
            for curve in (deletion, insertion)
        )
        rows.append((name, f"{less:.3f}", f"{more:.3f}"))
    return Table(
        f"Mean cosine over all shares, {len(photos)} photos",
        ("order", "deletion, low is good", "insertion, high is good"),
        rows,
    )


def _loss(
    model: Model,
    photos: list[Image.Image],
    texts: np.ndarray,
    whole: np.ndarray,
    several: list[list[np.ndarray]],
    remove: Remove,
) -> float:
    """What the cosine loses on average without the masked parts."""
    losses = []
    for masks in several:
        for photo, mask, text, score in zip(photos, masks, texts, whole, strict=True):
            rest = photo.copy()
            rest.paste(remove(photo), mask=Image.fromarray(mask).resize(photo.size, Image.Resampling.NEAREST))
            losses.append(score - float((model.encode_image(rest) @ text)[0]))
    return float(np.mean(losses))


def _blurred(photo: Image.Image) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(BLUR * min(photo.size)))


def _mean_colour(photo: Image.Image) -> Image.Image:
    red, green, blue = np.asarray(photo).mean(axis=(0, 1)).round().astype(int).tolist()
    return Image.new("RGB", photo.size, (red, green, blue))


def _nearness(shape: tuple[int, ...]) -> np.ndarray:
    """How near each point is to the centre."""
    y, x = (np.linspace(-1, 1, length) for length in shape)
    return -np.hypot(y[:, None], x)


if __name__ == "__main__":
    run("explanation", __doc__ or "", measure)
