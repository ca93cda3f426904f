"""Options for what a checkpoint does not say about itself."""

from typing import TYPE_CHECKING, Any

import click

from seesay.cli.options import record

if TYPE_CHECKING:
    from seesay.checkpoints.overrides import Overrides


def _overrides(**values: Any) -> "Overrides":
    from seesay.checkpoints.overrides import Overrides

    return Overrides(**values)


override_options = record(
    "overrides",
    _overrides,
    (
        click.option("--architecture", metavar="NAME", help="Its name in the catalogue (seesay models architectures)."),
        click.option("--activation", type=click.Choice(["gelu", "quick_gelu", "gelu_tanh"]), help="Of the towers."),
        click.option(
            "--preprocessing", type=click.Choice(["openai", "chinese-clip", "siglip"]), help="How pictures are prepared."
        ),
        click.option("--image-heads", type=int, metavar="N", help="Attention heads of the image tower."),
        click.option("--text-heads", type=int, metavar="N", help="Attention heads of the text tower."),
    ),
)
