"""Sorts pictures into folders by label: with links or copies, never moving a file and never writing over one."""

import errno
import filecmp
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from seesay.errors import InputError
from seesay.system.files import DRAFT
from seesay.system.paths import absolute, below, printable

Way = Literal["link", "copy"]
UNKNOWN = "unknown"  # the folder of pictures that no label fits
LONGEST_BYTES = 120  # of a folder's name
NO_PRIVILEGE = 1314  # of Windows, where making links is a right of its own
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # what Windows takes for devices


@dataclass(frozen=True)
class Placement:
    """A picture and its place in the folder of a label, None for unknown. there: a link to it or a copy of it is there already,
    so nothing is to be done."""

    source: str
    target: str
    label: str | None
    folder: str
    there: bool


def placements(
    labelled: Iterable[tuple[str, str | None]], labels: Sequence[str], into: str, roots: Iterable[str] = ()
) -> list[Placement]:
    """Where pictures go: into/LABEL/NAME, or into/unknown/NAME for those whose label is None. Changes nothing.

    labelled: paths with their label; a path may come with several. A name that another picture has gets a number. roots: the
    folders that the pictures come from; `into` may be none of them and in none of them. Raises InputError.
    """
    into = absolute(into)
    _check_place(into, roots)
    folders = _folders(labels)
    taken: dict[str, str] = {}
    made = []
    for path, label in labelled:
        source = absolute(path)
        folder = folders[label]
        for name in _numbered(os.path.basename(source)):
            target = os.path.join(into, folder, name)
            owner = taken.get(os.path.normcase(target))
            if owner == source:
                break
            there = os.path.lexists(target)
            if owner is None and (not there or _same(source, target)):
                taken[os.path.normcase(target)] = source
                made.append(Placement(source, target, label, folder, there))
                break
    return made


def stale_links(planned: Sequence[Placement], into: str) -> list[str]:
    """Links of earlier runs that this one would not make: in a folder below `into`, to one of its pictures, at another place.

    Copies are none: nothing tells them from files of the user's. Links to other pictures stay as well.
    """
    sources = {each.source for each in planned}
    targets = {os.path.normcase(each.target) for each in planned}
    stale = []
    with suppress(OSError):
        for folder in sorted(entry.path for entry in os.scandir(absolute(into)) if entry.is_dir(follow_symlinks=False)):
            links = [entry.path for entry in os.scandir(folder) if entry.is_symlink()]
            stale += [link for link in sorted(links) if os.path.normcase(link) not in targets and os.readlink(link) in sources]
    return stale


def remove_links(links: Iterable[str]) -> None:
    """Removes links, and the folders that are empty then. Raises InputError."""
    for link in links:
        try:
            os.unlink(link)
        except OSError as error:
            raise InputError(f"cannot remove {printable(link)}: {error.strerror or error}") from None
        with suppress(OSError):
            os.rmdir(os.path.dirname(link))


def make_folder(into: str) -> None:
    """Makes the folder to sort into, and checks that it can be written. Raises InputError."""
    try:
        os.makedirs(into, exist_ok=True)
        if not os.access(into, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(f"cannot write in {printable(into)}: {error.strerror or error}; choose another folder") from None


def place(placement: Placement, way: Way) -> None:
    """Makes the link or the copy, and the folders above it, unless it is there. Raises InputError where that fails."""
    if placement.there:
        return
    try:
        os.makedirs(os.path.dirname(placement.target), exist_ok=True)
        if way == "link":
            os.symlink(placement.source, placement.target)
        else:
            _copy(placement.source, placement.target)
    except OSError as error:
        reason = error.strerror or str(error)
        refused = error.errno == errno.EPERM or getattr(error, "winerror", None) == NO_PRIVILEGE
        advice = "; copies need no right to make links" if way == "link" and refused else ""
        raise InputError(f"cannot make {printable(placement.target)}: {reason}{advice}") from None


def _copy(source: str, target: str) -> None:
    """A copy that is whole or not there, and never in place of another file."""
    draft = f"{target}{DRAFT}{os.getpid()}"
    try:
        shutil.copy2(source, draft)
        try:
            os.link(draft, target)  # unlike a rename, it fails where the name is taken
        except OSError as error:
            if error.errno == errno.EEXIST:
                raise
            with open(target, "xb"):  # a file system without hard links
                os.replace(draft, target)
    finally:
        with suppress(OSError):
            os.unlink(draft)


def _check_place(into: str, roots: Iterable[str]) -> None:
    if os.path.lexists(into) and not os.path.isdir(into):
        raise InputError(f"{printable(into)} is a file, not a folder to sort into")
    real = os.path.realpath(into)
    for root in roots:
        if below(real, os.path.realpath(root)) is not None:
            raise InputError(
                f"{printable(into)} lies in {printable(root)}, whose pictures are sorted: the next run would sort the links, "
                "too. Choose a folder outside it"
            )


def _folders(labels: Sequence[str]) -> Mapping[str | None, str]:
    """A folder's name for each label, and for None. Names that differ in case only are numbered, as some disks need it."""
    used: set[str] = set()
    names: dict[str | None, str] = {}
    for label in (*labels, None):
        wanted = UNKNOWN if label is None else folder_name(label)
        names[label] = next(name for name in _numbered(wanted, suffix=False) if name.casefold() not in used)
        used.add(names[label].casefold())
    return names


def folder_name(label: str) -> str:
    """A label as the name of one folder on any system: without separators, control characters and names of devices."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]+', "-", label).strip(" .")
    name = name.encode("utf-8", "replace")[:LONGEST_BYTES].decode("utf-8", "ignore").strip(" .")
    return f"{name or 'label'}-" if RESERVED.fullmatch(name) else name or "label"


def _numbered(name: str, *, suffix: bool = True) -> Iterator[str]:
    """a.jpg, a-2.jpg, a-3.jpg, ..."""
    stem, end = os.path.splitext(name) if suffix else (name, "")
    yield name
    number = 2
    while True:
        yield f"{stem}-{number}{end}"
        number += 1


def _same(source: str, target: str) -> bool:
    """Whether a link or file is this picture already."""
    with suppress(OSError):
        return os.path.samefile(source, target) or filecmp.cmp(source, target, shallow=False)
    return False
