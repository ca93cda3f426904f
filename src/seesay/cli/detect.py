"""`seesay detect`: says where in a picture the things are that labels name, as boxes."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.drawing import check_drawing, write_drawing
from seesay.cli.labels import required_labels
from seesay.cli.options import json_option, model_option, open_model, record
from seesay.cli.output import (
    bar,
    echo_failures,
    echo_json,
    echo_note,
    echo_skipped,
    echo_wrote,
    failures_json,
    refuse_input,
    short,
)
from seesay.cli.pictures import Pictures, read_whole
from seesay.cli.progress import progress_bar
from seesay.errors import MissingCapability, UnreadableImage
from seesay.library.indexing.report import Failure
from seesay.system.files import write_atomically

if TYPE_CHECKING:
    from PIL import Image

    from seesay.models.detector import Detections, Detector, Selection


FEW = 2  # pictures, of which no progress is shown


@dataclass(frozen=True)
class Wanted:
    """Which boxes are shown, where the user says so; see `models.detector.Selection`."""

    threshold: float | None
    iou: float | None
    most: int | None

    def of(self, selection: "Selection") -> "Selection":
        """A detector's own selection with what the user wants instead. Raises InputError."""
        return replace(selection, **{name: value for name, value in vars(self).items() if value is not None})


@dataclass(frozen=True)
class Found:
    """A picture's boxes, best first. size: its width and height. picture: kept where it is the only one, and may be drawn."""

    path: str
    size: tuple[int, int]
    boxes: "Detections"
    picture: "Image.Image | None"

    def rows(self) -> Iterator[tuple[list[float], float, int]]:
        """Each box with its score and the index of its label."""
        return zip(self.boxes.boxes.tolist(), self.boxes.scores.tolist(), self.boxes.labels.tolist(), strict=True)


