"""`seesay segment`: says which of some labels each pixel of a picture shows."""

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from seesay.cli.drawing import check_drawing, write_drawing
from seesay.cli.labels import listed, required_labels
from seesay.cli.options import json_option, model_option, open_model, record
from seesay.cli.output import bar, echo_json, echo_wrote, refuse_input, short
from seesay.cli.pictures import read_whole
from seesay.errors import InputError
from seesay.system.paths import printable

if TYPE_CHECKING:
    from PIL import Image

    from seesay.models.segmenter import Segmentation

MASK = ".png"


class Options:
    """What the user says of how a picture is divided; None where nothing is said."""

    def __init__(self, background: str | None, threshold: float | None, overlay: str | None, mask: str | None) -> None:
        self.background = None if background is None else listed(background)
        self.threshold = threshold
        self.overlay = None if overlay is None else Path(overlay)
        self.mask = None if mask is None else Path(mask)

    def check(self, image: str) -> None:
        """Raises InputError for files that cannot hold what they are for, UsageError for the picture's own: before the work."""
        check_drawing(self.overlay, image)
        if self.mask is not None and self.mask.suffix.lower() != MASK:
            raise InputError(
                _("a mask holds exact numbers, which {file} cannot: expected a file that ends in .png").format(
                    file=printable(str(self.mask))
                )
            )
        refuse_input(self.mask, image)


@click.command()
@click.argument("image", metavar="IMAGE", type=click.Path())
@click.option("--labels", required=True, metavar="A,B,...", help="What the picture may show, separated by commas.")
@record(
    "options",
    Options,
    (
        click.option(
            "--background",
            metavar="A,B,...",
            help='What else may be there and gets no label. Default: everyday things; "" for none.',
        ),
        click.option(
            "--threshold",
            type=click.FloatRange(0, 1),
            metavar="NUMBER",
            help="Probability below which a pixel has no label. Default: 0; with a model that was trained for masks 0.5.",
        ),
        click.option("-o", "--overlay", metavar="FILE", type=click.Path(), help="Draw the labels over the picture."),
        click.option(
            "--mask",
            metavar="FILE",
            type=click.Path(),
            help="Write a mask (.png) of the picture's size: 0 for the first label and so on, 255 for none.",
        ),
    ),
)
@model_option
@json_option
def segment(image: str, labels: str, options: Options, model: str | None, as_json: bool) -> int:
    """Say which of some labels each part of one picture (file or URL) shows, without any training.

    Borders are rough: the model sees a coarse grid, and the picture's own edges give the rest. A model that was trained for
    masks (CLIPSeg) draws better ones.
    """
    from seesay.finders import segmenter_of

    names = required_labels(labels)
    options.check(image)
    picture = read_whole(image)
    segmenter = segmenter_of(open_model(model, encodes=False), background=options.background, threshold=options.threshold)
    found = segmenter.segment(picture, names)
    _write(options, picture, found)
    if as_json:
        echo_json(_json(image, found))
    else:
        _print(image, found)
    return 0


def _write(options: Options, picture: "Image.Image", found: "Segmentation") -> None:
    from PIL import Image

    from seesay.render.drawings import save
    from seesay.render.segments import draw_segments

    if options.mask is not None:
        save(Image.fromarray(found.mask), options.mask)
        echo_wrote(options.mask)
    if options.overlay is not None:
        drawn, unknown = draw_segments(picture, found)
        write_drawing(drawn, options.overlay, unknown)


def _json(path: str, found: "Segmentation") -> dict[str, object]:
    """The segments, those without a pixel left out."""
    from seesay.tasks.polygons import to_polygons
    from seesay.tasks.run_lengths import to_run_lengths

    segments = []
    for number, label in enumerate(found.labels):
        mask = found.mask == number
        if not mask.any():
            continue
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        segments.append(
            {
                "label": label,
                "value": number,
                "score": round(float(found.scores[number]), 6),
                "share": round(float(found.shares[number]), 6),
                "area": int(mask.sum()),
                "box": [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1],
                "run_lengths": to_run_lengths(mask),
                "polygons": to_polygons(mask),
            }
        )
    height, width = found.mask.shape
    none = round(found.none, 6)
    return {"path": path, "labels": list(found.labels), "size": [width, height], "segments": segments, "none": none}


def _print(path: str, found: "Segmentation") -> None:
    click.echo(click.style(short(path), bold=True))
    for number in np.argsort(-found.shares, kind="stable"):
        share = float(found.shares[number])
        click.echo(f"  {share:6.1%}  {bar(share, 30)}  {found.labels[number]}")
    click.echo(f"  {found.none:6.1%}  {bar(found.none, 30)}  " + _("none of them"))
