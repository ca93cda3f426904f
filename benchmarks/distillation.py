"""A small student that learns from the bundled model's vectors, beside one that learns from the pairs alone.

    SEESAY_DATA=... python benchmarks/distillation.py [--quick] [--json] [--work FOLDER]

Data: Flickr8k, 6,000 photos with five English captions each; asked for val (1,000 photos, 5,000 captions), which is of the same
kind as what teacher and students learned from. Teacher: the bundled model. `seesay embed` writes its vectors of all photos and
of the training captions once. Students: a text tower of two layers beside the teacher's own picture tower
(recipes/flickr8k/distil-text.toml), and both towers small and from nothing (distil-both.toml: a ResNet of 64 pixels). Each is
trained with the same weights at the start, the same batches and the same number of steps: by contrast among the captions of a
batch, or by distillation (weight 5 on the vectors, 1 on the softmax over the batch); the text tower also by both added, and by
distillation with as many captions of Flickr30k in each step, of which there are no photos here, as a model's vectors need none.
Of each the best weights by val's R@1, of two or three validations, are measured, so all figures of students are a little too
good alike. Intervals are 95 % over photos.

Every finished row lies in the folder --work (by default out/distillation), and a killed run goes on where it was: call it
again. --quick trains for two epochs.

Goals: contrast alone reaches at most 95 % of what distillation, alone or with contrast, does on the same pairs in as many steps
(mean of both R@10). The text tower learns towards the picture tower that the teacher itself was trained with, so contrast has
much of the teacher already; and six epochs from nothing are few.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from benchmark import Goal, Result, Table, run
from rounds import interleave
from safetensors import safe_open

import seesay
from seesay.evaluation.datasets import Captions, read_captions
from seesay.evaluation.retrieval import recalls
from seesay.model import Model
from seesay.system.files import write_atomically
from seesay.training.recipe import Anchors, Loss, Recipe, read_recipe
from seesay.training.trainer import train

ROOT = Path(__file__).parent.parent
RECIPES = {"small text tower": "distil-text.toml", "both towers small": "distil-both.toml"}
MORE = "distillation with more captions"
LOSSES: dict[str, Callable[[Loss, Path], Loss]] = {
    "contrast": lambda loss, place: replace(loss, contrast_weight=1.0, distillation=None),
    "distillation": lambda loss, place: loss,
    "both": lambda loss, place: replace(loss, contrast_weight=1.0),
    MORE: lambda loss, place: replace(loss, anchors=(Anchors(str(place / "more.npz"), batch=250, weight=5.0),)),
}
KS = ("R@1", "R@5", "R@10")
WAYS = {"text_to_image": "text to image", "image_to_text": "image to text"}
TIMED = 32  # pictures, and texts


@dataclass(frozen=True)
class Row:
    """A model. recall, bounds: by way and k. seconds: of processors, for training. model: its folder; None for the teacher."""

    name: str
    recall: dict[str, dict[str, float]]
    bounds: dict[str, dict[str, list[float]]]
    steps: int = 0
    seconds: float = 0.0
    model: str | None = None

    @property
    def reached(self) -> float:
        return sum(self.recall[way]["R@10"] for way in WAYS) / 2


def measure(quick: bool, work: str | None) -> Result:
    result = Result()
    data = os.environ.get("SEESAY_DATA")
    if data is None:
        result.notes.append("Flickr8k is needed: SEESAY_DATA=folder with it")
        return result
    flickr = Path(data) / "flickr8k"
    place = (Path(work) if work else ROOT / "out" / ("distillation-quick" if quick else "distillation")).absolute()
    place.mkdir(parents=True, exist_ok=True)
    val = read_captions(flickr / "captions.tsv", language="en", split="val")
    texts = _table(_captions(flickr / "captions.tsv", split="train", lang="en"), place / "captions.tsv")
    more = _table(_captions(Path(data) / "captions-text" / "flickr30k.en.tsv")[::4], place / "more.tsv")
    files = [_embedded(flickr / "images", place / "pictures.parquet"), _embedded(texts, place / "texts.parquet")]
    _embedded(more, place / "more.npz")
    teacher = _kept(place / "teacher.json", partial(_measured, "teacher, the bundled model", seesay.load(), val))
    students = {
        (student, loss): _kept(
            place / student.replace(" ", "-") / f"{loss}.json", partial(_trained, student, loss, flickr, files, place, quick)
        )
        for student in RECIPES
        for loss in LOSSES
        if student == "small text tower" or loss in ("contrast", "distillation")
    }
    _report(teacher, students, val, result)
    return result


def _captions(table: Path, **only: str) -> list[str]:
    """The texts of a table's rows that have these values."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["text"] for row in rows if all(row[name] == value for name, value in only.items())]


def _table(texts: Sequence[str], file: Path) -> Path:
    """A table that `seesay embed` takes."""
    write_atomically(file, "\n".join(["text", *texts]) + "\n")
    return file


def _embedded(what: Path, file: Path) -> Path:
    if not file.exists():
        subprocess.run([sys.executable, "-m", "seesay", "embed", str(what), "-o", str(file)], check=True)
    return file


def _kept(file: Path, measured: Callable[[], Row]) -> Row:
    """A row that is measured once: a file has it."""
    if not file.is_file():
        write_atomically(file, json.dumps(asdict(measured()), indent=1))
    return Row(**json.loads(file.read_text(encoding="utf-8")))


