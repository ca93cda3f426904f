"""The image towers of timm that are read from OpenCLIP's checkpoints, in the order in which they are tried."""

from collections.abc import Collection

from seesay.checkpoints.formats import timm_trunk, unsupported
from seesay.checkpoints.formats.trunk import Trunk
from seesay.checkpoints.names import Table

TRUNKS: tuple[Trunk, ...] = (timm_trunk.TRUNK,)  # the last takes what no other does


def trunk_by_model(name: str) -> Trunk | None:
    """The kind of tower that reads this `timm_model_name`, or None."""
    return next((each for each in TRUNKS if each.models(name)), None)


def has_trunk(names: Collection[str]) -> bool:
    """Whether the image tower with these tensor names is one of timm's."""
    return any(name.startswith("visual.trunk.") for name in names)


def trunk_table(names: Collection[str]) -> Table:
    """The rows of the kind of tower that has these names. Raises CheckpointError where none has."""
    for each in TRUNKS:
        if each.recognises(names):
            return each.table(names)
    raise unsupported.refusal("an OpenCLIP model with a timm image tower (ConvNeXt, MobileCLIP, ViTamin, ...)")
