"""Names learned from a few pictures, beside zero-shot classification and a linear probe, and what they take for known.

    SEESAY_DATA=... python benchmarks/few_shot.py [--quick] [--json]

Grocery: 81 fine classes of supermarket products; pictures of train teach, all of val are asked for. Caltech101: of the 15
pictures of a class five are asked for, drawn anew each time, and of the others up to ten teach; 16 there are not. Five draws;
intervals are 95 % of the mean over draws (Student's t). Zero-shot: prompts with the class's name. Linear probe: logistic
regression on the same pictures, its regularisation chosen on a fifth of them. Tip-Adapter: the cache with texts (Zhang et al.
2022), with the paper's first values of alpha and beta, and with those that are best on training pictures which were not drawn.

Unknown things: half of the classes are taught, by four pictures each, and the other half is asked for, too. AUROC is the chance
that a picture of a taught class scores higher than one of another. Reached is the share of other pictures that get a name,
where `wanted` was chosen without them. The threshold of galleries of few names comes from everyday pictures (strangers.webp);
those are left out of all measurements here.

Goals: with four pictures a name the default method is at least 20 points better than zero-shot on Grocery, 15 on Caltech101; of
the pictures of things that were not taught at most 10 % get a name where 5 % are wanted.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run

import seesay
from recipes.strangers import caltech, grocery
from seesay.evaluation.datasets import Labels, read_labels
from seesay.evaluation.linear_probe import linear_probe
from seesay.evaluation.report import LinePlot
from seesay.library.strangers import stranger_vectors
from seesay.render.plots import draw_plot
from seesay.tasks.few_shot import Calibration, Gallery, calibration, identify, tip_adapter
from seesay.tasks.prompts import label_embeddings

PLOT = Path(__file__).parent.parent / "docs" / "images" / "few-shot.svg"
DRAWS = 5
STUDENT = 2.776  # 97.5 % of Student's t with four degrees of freedom
SHOTS = (1, 2, 4, 8, 16)
OPEN_SHOTS = 4
ASKED = 5  # pictures of a class of Caltech101 that are asked for
WANTED = (0.01, 0.05, 0.10)
SMALL = ((1, 1), (2, 3), (5, 3))  # names and pictures a name of small galleries
SMALL_DRAWS = 40
GRID = [(alpha, beta) for alpha in (1.0, 10.0, 100.0, 1000.0) for beta in (1.0, 5.5, 20.0, 50.0)]
DEFAULT = "prototype and nearest (default)"
LABELS = (
    "zero-shot",
    DEFAULT,
    "with words",
    "prototype",
    "nearest picture",
    "Tip-Adapter, paper's values",
    "Tip-Adapter, tuned",
)
PROBE = "linear probe"


@dataclass(frozen=True)
class Data:
    """One set. teach, ask: unit vectors and class numbers, the same arrays where draws split them. texts: (K, D)."""

    name: str
    teach: tuple[np.ndarray, np.ndarray]
    ask: tuple[np.ndarray, np.ndarray]
    texts: np.ndarray
    scale: float

    @property
    def split(self) -> bool:
        """Whether teaching and asked pictures are the same set, which each draw splits."""
        return self.teach[0] is self.ask[0]

    def draws(self, shots: int, draw: int) -> "Drawn":
        """A draw of `shots` pictures a class, or of all that a class has."""
        generator = np.random.default_rng(draw)
        (vectors, labels), (asked, truth) = self.teach, self.ask
        pool = np.arange(len(labels))
        if self.split:
            at = _drawn(labels, ASKED, generator)
            asked, truth = vectors[at], labels[at]
            pool = np.setdiff1d(pool, at)
        own = pool[_drawn(labels[pool], shots, generator)]
        rest = np.setdiff1d(pool, own)
        return Drawn(vectors[own], labels[own], asked, truth, vectors[rest], labels[rest])


class Drawn(NamedTuple):
    """Vectors and labels of the pictures that teach, of those that are asked for, and of the rest."""

    vectors: np.ndarray
    labels: np.ndarray
    asked: np.ndarray
    truth: np.ndarray
    rest: np.ndarray
    rest_labels: np.ndarray


def measure(quick: bool) -> Result:
    result = Result()
    folder = pictures.data()
    if folder is None:
        result.notes.append("Grocery and Caltech101 are needed: SEESAY_DATA=folder with both")
        return result
    model = seesay.load()
    sets = list(_sets(model, folder))
    strangers = stranger_vectors(model)
    lines: dict[str, tuple[list[float], list[float]]] = {}
    bands: dict[str, tuple[list[float], list[float]]] = {}
    for data in sets:
        _measure_shots(data, quick, result, lines, bands)
    for data in sets:
        _measure_open(data, quick, result)
    _measure_small(sets, strangers, quick, result)
    if not quick:
        plot = LinePlot("", lines, "pictures a name", "right", bands, log_x=True, percent=True, ticks=SHOTS)
        PLOT.write_text(draw_plot(plot).replace("<svg", '<svg style="background:white"', 1) + "\n", encoding="utf-8")
        result.notes.append("![Right by pictures a name, with 95 % intervals over draws](images/few-shot.svg)")
    return result


def _sets(model: seesay.Model, folder: Path) -> Iterator[Data]:
    names = Path(__file__).parent.parent / "recipes" / "grocery" / "fine.txt"
    sheet = {path.resolve() for path in (*caltech(folder), *grocery(folder))}
    tables = [folder / "grocery" / f"{part}.tsv" for part in ("train", "val")]
    train, val = (read_labels(table, column="fine", names=names) for table in tables)
    teach, ask = _embedded(model, train, sheet), _embedded(model, val, sheet)
    yield Data("Grocery", teach, ask, label_embeddings(model, val.names), model.scale)
    everything = read_labels(folder / "caltech101" / "labels.tsv")
    both = _embedded(model, everything, sheet)
    yield Data("Caltech101", both, both, label_embeddings(model, everything.names), model.scale)


def _embedded(model: seesay.Model, labelled: Labels, left_out: set[Path]) -> tuple[np.ndarray, np.ndarray]:
    kept = [number for number, image in enumerate(labelled.images) if Path(image).resolve() not in left_out]
    return model.encode_image([labelled.images[number] for number in kept]), labelled.labels[kept]


def _drawn(labels: np.ndarray, each: int, generator: np.random.Generator) -> np.ndarray:
    """The numbers of up to `each` random pictures of every class."""
    shuffled = generator.permutation(len(labels))
    return np.concatenate([shuffled[labels[shuffled] == label][:each] for label in np.unique(labels)])


def _gallery(drawn: Drawn, classes: int) -> Gallery:
    return Gallery(tuple(map(str, range(classes))), drawn.vectors, drawn.labels)


def _scores(data: Data, drawn: Drawn) -> dict[str, np.ndarray]:
    """Scores (M, K) of the asked pictures by method."""
    gallery = _gallery(drawn, len(data.texts))

    def cache(images: np.ndarray, alpha: float, beta: float) -> np.ndarray:
        return tip_adapter(gallery, images, data.texts, data.scale, alpha=alpha, beta=beta)

    best = max(GRID, key=lambda pair: _right(cache(drawn.rest, *pair), drawn.rest_labels)) if len(drawn.rest) else (100.0, 20.0)
    methods = (
        drawn.asked @ data.texts.T,
        gallery.scores(drawn.asked),
        replace(gallery, texts=data.texts).scores(drawn.asked),
        drawn.asked @ gallery.prototypes.T,
        gallery.nearest(drawn.asked),
        cache(drawn.asked, 1.0, 5.5),
        cache(drawn.asked, *best),
    )
    return dict(zip(LABELS, methods, strict=True))


def _right(scores: np.ndarray, truth: np.ndarray) -> float:
    return float((scores.argmax(axis=1) == truth).mean())


def _measure_shots(
    data: Data,
    quick: bool,
    result: Result,
    lines: dict[str, tuple[list[float], list[float]]],
    bands: dict[str, tuple[list[float], list[float]]],
) -> None:
    """Adds the accuracies by method and shots, and the lines of the plot."""
    shots = [min(count, 10) if data.split else count for count in SHOTS]
    table: dict[str, list[str]] = {name: [] for name in (*LABELS, PROBE)}
    means: dict[str, dict[int, float]] = {name: {} for name in table}
    for count in shots[:3] if quick else shots:
        reached: dict[str, list[float]] = {name: [] for name in table}
        for draw in range(2 if quick else DRAWS):
            drawn = data.draws(count, draw)
            for name, scores in _scores(data, drawn).items():
                reached[name].append(_right(scores, drawn.truth))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # scikit-learn wonders at one picture a class
                probe = linear_probe(
                    drawn.vectors, drawn.labels, drawn.asked, drawn.truth, list(map(str, range(len(data.texts))))
                )
            reached[PROBE].append(probe.score.top1)
        for name, values in reached.items():
            mean, half = float(np.mean(values)), STUDENT * float(np.std(values, ddof=1)) / len(values) ** 0.5
            means[name][count] = mean
            table[name].append(f"{mean:.1%} ± {100 * half:.1f}")
            if name in ("zero-shot", DEFAULT, PROBE):
                line = f"{data.name}: {name.removesuffix(' (default)')}"
                xs, ys = lines.setdefault(line, ([], []))
                low, high = bands.setdefault(line, ([], []))
                for values, value in ((xs, count), (ys, mean), (low, mean - half), (high, mean + half)):
                    values.append(value)
    result.tables.append(
        Table(
            f"{data.name}: right of {len(data.draws(1, 0).truth)} pictures, {len(data.texts)} names, by pictures a name",
            ("method", *map(str, shots[: len(table[DEFAULT])])),
            [(name, *values) for name, values in table.items()],
        )
    )
    better = 0.20 if data.name == "Grocery" else 0.15
    zero, four = means["zero-shot"][4], means[DEFAULT][4]
    result.goals.append(
        Goal(f"{data.name}: (zero-shot + {better:.0%}) / right with 4 pictures a name", (zero + better) / four, 1.0)
    )
    result.figures[data.name.lower()] = {name: {str(k): round(v, 4) for k, v in by.items()} for name, by in means.items()}


def _measure_open(data: Data, quick: bool, result: Result) -> None:
    """Half of the classes taught, the other half asked for, too."""
    classes = len(data.texts)
    rows: list[tuple[str, ...]] = []
    aurocs: list[float] = []
    reached: dict[float, list[tuple[float, float]]] = {wanted: [] for wanted in WANTED}
    for draw in range(2 if quick else DRAWS):
        known = np.sort(np.random.default_rng(100 + draw).permutation(classes)[: classes // 2])
        drawn = data.draws(OPEN_SHOTS, draw)
        gallery, asked, truth = _taught(drawn, known)
        scores = gallery.scores(asked)
        calibrated = calibration(gallery, drawn.vectors[:0])
        aurocs.append(_auroc(scores.max(axis=1)[truth >= 0], scores.max(axis=1)[truth < 0]))
        for wanted in WANTED:
            reached[wanted].append(_rates(gallery, asked, truth, calibrated, wanted))
    for wanted, rates in reached.items():
        accepted, right = np.mean(rates, axis=0)
        rows.append((f"{wanted:.0%}", f"{accepted:.1%}", f"{right:.1%}"))
        result.figures[f"{data.name.lower()}_open_{wanted:g}"] = {"reached": round(accepted, 4), "right": round(right, 4)}
    result.figures[f"{data.name.lower()}_auroc"] = round(float(np.mean(aurocs)), 4)
    others = classes - classes // 2
    title = f"{data.name}: {classes // 2} names of 4 pictures, {others} other classes; AUROC {np.mean(aurocs):.3f}"
    result.tables.append(Table(title, ("wanted", "reached", "taught ones named rightly"), rows))
    result.goals.append(
        Goal(f"{data.name}: share of unknown ones with a name, 5 % wanted", float(np.mean(reached[0.05], axis=0)[0]), 0.10)
    )


def _measure_small(sets: Sequence[Data], strangers: np.ndarray, quick: bool, result: Result) -> None:
    """Galleries of few names, whose threshold the everyday pictures set."""
    rows: list[tuple[str, ...]] = []
    for data in sets:
        vectors = np.concatenate([data.teach[0], data.ask[0]]) if not data.split else data.teach[0]
        labels = np.concatenate([data.teach[1], data.ask[1]]) if not data.split else data.teach[1]
        for names, shots in SMALL:
            rates: list[tuple[float, float, float]] = []
            for draw in range(4 if quick else SMALL_DRAWS):
                generator = np.random.default_rng(draw)
                known = np.sort(generator.permutation(len(data.texts))[:names])
                own = _drawn(labels, shots, generator)
                rest = np.setdiff1d(np.arange(len(labels)), own)
                drawn = Drawn(vectors[own], labels[own], vectors[rest], labels[rest], vectors[:0], labels[:0])
                gallery, asked, truth = _taught(drawn, known)
                other = next(each for each in sets if each is not data).ask[0]
                calibrated = calibration(gallery, strangers)
                accepted, right = _rates(gallery, asked, truth, calibrated, 0.05)
                far = float(np.mean(gallery.scores(other).max(axis=1) >= calibrated.threshold(0.05)))
                rates.append((accepted, far, right))
            near, far, right = np.mean(rates, axis=0)
            rows.append((data.name, str(names), str(shots), f"{near:.1%}", f"{far:.1%}", f"{right:.1%}"))
            result.figures[f"{data.name.lower()}_small_{names}x{shots}"] = {
                "same_set": round(near, 4),
                "other_set": round(far, 4),
                "right": round(right, 4),
            }
    header = ("set", "names", "pictures a name", "other classes with a name", "the other set's with a name", "named rightly")
    result.tables.append(Table(f"Galleries of few names, 5 % wanted, {SMALL_DRAWS} draws", header, rows))


def _taught(drawn: Drawn, known: np.ndarray) -> tuple[Gallery, np.ndarray, np.ndarray]:
    """A gallery of the known classes; the asked pictures, and their names' numbers, -1 for unknown ones."""
    numbers = np.full(max(drawn.labels.max(), drawn.truth.max()) + 1, -1)
    numbers[known] = np.arange(len(known))
    own = numbers[drawn.labels] >= 0
    gallery = Gallery(tuple(map(str, known)), drawn.vectors[own], numbers[drawn.labels[own]])
    return gallery, drawn.asked, numbers[drawn.truth]


def _rates(
    gallery: Gallery, asked: np.ndarray, truth: np.ndarray, calibrated: Calibration, wanted: float
) -> tuple[float, float]:
    """The share of unknown pictures that get a name, and of known ones that get theirs."""
    given = [each.name for each in identify(gallery, asked, calibrated, false_accepts=wanted, most=1)]
    right = [name == gallery.names[number] for name, number in zip(given, truth, strict=True) if number >= 0]
    accepted = [name is not None for name, number in zip(given, truth, strict=True) if number < 0]
    return float(np.mean(accepted)), float(np.mean(right))


def _auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    ranked = np.sort(unknown)
    below = np.searchsorted(ranked, known, "left") + np.searchsorted(ranked, known, "right")
    return float(below.mean() / 2 / len(unknown))


if __name__ == "__main__":
    run("few_shot", __doc__ or "", measure)
