"""Zero-shot classification: templates, several names, none of these, honest probabilities, and the ready sets.

    SEESAY_DATA=... python benchmarks/zero_shot.py [--quick] [--json]

What the defaults of `seesay classify` rest on. Pictures' vectors are cached as those of `seesay eval` are.

Templates: accuracy with the name alone, with one prompt, and with each set of prompts that suits the pictures. Names: accuracy
with one name a class, and with several (benchmarks/synonyms; for photos-1k the English and the Chinese name) as their mean or
by the best. None of these: half of the classes are labels, ten draws; of pictures of these classes the share that is accepted
(any label beats "none of these"), and that is accepted and right; of pictures of other classes the share that is rejected.
Calibration: expected calibration error in 15 bins at the model's own scale and at one fitted on so many labelled pictures, both
on the pictures that are left, ten draws. Several labels: macro F1 of 24 nouns on Flickr8k's val photos, true where any English
caption has the word, at a probability of 0.5 against none of these, and at thresholds fitted on some pictures; the rest is
measured. Clips: slide shows of the first eight pictures of each Caltech101 class, by one frame or by the mean of eight.

Ready sets: share of pictures that get the right label of the set, in English and in Chinese, by the phrase that fits best, and
on average also by the mean of a label's phrases; and what a guess would get. Photos are every eighth of photos-1k, spoilt by
made_pictures.py, which also draws the documents and windows; clip art is Debian's openclipart, clothes its Fashion-MNIST,
where SEESAY_DATA has them. Scenes are Flickr8k's val photos whose captions agree on one.

Goal: the default templates, and the mean of several names, are within a point of the best choice on average over the sets.
"""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import made_pictures
import numpy as np
import pictures
from benchmark import Goal, Result, Table, run
from PIL import Image

import seesay
from seesay.evaluation.datasets import read_captions, read_labels
from seesay.evaluation.features import picture_features, text_features
from seesay.library.search.background import neutral_phrases, read_or_encode_phrases
from seesay.model import Model
from seesay.models.logits import Logits
from seesay.models.vectors import normalize
from seesay.tasks.calibration import expected_calibration_error, fitted_scale, fitted_thresholds
from seesay.tasks.clips import mean_frame
from seesay.tasks.label_sets import PLAIN, label_set
from seesay.tasks.labels import Label, as_labels, split_label
from seesay.tasks.prompts import Templates, template_set
from seesay.tasks.zero_shot import Classifier, Names, label_prompts, none_of_these

HERE = Path(__file__).parent
DRAWS = 10
FEW = (20, 100, 400)  # labelled pictures
CLIP = 8  # frames
MOST_CLASSES = {"photo": 500, "imagenet": 100}  # more would be up to 80,000 texts
NOUNS = [
    "dog",
    "man",
    "woman",
    "boy",
    "girl",
    "child",
    "grass",
    "water",
    "snow",
    "ball",
    "beach",
    "street",
    "bike",
    "rock",
    "mountain",
    "field",
    "tree",
    "car",
    "bench",
    "pool",
    "sand",
    "hat",
    "shirt",
    "building",
]
# What captions say where they show a scene of the ready set, in its order.
SCENES = (
    "beach|seashore",
    r"lake|river|ocean|sea|waves?|surf\w*",
    "mountains?|cliff|rocks?|rocky",
    "forest|woods|wooded",
    "grass|grassy|field|meadow|lawn",
    "desert|dunes?",
    r"snow|snowy|ski\w*|snowboard\w*",
    "garden|park",
    "street|sidewalk|road|crosswalk",
    "buildings?|city|skyline",
    "living room|bedroom|couch|sofa|bed|indoors|carpet",
    "kitchen|dining|restaurant|cake|cooking",
    "shop|store|market|supermarket",
    "stadium|soccer|football|baseball|basketball|court|track",
    "pool",
    r"stage|concert|perform\w*",
)


@dataclass(frozen=True)
class Data:
    """vectors (N, D), labels (N,), names (C,). sets: of templates that suit it."""

    name: str
    vectors: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    sets: tuple[str, ...] = ("photo",)


