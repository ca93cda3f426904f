"""The torch towers that graphs of others do not have."""

from typing import NoReturn

from seesay.errors import MissingCapability
from seesay.models.families.foreign.config import ForeignImageConfig, ForeignTextConfig

WHY = (
    "this model's {tower} tower is a graph that others exported. ONNX Runtime runs it; it cannot be trained, run in torch or "
    "converted. For that, load the checkpoint that the graph was exported from"
)


def ForeignImage(config: ForeignImageConfig, dim: int) -> NoReturn:  # noqa: N802  # stands where families have a class
    """Raises MissingCapability."""
    raise MissingCapability(WHY.format(tower="image"))


def ForeignText(config: ForeignTextConfig, dim: int) -> NoReturn:  # noqa: N802
    """Raises MissingCapability."""
    raise MissingCapability(WHY.format(tower="text"))