@dataclass(frozen=True)
class Search:
    """look: finds candidates in a picture. selection: which of them are shown, unless the user wants others. rough: the model
    was not trained for boxes."""

    look: "Callable[[Image.Image], Detections]"
    selection: "Selection"
    rough: bool = False


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER...", type=click.Path())
@click.option("--labels", metavar="A,B,...", help="What to look for, separated by commas.")
@click.option(
    "--like",
    metavar="IMAGE",
    type=click.Path(),
    help="Look for what this picture shows, cut out closely, in place of --labels; with a model that was trained for boxes.",
)
@record(
    "wanted",
    Wanted,
    (
        click.option(
            "--threshold", type=click.FloatRange(0, 1), metavar="NUMBER", help="Least score. Default: the detector's own."
        ),
        click.option(
            "--iou",
            type=click.FloatRange(0, 1),
            metavar="NUMBER",
            help="Of boxes of one label that overlap by more, the best stays.",
        ),
        click.option("-n", "most", type=click.IntRange(1), metavar="COUNT", help="Most boxes per picture."),
    ),
)
@click.option(
    "-o", "--overlay", metavar="FILE", type=click.Path(), help="Draw the boxes on the picture, of which there is one."
)
@click.option("--coco", metavar="FILE", type=click.Path(), help="Write all boxes as a JSON file in COCO's format.")
@model_option
@json_option
def detect(
    images: tuple[str, ...],
    labels: str | None,
    like: str | None,
    wanted: Wanted,
    overlay: str | None,
    coco: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Say where in each picture (file, URL or folder of them) the things are that labels name, as boxes in pixels.

    A model of pictures and texts classifies parts of the picture: it finds what is large and plain, and its boxes are rough. A
    detector (OWL-ViT, OWLv2) finds boxes that fit.
    """
    names = _names(labels, like)
    pictures = Pictures.given(images)
    paths = pictures.paths
    if overlay is not None and len(paths) > 1:
        raise click.UsageError(_("-o draws one picture, got {count}; run the command for each").format(count=len(paths)))
    inputs = paths if like is None else [*paths, like]
    check_drawing(overlay, *inputs)
    refuse_input(coco, *inputs)
    search = _search(_opened(model), names, like)
    found, failed = _detect(paths, search.look, wanted.of(search.selection))
    failed += pictures.failed
    if as_json:
        echo_json({"labels": names, "results": [_json(each, names) for each in found], "failed": failures_json(failed)})
    else:
        for each in found:
            _print(each, names)
        if search.rough and any(len(each.boxes) for each in found):
            echo_note(_("these boxes are rough: the model was never shown where things end (docs/tasks.md)"))
    echo_skipped(pictures.skipped)
    echo_failures(failed)
    if coco is not None:
        _write_coco(Path(coco), found, names)
    if overlay is not None and found:
        _draw(overlay, found[0], names)
    return 1 if failed else 0


def _opened(model: str | None) -> "Detector":
    """The detector that --model names; of a model of pictures and texts, one that looks through windows."""
    from seesay.finders import detector_of

    return detector_of(open_model(model, encodes=False))


def _names(labels: str | None, like: str | None) -> list[str]:
    """The labels, each once; of an example its file's name."""
    if (labels is None) == (like is None):
        raise click.UsageError(_('say what to look for, by words or by a picture: --labels "cat,dog,owl" or --like mug.jpg'))
    if like is not None:
        return [os.path.basename(like)]
    return required_labels(labels or "")


def _search(detector: "Detector", labels: list[str], like: str | None) -> Search:
    """What is done with each picture. Raises MissingCapability where the detector takes no example, UnreadableImage."""
    from seesay.models.detector import ExampleDetector

    if like is None:
        rough = not isinstance(detector, ExampleDetector)
        return Search(lambda picture: detector.detect(picture, labels), detector.selection, rough)
    if not isinstance(detector, ExampleDetector):
        raise MissingCapability(
            _("this model looks for words; --like needs one that was trained for boxes, such as hf:google/owlvit-base-patch32")
        )
    example = read_whole(like)
    return Search(lambda picture: detector.detect_like(picture, example), detector.example_selection)


def _detect(
    paths: Sequence[str], look: "Callable[[Image.Image], Detections]", selection: "Selection"
) -> tuple[list[Found], list[Failure]]:
    from seesay.tasks.detection import select

    found, failed = [], []
    with progress_bar(_("Looking for things"), quiet=len(paths) < FEW) as progress:
        for done, path in enumerate(paths, start=1):
            try:
                picture = read_whole(path)
                boxes = select(look(picture), selection)
                found.append(Found(path, picture.size, boxes, picture if len(paths) == 1 else None))
            except UnreadableImage as fault:
                failed.append(Failure(path, fault.reason))
            if progress is not None:
                progress(done, len(paths))
    return found, failed


def _json(found: Found, labels: list[str]) -> dict[str, object]:
    boxes = [
        {"label": labels[label], "score": round(score, 6), "box": [round(side, 1) for side in box]}
        for box, score, label in found.rows()
    ]
    return {"path": found.path, "boxes": boxes}


def _print(found: Found, labels: list[str]) -> None:
    click.echo(click.style(short(found.path), bold=True))
    for box, score, label in found.rows():
        place = " ".join(f"{side:.0f}" for side in box)
        click.echo(f"  {score:6.1%}  {bar(score, 30)}  {labels[label]}  {place}")
    if not len(found.boxes):
        click.echo("  " + _("none of them, above the threshold"))


def _write_coco(file: Path, found: list[Found], labels: list[str]) -> None:
    from seesay.tasks.coco import coco_document

    sizes = [each.size for each in found]
    document = coco_document([each.path for each in found], sizes, [each.boxes for each in found], labels)
    write_atomically(file, json.dumps(document, ensure_ascii=True, indent=1) + "\n")
    echo_wrote(file)


def _draw(file: str, found: Found, labels: list[str]) -> None:
    from seesay.render.boxes import draw_boxes

    assert found.picture is not None
    image, unknown = draw_boxes(found.picture, found.boxes, labels)
    write_drawing(image, file, unknown)
