"""The image towers of timm that are read from OpenCLIP's checkpoints, in the order in which they are tried."""

from collections.abc import Collection
from typing import Any

from seesay.checkpoints.formats import eva_trunk, siglip_trunk, timm_trunk, unsupported
from seesay.checkpoints.formats.trunk import Trunk
from seesay.checkpoints.names import Table
from seesay.models.config import ImageConfig

TRUNKS: tuple[Trunk, ...] = (eva_trunk.TRUNK, siglip_trunk.TRUNK, timm_trunk.TRUNK)  # the last takes what no other does


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


def express(image: ImageConfig) -> tuple[dict[str, Any], Table] | None:
    """The vision_cfg of a tower and the rows of its tensors, where timm has it."""
    return next((found for each in TRUNKS if (found := each.express(image)) is not None), None)