class Bench:
    """The model, and what is encoded with it, from the cache where it can."""

    def __init__(self, data: Path, quick: bool) -> None:
        self.model: Model = seesay.load()
        self.data, self.quick = data, quick
        self.phrases = read_or_encode_phrases(self.model)

    def images(self, paths: Sequence[Path | str]) -> np.ndarray:
        return picture_features(self.model, paths).vectors

    def made(self, paths: Sequence[Path | str], make: Callable[[int, Path | str], Image.Image], variant: str) -> np.ndarray:
        return picture_features(self.model, paths, alter=make, variant=f"zero-shot {variant}").vectors

    def classifier(
        self, labels: Sequence[str | Sequence[str] | Label], templates: Templates = None, names: Names = "mean"
    ) -> Classifier:
        made = as_labels(labels)
        prompts = text_features(self.model, label_prompts(made, templates)).vectors
        return Classifier.of_prompts(made, prompts, self.model.logits, names)

    def labelled(
        self, name: str, table: str, column: str, names: Path | None = None, sets: tuple[str, ...] = ("photo",)
    ) -> Data:
        labels = read_labels(self.data / table, column=column, names=names)
        return Data(name, self.images(labels.images), labels.labels, labels.names, sets)


def measure(quick: bool) -> Result:
    result = Result()
    if (folder := pictures.data()) is None:
        result.notes.append("data are needed: SEESAY_DATA=folder with grocery, caltech101, cifar10, photos-1k, flickr8k")
        return result
    bench = Bench(folder, quick)
    sets = list(_sets(bench))
    for part in (_templates, _names, _none, _calibration, _multi, _clips, _ready):
        part(bench, sets, result)
    return result


def _sets(bench: Bench) -> Iterator[Data]:
    recipes = HERE.parent / "recipes" / "grocery"
    yield bench.labelled("grocery, 81 classes", "grocery/train.tsv", "fine", recipes / "fine.txt", ("food",))
    yield bench.labelled("grocery, 43 coarse classes", "grocery/train.tsv", "coarse", recipes / "coarse.txt", ("food",))
    yield bench.labelled("caltech101", "caltech101/labels.tsv", "label")
    yield bench.labelled("cifar10", "cifar10/labels.tsv", "label")
    for language in ("en", "zh"):
        yield bench.labelled(f"photos-1k, {language}", "photos-1k/labels.tsv", language)
    fashion = bench.data / "fashion-mnist"
    if fashion.is_dir():
        yield _fashion(bench, fashion)


def _fashion(bench: Bench, folder: Path, count: int = 1000) -> Data:
    """The first test pictures of Fashion-MNIST, white on black as they are."""
    file = folder / "t10k-images-idx3-ubyte.gz"
    pixels = np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    made = bench.made([file] * count, lambda number, _: Image.fromarray(pixels[number]).convert("RGB"), "fashion")
    names = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    return Data("Fashion-MNIST, 28 px", made, labels[:count].astype(np.int64), names, ("photo", "clothing"))


def _accuracy(classifier: Classifier, data: Data) -> float:
    return float((classifier.cosines(data.vectors).argmax(axis=1) == data.labels).mean())


