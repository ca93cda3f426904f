"""A source of samples from a table of images and labels; captions are templates filled with the class name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.evaluation.datasets import read_labels
from seesay.system.paths import is_url, printable
from seesay.tasks.prompts import TEMPLATES
from seesay.training.data.captions import check_weight
from seesay.training.data.class_folder import check_templates, class_captions
from seesay.training.data.listed_source import ListedConfig, ListedImage, ListedSource


@dataclass(frozen=True, kw_only=True)
class ClassTable(ListedConfig):
    """A TSV, CSV, JSON Lines or Parquet table with the columns image, `label_column` and, with `split`, split.

    An image's caption is one of the `templates`, drawn each epoch, with the class name for {}. names: a file as for
    `seesay eval zero-shot --names`; without it the labels are the names. weight: of this source in a mixture.
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

    def open(self, root: Path) -> ListedSource:
        """The source; paths are relative to `root`. Raises InputError, MissingExtra."""
        table = root / self.path
        labelled = read_labels(
            table,
            root / self.images if self.images else None,
            column=self.label_column,
            split=self.split,
            names=root / self.names if self.names else None,
        )
        captions = [class_captions(self.templates, name) for name in labelled.names]
        images = [
            ListedImage(
                str(image),
                str(image) if is_url(str(image)) else str(Path(image).absolute()),
                labelled.names[label],
                captions[label],
            )
            for image, label in zip(labelled.images, labelled.labels, strict=True)
        ]
        return ListedSource(printable(table), images, "draw")
