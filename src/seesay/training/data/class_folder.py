"""A folder with one subfolder of pictures per class as a source of samples."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.errors import InputError
from seesay.images.decoding.formats import is_read
from seesay.system.paths import printable
from seesay.system.tables import read_table
from seesay.tasks.prompts import TEMPLATES, filled
from seesay.training.data.listing import Entry, Listing
from seesay.training.data.texts import Text, Texts, check_weight, texts_to_draw


@dataclass(frozen=True, kw_only=True)
class ClassFolder:
    """A picture's text is one of the `templates`, drawn per pass, with the name of its class in the place of {}.

    The name of a class is its folder's, with spaces for underscores, unless the table `names` (columns `folder` and `name`)
    says it. weight: of this source in a mix.
    """

    path: str
    kind: Literal["folder"] = "folder"
    templates: tuple[str, ...] = TEMPLATES
    names: str | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_templates(self.templates)
        check_weight(self.weight)


def check_templates(templates: tuple[str, ...]) -> None:
    """Raises InputError."""
    if not templates:
        raise InputError("expected at least one template, got none")
    if bad := [template for template in templates if "{}" not in template]:
        raise InputError(f"expected templates with {{}} where the class goes, such as 'a photo of a {{}}.', got {bad[0]!r}")


def class_texts(templates: tuple[str, ...], name: str) -> Texts:
    texts = texts_to_draw([Text(prompt.strip()) for prompt in filled([name], templates)], {})
    assert texts
    return texts


def open_class_folder(config: ClassFolder, root: Path) -> Listing:
    """Paths are relative to `root`. Raises InputError."""
    folder = root / config.path
    shown = printable(folder)
    try:
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{shown}: expected a folder of classes, got: {error.strerror or error}") from None
    if not classes:
        raise InputError(f"{shown}: expected one subfolder of pictures per class, got none")
    names = _names(root / config.names, classes) if config.names else {name: name.replace("_", " ") for name in classes}
    entries = []
    for name in classes:
        label = names[name]
        texts = class_texts(config.templates, label)
        entries += [Entry(path, os.path.abspath(path), label, texts) for path in _pictures(folder / name)]
    if not entries:
        raise InputError(f"{shown}: expected pictures in its subfolders, got none in {len(classes)}")
    return Listing(shown, entries, "draw")


def _names(table: Path, classes: list[str]) -> dict[str, str]:
    names = {str(row["folder"]): str(row["name"]).strip() for row in read_table(table, ["folder", "name"])}
    if nameless := [name for name in classes if not names.get(name)]:
        others = f" and {len(nameless) - 1} more" if len(nameless) > 1 else ""
        raise InputError(f"{printable(table)}: expected a name for every class, got none for {nameless[0]}{others}")
    return names


def _pictures(folder: Path) -> Iterator[str]:
    """Below the folder at any depth, in order; hidden files and folders aside."""
    for place, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            if is_read(os.path.splitext(name)[1].lower()) and not name.startswith("."):
                yield os.path.join(place, name)
