"""Long-CLIP: OpenAI's CLIP with 248 text positions, kept in two tables (Zhang and others 2024)."""

from dataclasses import replace
from typing import TYPE_CHECKING

from seesay.checkpoints.containers.weights import Container, TensorInfo, Weights
from seesay.checkpoints.formats import openai
from seesay.checkpoints.formats.format import Format, has_any
from seesay.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FIRST, LATER = "positional_embedding", "positional_embedding_res"
KEPT = 20  # positions of OpenAI's model that stay as they were; the second table holds the others


class JoinedPositions:
    """A file whose first table of positions is the one that the tower adds: `KEPT` rows of its own, then the other's."""

    def __init__(self, container: Container, prefix: str) -> None:
        self.container, self.first, self.later = container, prefix + FIRST, prefix + LATER
        shapes = [container.entries[name].shape for name in (self.first, self.later)]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] <= KEPT:
            raise CheckpointError(f"{FIRST} and {LATER} should have one shape of more than {KEPT} rows, got {shapes}")
        self.entries: dict[str, TensorInfo] = {name: entry for name, entry in container.entries.items() if name != self.later}

    def read(self, name: str) -> "Tensor":
        """One tensor by its name in the file."""
        if name != self.first:
            return self.container.read(name)
        import torch

        return torch.cat([self.container.read(self.first)[:KEPT], self.container.read(self.later)[KEPT:]])


def _joined(weights: Weights) -> Weights:
    return replace(weights, container=JoinedPositions(weights.container, weights.prefix))


FORMAT = Format(
    name="long_clip",
    title="Long-CLIP",
    recognises=has_any(LATER),
    table=openai.FORMAT.table,
    rule=openai.FORMAT.rule,
    preprocessing="openai",
    layout=_joined,
)
