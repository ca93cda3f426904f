"""`seesay explain`: shows for which parts of a picture a text fits it."""

from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.drawing import check_drawing, write_drawing
from seesay.cli.options import json_option, model_option, open_model
from seesay.cli.output import echo_json, short

if TYPE_CHECKING:
    from seesay.tasks.explanation import Way


@click.command()
@click.argument("image", metavar="IMAGE", type=click.Path())
@click.argument("text", metavar="TEXT")
@click.option("-o", "--overlay", metavar="FILE", type=click.Path(), help="Draw the heat map over the picture.")
@click.option(
    "--way",
    type=click.Choice(["cells", "occlusion"]),
    default="cells",
    show_default=True,
    help="Cosines of the picture's cells, or what the score loses where a part is blurred, which takes longer.",
)
@model_option
@json_option
def explain(image: str, text: str, overlay: str | None, way: "Way", model: str | None, as_json: bool) -> int:
    """Show for which parts of a picture (file or URL) a text fits it, as a heat map."""
    from seesay.images.read import read
    from seesay.tasks.explanation import explain as explained

    if not text.strip():
        raise click.UsageError(_("TEXT is empty; write what the picture is to be explained by."))
    if overlay is None and not as_json:
        raise click.UsageError(_("Say where to draw the heat map, -o FILE, or ask for its numbers, --json."))
    check_drawing(overlay, image)
    picture = read(image).image
    found = explained(open_model(model), picture, text, way)
    if overlay is not None:
        from seesay.render.heat import draw_heat

        write_drawing(draw_heat(picture, found.heat), overlay)
    if as_json:
        heat = [[round(value, 5) for value in row] for row in found.heat.tolist()]
        size = [picture.width, picture.height]
        echo_json({"path": image, "text": text, "way": way, "size": size, "score": round(found.score, 6), "heat": heat})
    else:
        click.echo(_("{path}: cosine {score:.3f} with {text!r}").format(path=short(image), score=found.score, text=text))
    return 0
