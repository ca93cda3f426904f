"""What clients call folders: the indexed folder's own name and what is below it, never where it lies on this machine."""

import os
from collections.abc import Iterable

from seesay.errors import InputError
from seesay.system.paths import below, join, printable


class Folders:
    """roots: absolute paths of what is indexed. Of two with the same name, the second has a number."""

    def __init__(self, roots: Iterable[str]) -> None:
        self._paths: dict[str, str] = {}
        for root in sorted(roots):
            name = printable(os.path.basename(root)) or "/"
            number, shown = 1, name
            while shown in self._paths:
                number += 1
                shown = f"{name} ({number})"
            self._paths[shown] = root

    def shown(self, path: str) -> tuple[str, str]:
        """(folder, name) of a file as clients know it."""
        for name, root in self._paths.items():
            inside = below(path, root)
            if inside is None:
                continue
            if not inside:  # the root is the file itself
                return "", name
            folder, _, file = inside.replace(os.sep, "/").rpartition("/")
            return printable(f"{name}/{folder}" if folder else name), printable(file)
        return "", printable(os.path.basename(path))

    def name(self, root: str) -> str:
        return next(name for name, known in self._paths.items() if known == root)

    def path(self, folder: str) -> str:
        """The absolute path of a folder that clients know. Nothing is looked up on the disk. Raises InputError."""
        name, _, rest = folder.strip("/").partition("/")
        parts = rest.split("/") if rest else []
        if name not in self._paths or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise InputError(f"there is no folder {printable(folder[:200])!r} in the library")
        return join(self._paths[name], os.sep.join(parts)) if parts else self._paths[name]
