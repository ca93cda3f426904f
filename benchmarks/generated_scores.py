"""Scores of generated pictures on real ones, where the right order is known.

    SEESAY_DATA=... python benchmarks/generated_scores.py [--quick] [--json]

Distances: two halves of Flickr8k's val split (500 photos each) are of one kind; Caltech101 is another. The second half is then
spoiled by noise or blur of rising severity, which must raise the distance at every step. "By chance" is what random divisions
of the same pictures give.

CLIPScore: photos with one of their own captions, and with a caption of another photo; RefCLIPScore with the four other
captions as references. Directional similarity: from one photo to another with the captions of both, and with those of another
pair; and photos that were made grey, blurred or noisy, with a text that says so and with the texts of the other edits.

Goals: distances rise with every severity; halves of one kind are no further apart than chance (95 %), another kind is;
CLIPScore is higher for the own caption, and the direction for the own captions, in at least 95 % of pictures; the right text
has the highest direction for each edit.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from pictures import data, flickr_val

import seesay
from seesay.evaluation.clip_score import clip_scores, reference_scores
from seesay.evaluation.corruptions import Corrupt
from seesay.evaluation.directional_similarity import directional_similarity
from seesay.evaluation.distances import cmmd, frechet
from seesay.evaluation.features import picture_features
from seesay.model import Model

SPOILED = ("noise", "blur")
EDITS = {"grey": "a black and white photo.", "blur": "a blurry photo.", "noise": "a noisy, grainy photo."}
SOURCE, SEVERITY = "a photo.", 5
SEVERITIES = (1, 2, 3, 4, 5)


def measure(quick: bool) -> Result:
    result = Result()
    captions, folder = flickr_val(), data()
    if captions is None or folder is None:
        result.notes.append("Flickr8k and Caltech101 are needed: SEESAY_DATA=folder with flickr8k and caltech101")
        return result
    model = seesay.load()
    files = list(captions)[: 200 if quick else None]
    order = np.random.default_rng(0).permutation(len(files))
    halves = [[files[at] for at in half] for half in np.array_split(order, 2)]
    other = sorted((folder / "caltech101" / "images").rglob("*.webp"))[: 300 if quick else None]
    _distances(result, model, halves, other)
    _clip_scores(result, model, files, [captions[file] for file in files])
    _changes(result, model, files, [captions[file][0] for file in files])
    _edits(result, model, halves[0])
    return result


def _spoiled(model: Model, files: list[Path], name: str, severity: int) -> np.ndarray:
    alter = Corrupt(name, severity, shorter_px=model.image_spec.resize_px)
    return picture_features(model, files, alter=alter, variant=alter.variant).vectors


def _distances(result: Result, model: Model, halves: list[list[Path]], other: list[Path]) -> None:
    first, second = (picture_features(model, half).vectors for half in halves)
    sets = {"the other half": second, f"Caltech101 ({len(other)})": picture_features(model, other).vectors}
    for name in SPOILED:
        sets |= {f"the other half, {name} {severity}": _spoiled(model, halves[1], name, severity) for severity in SEVERITIES}
    rows: list[tuple[str, ...]] = []
    found = {}
    for name, vectors in sets.items():
        near, far = cmmd(first, vectors), frechet(first, vectors)
        found[name] = (near, far)
        values = (near.value, near.chance, near.chance_95, near.unbiased, far.value, far.chance)
        rows.append((name, *(f"{value:.3f}" for value in values)))
    header = ("from one half to", "CMMD", "by chance", "95 %", "unbiased", "Fréchet", "by chance")
    result.tables.append(Table(f"Distances from {len(first)} photos", header, rows))
    for kind, at in (("CMMD", 0), ("the Fréchet distance", 1)):
        for name in SPOILED:
            rising = [found["the other half"][at].value]
            rising += [found[f"the other half, {name} {severity}"][at].value for severity in SEVERITIES]
            falls = sum(b <= a for a, b in pairwise(rising))
            result.goals.append(Goal(f"{kind}: severities of {name} at which it does not rise", falls, 0))
    half, caltech = (near for near, _ in list(found.values())[:2])
    result.goals += [
        Goal("CMMD of two halves, to what 95 % of chance stay below", half.value / half.chance_95, 1),
        Goal("CMMD: what 95 % of chance stay below, to that of Caltech101", caltech.chance_95 / caltech.value, 1),
    ]
    result.figures["distances"] = {name: [round(near.value, 4), round(far.value, 4)] for name, (near, far) in found.items()}


def _clip_scores(result: Result, model: Model, files: list[Path], captions: list[list[str]]) -> None:
    pictures = picture_features(model, files).vectors
    own = model.encode_text([texts[0] for texts in captions])
    others = np.roll(own, 1, axis=0)
    references = [model.encode_text(texts[1:]) for texts in captions]
    rows: list[tuple[str, ...]] = []
    scores = {}
    for name, texts in (("its own caption", own), ("a caption of another photo", others)):
        plain, with_references = clip_scores(pictures, texts), reference_scores(pictures, texts, references)
        scores[name] = (plain, with_references)
        rows.append(
            (name, f"{plain.mean():.3f}", f"{100 * (pictures * texts).sum(axis=1).mean():.1f}", f"{with_references.mean():.3f}")
        )
    title = f"{len(files)} photos with one caption"
    result.tables.append(Table(title, ("", "CLIPScore", "100 cos", "RefCLIPScore, four references"), rows))
    (a, with_a), (b, with_b) = scores.values()
    shares = float((a > b).mean()), float((with_a > with_b).mean())
    result.notes.append(f"The own caption scores higher in {shares[0]:.1%} of photos, and in {shares[1]:.1%} with references.")
    result.goals.append(Goal("CLIPScore: 95 % to the share of photos whose own caption scores higher", 0.95 / shares[0], 1))
    result.figures["clip_score"] = {"own_higher": [round(share, 4) for share in shares]}


def _changes(result: Result, model: Model, files: list[Path], captions: list[str]) -> None:
    """From each photo to the next but one, whose caption is not the wrong one of the pair before."""
    before, source = picture_features(model, files).vectors, model.encode_text(captions)
    after, target = (np.roll(each, -2, axis=0) for each in (before, source))
    own = directional_similarity(before, after, source, target)
    others = directional_similarity(before, after, *(np.roll(each, 1, axis=0) for each in (source, target)))
    rows: list[tuple[str, ...]] = [
        (name, f"{np.nanmean(each):.3f}") for name, each in (("captions of both", own), ("of another pair", others))
    ]
    result.tables.append(
        Table(f"Directional similarity from one photo to another, {len(files)} pairs", ("", "direction"), rows)
    )
    share = float((own > others).mean())
    result.notes.append(f"The captions of both give the higher direction in {share:.1%} of pairs.")
    result.goals.append(Goal("direction: 95 % to the share of pairs whose own captions give the higher", 0.95 / share, 1))
    result.figures["direction"] = {"own_higher": round(share, 4)}


def _edits(result: Result, model: Model, files: list[Path]) -> None:
    before = picture_features(model, files).vectors
    texts = dict(zip((SOURCE, *EDITS.values()), model.encode_text([SOURCE, *EDITS.values()]), strict=True))
    rows: list[tuple[str, ...]] = []
    right = 0
    for name, said in EDITS.items():
        after = _spoiled(model, files, name, SEVERITY)
        means = {}
        for target in EDITS.values():
            each = (np.broadcast_to(texts[text], before.shape) for text in (SOURCE, target))
            means[target] = float(np.nanmean(directional_similarity(before, after, *each)))
        right += max(means, key=lambda target: means[target]) == said
        kept = float((before * after).sum(axis=1).mean())
        rows.append((name, *(f"{value:.3f}" for value in means.values()), f"{kept:.3f}"))
    header = ("edit", *(f"to {target!r}" for target in EDITS.values()), "kept")
    result.tables.append(Table(f"Directional similarity of {len(files)} edited photos, from {SOURCE!r}", header, rows))
    result.goals.append(Goal("edits whose own text does not have the highest direction", len(EDITS) - right, 0))


if __name__ == "__main__":
    run("generated_scores", __doc__ or "", measure)