def _templates(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    choices: dict[str, Templates] = {"name alone": "{}", "one prompt": {"en": ["a photo of a {}."], "zh": ["一张{}的照片。"]}}
    choices |= {name: template_set(name) for name in ("short", "photo", "food", "clothing", "imagenet")}
    rows: list[tuple[str, ...]] = []
    found: dict[tuple[str, str], float] = {}
    for data in sets:
        for name, templates in choices.items():
            suits = name not in ("food", "clothing") or name in data.sets
            if suits and len(data.names) <= MOST_CLASSES.get(name, 1000):
                found[data.name, name] = _accuracy(bench.classifier(data.names, templates), data)
        shares = [found.get((data.name, name)) for name in choices]
        rows.append((data.name, str(len(data.vectors)), *("" if share is None else f"{share:.1%}" for share in shares)))
    common = [data.name for data in sets if (data.name, "photo") in found]
    means = {
        name: float(np.mean([found[data, name] for data in common])) for name in ("name alone", "one prompt", "short", "photo")
    }
    rows.append(("mean, without photos-1k", "", *(f"{means[name]:.1%}" if name in means else "" for name in choices)))
    result.tables.append(Table("Accuracy by templates", ("pictures", "number", *choices), rows))
    result.figures["templates"] = {f"{data}: {name}": round(value, 4) for (data, name), value in found.items()}
    result.goals.append(
        Goal("templates: points lost by the default to the best", 100 * (max(means.values()) - means["short"]), 1)
    )


def _names(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    by_name = {data.name: data for data in sets}
    rows: list[tuple[str, ...]] = []
    best: list[tuple[float, float]] = []
    for name, file in (("grocery, 43 coarse classes", "grocery.txt"), ("cifar10", "cifar10.txt")):
        lines = (HERE / "synonyms" / file).read_text(encoding="utf-8").splitlines()
        labels = [split_label(line) for line in lines if not line.startswith("#")]
        order = {label.name: label for label in labels}
        english = [Label(each, tuple(n for n in order[each].names if n.isascii())) for each in by_name[name].names]
        both = [order[each] for each in by_name[name].names]
        for what, some in (("English", english), ("English and Chinese", both)):
            rows.append(_name_row(bench, by_name[name], what, some, best))
    rows.append(_translated_row(bench, by_name["photos-1k, en"], by_name["photos-1k, zh"], best))
    result.tables.append(
        Table("Accuracy with several names a class", ("pictures", "names", "first alone", "mean", "max"), rows)
    )
    mean, highest = np.mean(best, axis=0)
    result.goals.append(Goal("names: points lost by the mean to the best", float(100 * (max(mean, highest) - mean)), 1))


def _name_row(bench: Bench, data: Data, what: str, labels: Sequence[Label], best: list[tuple[float, float]]) -> tuple[str, ...]:
    scores = [_accuracy(bench.classifier(data.names), data)]
    scores += [_accuracy(bench.classifier(labels, names=names), data) for names in ("mean", "max")]
    best.append((scores[1], scores[2]))
    return data.name, what, *(f"{score:.1%}" for score in scores)


def _translated_row(bench: Bench, data: Data, chinese: Data, best: list[tuple[float, float]]) -> tuple[str, ...]:
    """photos-1k by both of its names, from the vectors that the templates were measured with."""
    english, other = bench.classifier(data.names), bench.classifier(chinese.names)
    number = dict(zip(data.labels.tolist(), chinese.labels.tolist(), strict=True))
    pairs = np.stack([english.vectors, other.vectors[[number[i] for i in range(len(data.names))]]], axis=1)  # (C, 2, D)
    mean = replace(english, vectors=normalize(pairs.sum(axis=1)))
    highest = replace(english, vectors=pairs.reshape(-1, pairs.shape[-1]), counts=(2,) * len(pairs))
    scores = [_accuracy(each, data) for each in (english, mean, highest)]
    best.append((scores[1], scores[2]))
    return data.name, "English and Chinese", *(f"{score:.1%}" for score in scores)


def _none(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    rows: list[tuple[str, ...]] = []
    for data in sets:
        classifier = bench.classifier(data.names)
        cosines, rest = classifier.cosines(data.vectors), none_of_these(data.vectors, bench.phrases)
        draws = [_half(cosines, rest, data, bench.model.logits, seed) for seed in range(2 if bench.quick else DRAWS)]
        shares = np.mean(draws, axis=0)
        rows.append((data.name, *(f"{share:.1%}" for share in shares)))
        result.figures.setdefault("none", {})[data.name] = [round(float(share), 4) for share in shares]
    header = (
        "pictures",
        "right without it",
        "accepted",
        "accepted and right",
        "others rejected",
        "accepted at 50 %",
        "others rejected at 50 %",
    )
    result.tables.append(Table("None of these, half of the classes as labels", header, rows))


def _half(cosines: np.ndarray, rest: np.ndarray, data: Data, logits: Logits, seed: int) -> tuple[float, ...]:
    classes = len(data.names)
    present = np.sort(np.random.default_rng(seed).permutation(classes)[: classes // 2])
    inside = np.isin(data.labels, present)
    shares = logits.probabilities(np.column_stack([cosines[:, present], rest]))
    accepted = shares.argmax(axis=1) < len(present)
    sure = accepted & (shares.max(axis=1) >= 0.5)
    best = present[cosines[:, present].argmax(axis=1)] == data.labels
    return (
        best[inside].mean(),
        accepted[inside].mean(),
        (accepted & best)[inside].mean(),
        1 - accepted[~inside].mean(),
        sure[inside].mean(),
        1 - sure[~inside].mean(),
    )


def _calibration(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    rows: list[tuple[str, ...]] = []
    for data in sets:
        cosines = bench.classifier(data.names).cosines(data.vectors)
        for few in FEW:
            if few > len(data.vectors) / 2:
                continue
            draws = [
                _calibrated(cosines, data.labels, bench.model.logits, few, seed) for seed in range(2 if bench.quick else DRAWS)
            ]
            scale, before, after = np.mean(draws, axis=0)
            better = np.mean([end < start for _, start, end in draws])
            rows.append((data.name, str(few), f"{scale:.1f}", f"{before:.3f}", f"{after:.3f}", f"{better:.0%}"))
            result.figures.setdefault("calibration", {})[f"{data.name}: {few}"] = [
                round(float(before), 4),
                round(float(after), 4),
            ]
    header = ("pictures", "labelled", "scale", "error before", "error after", "draws that gain")
    result.tables.append(Table(f"Calibration error; the model's own scale is {bench.model.scale:.1f}", header, rows))


def _calibrated(cosines: np.ndarray, labels: np.ndarray, logits: Logits, few: int, seed: int) -> tuple[float, float, float]:
    order = np.random.default_rng(seed).permutation(len(labels))
    known, rest = order[:few], order[few:]
    scale = fitted_scale(cosines[known], labels[known])
    errors = [
        expected_calibration_error(Logits(float(np.log(each)), None, "softmax").probabilities(cosines[rest]), labels[rest])
        for each in (logits.scale, scale)
    ]
    return scale, errors[0], errors[1]


def _captions(bench: Bench) -> tuple[tuple[Path | str, ...], list[list[str]]]:
    captions = read_captions(bench.data / "flickr8k" / "captions.tsv", language="en", split="val")
    texts: list[list[str]] = [[] for _ in captions.images]
    for text, owner in zip(captions.texts, captions.owner, strict=True):
        texts[owner].append(text.lower())
    return captions.images, texts


def _multi(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    images, texts = _captions(bench)
    vectors = bench.images(images)
    truth = np.array([[any(re.search(rf"\b{noun}s?\b", text) for text in some) for noun in NOUNS] for some in texts])
    shares = bench.classifier(NOUNS).single_probabilities(vectors, none_of_these(vectors, bench.phrases))
    rows: list[tuple[str, ...]] = []
    for few in FEW:
        draws = []
        for seed in range(2 if bench.quick else DRAWS):
            order = np.random.default_rng(seed).permutation(len(images))
            known, rest = order[:few], order[few:]
            fitted = fitted_thresholds(shares[known], truth[known])
            draws.append((_f1(shares[rest] >= 0.5, truth[rest]), _f1(shares[rest] >= fitted, truth[rest])))
        fixed, chosen = np.mean(draws, axis=0)
        rows.append((str(few), f"{fixed:.3f}", f"{chosen:.3f}"))
        result.figures.setdefault("multi", {})[str(few)] = [round(float(fixed), 4), round(float(chosen), 4)]
    result.tables.append(
        Table(f"Several labels: macro F1 of {len(NOUNS)} nouns", ("labelled", "at 0.5", "at fitted thresholds"), rows)
    )


def _f1(passing: np.ndarray, truth: np.ndarray) -> float:
    hits = (passing & truth).sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(passing.sum(axis=0) + truth.sum(axis=0), 1)))


def _clips(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    data = next(each for each in sets if each.name == "caltech101")
    classifier = bench.classifier(data.names)
    groups = [np.flatnonzero(data.labels == label)[:CLIP] for label in range(len(data.names))]
    clips = np.stack([mean_frame(data.vectors[group]) for group in groups])
    frames = np.mean([classifier.cosines(data.vectors[group]).argmax(axis=1) == label for label, group in enumerate(groups)])
    right = float((classifier.cosines(clips).argmax(axis=1) == np.arange(len(groups))).mean())
    result.tables.append(
        Table(
            "Clips of eight pictures of one class",
            ("vector", "accuracy"),
            [("one frame", f"{frames:.1%}"), ("mean of the frames", f"{right:.1%}")],
        )
    )
    result.figures["clips"] = {"one_frame": round(float(frames), 4), "mean": round(right, 4)}


def _ready(bench: Bench, sets: Sequence[Data], result: Result) -> None:
    photos = list(read_labels(bench.data / "photos-1k" / "labels.tsv", column="en").images)[::8]
    words = [phrase.split()[-1] for phrase in neutral_phrases()]

    def spoilt(how: made_pictures.Spoil) -> np.ndarray:
        return bench.made(photos, lambda _, path: how(Image.open(path).convert("RGB")), how.__name__)

    def drawn(how: Callable[[int, list[str]], Image.Image]) -> np.ndarray:
        return bench.made(photos[:60], lambda number, _: how(number, words), how.__name__)

    plain = bench.images(photos)
    groups: dict[str, list[tuple[str, int, np.ndarray]]] = {
        "quality": [("photos", 0, plain)]
        + [
            (name, at, spoilt(how))
            for name, at, how in (
                ("slightly blurred", 1, made_pictures.slightly_blurred),
                ("blurred", 1, made_pictures.blurred),
                ("shaken", 1, made_pictures.shaken),
                ("at 15 % of the light", 2, made_pictures.dark),
                ("overexposed", 3, made_pictures.bright),
                ("noisy", 4, made_pictures.noisy),
            )
        ],
        "kind": [
            ("photos", 0, plain),
            ("drawn documents", 1, drawn(made_pictures.document)),
            ("drawn windows", 2, drawn(made_pictures.window)),
        ],
        "style": [
            ("photos", 0, plain),
            ("photos in grey", 1, spoilt(made_pictures.grey)),
            ("pixelated photos", 10, spoilt(made_pictures.pixelated)),
        ],
    }
    clip_art = sorted((bench.data / "openclipart").rglob("*.png"))
    if clip_art:
        some = [clip_art[i] for i in np.random.default_rng(0).permutation(len(clip_art))[:125]]
        vectors = bench.images(some)
        groups["kind"].append(("clip art", 3, vectors))
        groups["style"].append(("clip art", 8, vectors))
    groups["scene"] = _scenes(bench)
    chinese = {"quality": "画质", "kind": "类型", "scene": "场景", "style": "风格"}
    rows: list[tuple[str, ...]] = []
    for name, some in groups.items():
        languages = (name, chinese[name])
        both = [bench.classifier(label_set(each), PLAIN, "max") for each in languages]
        averaged = [bench.classifier(label_set(each), PLAIN, "mean") for each in languages]
        recalls = []
        for what, label, vectors in some:
            shares = [float((each.cosines(vectors).argmax(axis=1) == label).mean()) for each in (*both, *averaged)]
            recalls.append(shares)
            cells = (f"{share:.0%}" for share in shares[:2])
            rows.append((name, what, both[0].labels[label].name, str(len(vectors)), *cells, ""))
        mean = np.mean(recalls, axis=0).tolist()
        guess = f"{1 / len(both[0].labels):.0%}"
        rows.append((name, "mean", "", "", *(f"{share:.0%}" for share in mean[:2]), guess))
        rows.append((name, "mean, phrases averaged", "", "", *(f"{share:.0%}" for share in mean[2:]), guess))
        result.figures.setdefault("ready", {})[name] = [round(share, 4) for share in mean]
    result.tables.append(
        Table("Ready sets: right labels", ("set", "pictures", "label", "number", "English", "Chinese", "a guess"), rows)
    )


def _scenes(bench: Bench) -> list[tuple[str, int, np.ndarray]]:
    """Photos of which at least three captions name one scene, and at most one caption any other."""
    images, texts = _captions(bench)
    vectors = bench.images(images)
    counts = np.array(
        [[sum(bool(re.search(rf"\b(?:{scene})\b", text)) for text in some) for scene in SCENES] for some in texts]
    )
    clear = (counts.max(axis=1) >= 3) & ((counts >= 2).sum(axis=1) == 1)
    own = np.where(clear, counts.argmax(axis=1), -1)
    return [
        (SCENES[scene].split("|")[0], scene, vectors[own == scene]) for scene in range(len(SCENES)) if (own == scene).sum() >= 5
    ]


if __name__ == "__main__":
    run("zero_shot", __doc__ or "", measure)
