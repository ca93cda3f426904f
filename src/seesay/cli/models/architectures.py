"""`seesay models architectures`: lists the architectures that weights without a configuration may have."""

from gettext import gettext as _

import click

from seesay.cli.options import json_option
from seesay.cli.output import echo_json


@click.command()
@json_option
def architectures(as_json: bool) -> int:
    """List the architectures that can be named for weights which come without a configuration."""
    from seesay.checkpoints.hub.catalog import catalog
    from seesay.system.schema import to_json

    by_name = catalog().architectures
    if as_json:
        echo_json({"architectures": {name: to_json(architecture) for name, architecture in by_name.items()}})
        return 0
    from seesay.models.size import parameters

    for name, architecture in by_name.items():
        image, text, dim = architecture.image, architecture.text, architecture.dim
        click.echo(
            _("{name:46} {px:4} px  {dim:5} dimensions  image {image} {image_m:.0f} M, text {text} {text_m:.0f} M").format(
                name=name,
                px=image.image_px,
                dim=dim,
                image=image.kind,
                image_m=parameters(image, dim) / 1e6,
                text=text.kind,
                text_m=parameters(text, dim) / 1e6,
            )
        )
    return 0
