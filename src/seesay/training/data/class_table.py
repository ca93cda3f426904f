"""A table of pictures and labels as a source of samples: the texts are templates with the class's name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.evaluation.datasets import read_labels
from seesay.system.paths import is_url, printable
from seesay.tasks.prompts import TEMPLATES
from seesay.training.data.class_folder import check_templates, class_texts
from seesay.training.data.listing import Entry, Listing
from seesay.training.data.texts import check_weight


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """A TSV, CSV, JSON Lines or Parquet table with the columns image and `label_column`, and where it is said, split.

    A picture's text is one of the `templates`, drawn per pass, with the name of its class in the place of {}. names: a file as
    `seesay eval zero-shot --names` takes; without it the labels are the names. weight: of this source in a mix.
    """

    path: str
    kind: Literal["labels"] = "labels"
    images: str | None = None
    split: str | None = None
    label_column: str = "label"
    names: str | None = None
    templates: tuple[str, ...] = TEMPLATES
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_templates(self.templates)
        check_weight(self.weight)


def open_class_table(config: ClassTable, root: Path) -> Listing:
    """Paths are relative to `root`. Raises InputError, MissingExtra."""
    table = root / config.path
    found = read_labels(
        table,
        root / config.images if config.images else None,
        column=config.label_column,
        split=config.split,
        names=root / config.names if config.names else None,
    )
    texts = [class_texts(config.templates, name) for name in found.names]
    entries = [
        Entry(str(image), str(image) if is_url(str(image)) else str(Path(image).absolute()), found.names[label], texts[label])
        for image, label in zip(found.images, found.labels, strict=True)
    ]
    return Listing(printable(table), entries, "draw")
