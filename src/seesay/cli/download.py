"""`asked`: asks before a download of more than 1 GB, where there is somebody to ask."""

import math
import sys
from collections.abc import Callable
from gettext import gettext as _
from typing import TypeVar

import click

T = TypeVar("T")


def asked(call: Callable[[float], T], *, yes: bool = False) -> T:
    """`call(download_gb)`: within the usual limit and, where that is too little, without one if the user agrees.

    yes: without a limit at once. Raises LargeDownload where there is no terminal, Abort where the answer is no.
    """
    from seesay.checkpoints.hub.allowance import DOWNLOAD_GB
    from seesay.errors import LargeDownload

    try:
        return call(math.inf if yes else DOWNLOAD_GB)
    except LargeDownload as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        question = _("{name} is a download of {gigabytes:.1f} GB. Fetch it?").format(
            name=error.name, gigabytes=error.size_bytes / 1e9
        )
    click.confirm(question, abort=True, err=True)
    return call(math.inf)
