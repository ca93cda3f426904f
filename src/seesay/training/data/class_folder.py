"""A source of samples from a folder with one subfolder of images per class."""

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
from seesay.training.data.captions import Caption, WeightedCaptions, check_weight, weigh_captions
from seesay.training.data.listed_source import ListedConfig, ListedImage, ListedSource


@dataclass(frozen=True, kw_only=True)
class ClassFolder(ListedConfig):
    """Images labelled by their folder. A caption is one of the `templates`, drawn each epoch, with the class name for {}.

    The class name is the folder's, with spaces for underscores, or that in the table `names` (columns `folder` and `name`).
    weight: of this source in a mixture.
    """

    path: str
    kind: Literal["folder"] = "folder"
    templates: tuple[str, ...] = TEMPLATES
    names: str | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_templates(self.templates)
        check_weight(self.weight)

    def open(self, root: Path) -> ListedSource:
        """The source; paths are relative to `root`. Raises InputError."""
        folder = root / self.path
        pictures = pictures_by_class(folder)
        names = _names(root / self.names, [*pictures]) if self.names else {name: name.replace("_", " ") for name in pictures}
        images = []
        for name, paths in pictures.items():
            captions = class_captions(self.templates, names[name])
            images += [ListedImage(path, os.path.abspath(path), names[name], captions) for path in paths]
        return ListedSource(printable(folder), images, "draw")


def pictures_by_class(folder: Path) -> dict[str, list[str]]:
    """Names of the subfolders, in order, each with the paths of its pictures at any depth. Raises InputError."""
    shown = printable(folder)
    try:
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{shown}: expected a folder of classes, got: {error.strerror or error}") from None
    if not classes:
        raise InputError(f"{shown}: expected one subfolder of pictures per class, got none")
    pictures = {name: list(_image_files(folder / name)) for name in classes}
    if not any(pictures.values()):
        raise InputError(f"{shown}: expected pictures in its subfolders, got none in {len(classes)}")
    return pictures


def check_templates(templates: tuple[str, ...]) -> None:
    """Raises InputError if there is no template, or one without {}."""
    if not templates:
        raise InputError("expected at least one template, got none")
    if bad := [template for template in templates if "{}" not in template]:
        raise InputError(f"expected templates with {{}} where the class goes, such as 'a photo of a {{}}.', got {bad[0]!r}")


def class_captions(templates: tuple[str, ...], name: str) -> WeightedCaptions:
    """The templates filled with a class name, all equally likely."""
    captions = weigh_captions([Caption(prompt.strip()) for prompt in filled([name], templates)], {})
    assert captions
    return captions


def _names(table: Path, classes: list[str]) -> dict[str, str]:
    names = {str(row["folder"]): str(row["name"]).strip() for row in read_table(table, ["folder", "name"])}
    if nameless := [name for name in classes if not names.get(name)]:
        others = f" and {len(nameless) - 1} more" if len(nameless) > 1 else ""
        raise InputError(f"{printable(table)}: expected a name for every class, got none for {nameless[0]}{others}")
    return names


def _image_files(folder: Path) -> Iterator[str]:
    """Paths of images below the folder at any depth, in order, without hidden files and folders."""
    for directory, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            if is_read(os.path.splitext(name)[1].lower()) and not name.startswith("."):
                yield os.path.join(directory, name)
