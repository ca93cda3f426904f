"""`Reading`: what a folder of graphs is, from its files and the graphs' headers, before anything is run."""

from collections.abc import Mapping
from dataclasses import dataclass

from seesay.checkpoints.graphs.header import GraphHeader
from seesay.checkpoints.graphs.layout import Layout, Statement
from seesay.checkpoints.graphs.layouts import LAYOUTS
from seesay.checkpoints.graphs.local import LocalGraphs
from seesay.checkpoints.graphs.signatures import find_signatures, read_headers
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from seesay.models.fields import Modality
from seesay.models.signature import Signature

TAKEN = ("variant", "scale", "bias", "preprocessing", "context_length", "name", "licence", "languages", "entry")


@dataclass(frozen=True)
class Reading:
    """A folder of graphs as read: its layout, what its files say, and how its graphs are called."""

    graphs: LocalGraphs
    layout: Layout
    headers: Mapping[Modality, GraphHeader]
    statement: Statement
    signatures: dict[Modality, Signature]


def read(graphs: LocalGraphs, overrides: Overrides) -> Reading:
    """Reads a folder of graphs. Raises CheckpointError with what is missing or contradicts itself."""
    refused = [name for name, value in vars(overrides).items() if value is not None and name not in TAKEN]
    if refused:
        raise CheckpointError(
            f"{graphs.folder} holds graphs, which compute as they were exported; leave out {', '.join(refused)}"
        )
    layout, headers = LAYOUTS[graphs.files.layout], read_headers(graphs.folder, graphs.files)
    statement = layout.describe(graphs.folder, graphs.files, headers, overrides)
    return Reading(graphs, layout, headers, statement, find_signatures(headers, graphs.files, layout, statement))
