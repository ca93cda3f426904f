"""`seesay explain`: shows for which parts of a picture a text fits it."""

from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.drawing import check_drawing, write_drawing
from seesay.cli.options import json_option, model_option, open_model
from seesay.cli.output import echo_json, echo_note, short
from seesay.cli.pictures import read_whole

if TYPE_CHECKING:
    from PIL import Image

    from seesay.model import Model
    from seesay.tasks.explanation import Way


@click.command()
@click.argument("image", metavar="IMAGE", type=click.Path())
@click.argument("text", metavar="TEXT")
@click.option("-o", "--overlay", metavar="FILE", type=click.Path(), help="Draw the heat map over the picture.")
@click.option(
    "--way",
    type=click.Choice(["cells", "occlusion", "legrad", "rollout"]),
    default="cells",
    show_default=True,
    help="cells: cosines of the picture's cells; occlusion: what the score loses where a part is blurred, which takes longer; "
    "legrad, rollout: the attention of a ViT (needs torch), rollout whatever the text.",
)
@model_option
@json_option
def explain(image: str, text: str, overlay: str | None, way: "Way", model: str | None, as_json: bool) -> int:
    """Show for which parts of one picture (file or URL) a text fits it, as a heat map."""
    from seesay.tasks.explanation import ATTENTION
    from seesay.tasks.explanation import explain as explained

    if not text.strip():
        raise click.UsageError(_("TEXT is empty; write what the picture is to be explained by."))
    if overlay is None and not as_json:
        raise click.UsageError(_("Say where to draw the heat map, -o FILE, or ask for its numbers, --json."))
    check_drawing(overlay, image)
    picture = read_whole(image)
    opened = open_model(model, engine="torch") if way in ATTENTION else open_model(model)
    found = explained(opened, picture, text, way)
    if overlay is not None:
        from seesay.render.heat import draw_heat

        write_drawing(draw_heat(picture, found.heat), overlay)
    if as_json:
        size = [picture.width, picture.height]
        echo_json({"path": image, "text": text, "way": way, "size": size, "score": round(found.score, 6), "heat": found.rows()})
    else:
        click.echo(_("{path}: cosine {score:.3f} with {text!r}").format(path=short(image), score=found.score, text=text))
    _note_misfit(opened, picture, text, found.score)
    return 0


def _note_misfit(model: "Model", picture: "Image.Image", text: str, score: float) -> None:
    """Says so where the text does not fit: the hottest part of the map is then only the least cold."""
    from seesay.library.search.background import read_or_encode_phrases
    from seesay.tasks.explanation import fits

    if not fits(score, read_or_encode_phrases(model) @ model.encode_image([picture])[0]):
        echo_note(_("{text!r} does not fit this picture; the map shows where it does so least badly").format(text=text))