def _measured(name: str, model: Model, val: Captions) -> Row:
    retrieval = recalls(model.encode_image(list(val.images)), model.encode_text(list(val.texts)), val.owner)
    ways = retrieval.directions
    bounds = {way: {k: list(map(float, bound)) for k, bound in direction.bounds.items()} for way, direction in ways.items()}
    return Row(name, {way: dict(direction.recall) for way, direction in ways.items()}, bounds)


def _trained(student: str, loss: str, flickr: Path, files: Sequence[Path], place: Path, quick: bool) -> Row:
    recipe = _recipe(student, flickr, files)
    folder = place / student.replace(" ", "-")
    recipe = replace(
        recipe, loss=LOSSES[loss](recipe.loss, place), out=str(folder / loss), epochs=2.0 if quick else recipe.epochs
    )
    made = next((other / "features" for other in folder.glob("*/") if (other / "features").is_dir()), None)
    if made is not None and not (folder / loss / "features").exists():  # of the tower that stays, the same for all
        shutil.copytree(made, folder / loss / "features")
    began = time.process_time()
    outcome = train(recipe, resume=True)
    seconds = time.process_time() - began
    assert outcome.best is not None
    recall = {way: outcome.best[way] for way in WAYS}
    return Row(f"{student}, {loss}", recall, outcome.best["bounds"], outcome.steps, seconds, str(outcome.model))


def _recipe(student: str, flickr: Path, files: Sequence[Path]) -> Recipe:
    named = ", ".join(json.dumps(str(file)) for file in files)
    sets = [f"root={json.dumps(str(flickr))}", f"loss.distillation.embeddings=[{named}]"]
    if "OMP_NUM_THREADS" in os.environ:
        sets.append(f"threads={os.environ['OMP_NUM_THREADS']}")
    return read_recipe(ROOT / "recipes" / "flickr8k" / RECIPES[student], sets)


def _report(teacher: Row, students: dict[tuple[str, str], Row], val: Captions, result: Result) -> None:
    header = ("", *(f"{way}, {k}" for way in WAYS.values() for k in KS), "steps", "CPU")
    rows = [teacher, *students.values()]
    result.tables.append(
        Table(
            "Recall on Flickr8k's val in %, with 95 % intervals",
            header,
            [
                (row.name, *_recalls(row), str(row.steps or ""), f"{row.seconds / 60:.0f} min" if row.steps else "")
                for row in rows
            ],
        )
    )
    result.tables.append(_sizes(students, val))
    for student in RECIPES:
        plain = students[student, "contrast"]
        best = max(
            (students[key] for key in ((student, "distillation"), (student, "both")) if key in students),
            key=lambda row: row.reached,
        )
        result.goals.append(Goal(f"mean R@10 of contrast / of {best.name}", plain.reached / best.reached, 0.95))
    result.figures["rows"] = [asdict(replace(row, model=None)) for row in rows]


def _recalls(row: Row) -> list[str]:
    cells = []
    for way in WAYS:
        for k in KS:
            low, high = (100 * bound for bound in row.bounds[way][k])
            cells.append(f"{100 * row.recall[way][k]:.1f} ({low:.1f}-{high:.1f})")
    return cells


def _sizes(students: dict[tuple[str, str], Row], val: Captions) -> Table:
    """Parameters, bytes, and the milliseconds of a picture and of a text, one at a time, in turns."""
    folders = {"teacher": Path(seesay.__file__).parent / "bundled"}
    folders |= {student: Path(str(students[student, "distillation"].model)) for student in RECIPES}
    models = {name: seesay.load("bundled" if name == "teacher" else folder, threads=1) for name, folder in folders.items()}
    times = {
        side: interleave({name: partial(encode, model) for name, model in models.items()}, 5)
        for side, encode in (
            ("image", partial(_encode_images, val.images[:TIMED])),
            ("text", partial(_encode_texts, val.texts[:TIMED])),
        )
    }
    rows = []
    for name, folder in folders.items():
        weights = {side: _weights(folder, side) for side in times}
        cells = [
            cell
            for side in ("image", "text")
            for cell in (
                f"{weights[side][0] / 1e6:.1f} M",
                f"{weights[side][1]:.1f} MB",
                f"{1000 * times[side][name].median / TIMED:.1f} ms",
            )
        ]
        rows.append((f"{name} ({'int8' if name == 'teacher' else 'float32'})", *cells))
    sides = [f"{side}: {what}" for side in ("picture tower", "text tower") for what in ("parameters", "size", "time for one")]
    return Table("Size, and time for one picture (decoded from its file) or one caption", ("", *sides), rows)


def _encode_images(pictures: Sequence[Path | str], model: Model) -> None:
    for picture in pictures:
        model.encode_image(picture)


def _encode_texts(texts: Sequence[str], model: Model) -> None:
    for text in texts:
        model.encode_text(text)


def _weights(folder: Path, side: str) -> tuple[int, float]:
    """The numbers of a tower, and their megabytes."""
    file = folder / "model.safetensors"
    if not file.exists():  # the bundled model's are in its graphs
        graph = onnx.load(str(folder / f"{side}.onnx")).graph
        return sum(int(np.prod(tensor.dims)) for tensor in graph.initializer), (folder / f"{side}.onnx").stat().st_size / 1e6
    with safe_open(file, "numpy") as weights:
        numbers = sum(weights.get_tensor(name).size for name in weights.keys() if name.startswith(f"{side}."))  # noqa: SIM118
    return numbers, 4 * numbers / 1e6


if __name__ == "__main__":
    run("Distillation", __doc__, measure, paths={"work": "folder of finished rows, where a killed run goes on"})
