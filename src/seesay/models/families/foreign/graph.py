"""The graph of a graph: it exists already, and is not written again."""

from typing import NoReturn

from seesay.errors import MissingCapability
from seesay.models.families.foreign.config import ForeignImageConfig, ForeignTextConfig
from seesay.models.graph_builder import GraphBuilder


def add_tower(g: GraphBuilder, config: ForeignImageConfig | ForeignTextConfig, dim: int) -> NoReturn:
    """Raises MissingCapability."""
    raise MissingCapability(f"{config.signature.file} is a graph that others exported; there is nothing to write it from")
