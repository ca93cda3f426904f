"""Training data: sources of samples, batches, and the inputs of the towers.

A new source of samples is a file here: a frozen dataclass with a `kind` of its own, `weight`, `listed`, `files` and
`open(root)`, and an entry in `SourceConfig`, by which recipes name it.
"""

from seesay.training.data.class_folder import ClassFolder
from seesay.training.data.class_table import ClassTable
from seesay.training.data.manifest import Manifest
from seesay.training.data.shards import Shards

SourceConfig = Manifest | ClassTable | ClassFolder | Shards
