"""`Allowance`: how much may be downloaded for a model without being asked for, and whether there is room for it."""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import DownloadError, LargeDownload

DOWNLOAD_GB = 1.0  # more is fetched only when that was said


@dataclass(frozen=True)
class Allowance:
    """The limit of one model's download. name: the model's, for messages; limit_gb: in 10^9 bytes."""

    name: str
    limit_gb: float = DOWNLOAD_GB

    def check(self, size_bytes: int, folder: Path) -> None:
        """Raises LargeDownload where so much was not allowed, DownloadError where `folder`'s disk has no room for it."""
        if size_bytes > self.limit_gb * 1e9:
            raise LargeDownload(
                f"{self.name} is a download of {size_bytes / 1e9:.1f} GB, and more than {self.limit_gb:g} GB is not fetched "
                f"unasked. Fetch it with: seesay models pull {self.name} --yes. In Python: "
                f"seesay.load({self.name!r}, download_gb={math.ceil(size_bytes / 1e9)})",
                name=self.name,
                size_bytes=size_bytes,
            )
        check_room(size_bytes, folder, self.name)


def check_room(size_bytes: int, folder: Path, name: str) -> None:
    """Raises DownloadError where the disk of `folder`, which need not exist yet, has less than so many bytes free."""
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
    try:
        free_bytes = shutil.disk_usage(there).free
    except OSError:  # some network file systems do not say
        return
    if size_bytes > free_bytes:
        raise DownloadError(
            f"{name} needs {_size(size_bytes)}, and {there} has {_size(free_bytes)} free. Make room there (seesay models list "
            "--local, seesay models remove), or set HF_HOME and SEESAY_CACHE to folders on another disk"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
