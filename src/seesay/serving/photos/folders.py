"""`Folders`: names of folders for clients, from the indexed folder's own name downwards, never absolute paths."""

import os
from collections.abc import Iterable

from seesay.errors import InputError
from seesay.system.paths import below, join, printable


class Folders:
    """Folders below these roots, absolute paths of indexed folders and files. The second root of one name gets a number."""

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
        """The (folder, name) of a file for clients."""
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
        """The name of a root."""
        return next(name for name, path in self._paths.items() if path == root)

    def path(self, folder: str) -> str:
        """The absolute path of a folder by its name for clients. Does not read the disk. Raises InputError."""
        name, _, rest = folder.strip("/").partition("/")
        parts = rest.split("/") if rest else []
        if name not in self._paths or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise InputError(f"there is no folder {printable(folder[:200])!r} in the library")
        return join(self._paths[name], os.sep.join(parts)) if parts else self._paths[name]
