"""Prints what is kept on this machine: for `seesay models list --local` and `seesay models remove`."""

import os
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.output import echo_json, short

if TYPE_CHECKING:
    from seesay.checkpoints.hub.inventory import CacheEntry

SHOWN_DIGITS = 12  # of a commit


def echo_entries(entries: "list[CacheEntry]", as_json: bool, *, is_removal: bool = False) -> None:
    """Prints each with its size, and the sum."""
    megabytes = sum(entry.size_bytes for entry in entries) / 1e6
    if as_json:
        echo_json({"models": [_json(entry) for entry in entries], "megabytes": round(megabytes, 1)})
        return
    for entry in entries:
        where = short(os.fspath(entry.path))
        click.echo(f"{entry.names[0]:62} {entry.size_bytes / 1e6:8.1f} MB  {entry.kind:10}  {_pinned(entry)}{where}")
    click.echo(f"{_('removed') if is_removal else _('in all'):62} {megabytes:8.1f} MB")


def _json(entry: "CacheEntry") -> dict[str, object]:
    return {
        "name": entry.names[0],
        "kind": entry.kind,
        "path": os.fspath(entry.path),
        "megabytes": round(entry.size_bytes / 1e6, 1),
        "commits": entry.commits,
    }


def _pinned(entry: "CacheEntry") -> str:
    """The commits that a repository is pinned to."""
    return "".join(f"{revision[:SHOWN_DIGITS]} = {commit[:SHOWN_DIGITS]}  " for revision, commit in entry.commits.items())
