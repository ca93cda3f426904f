"""Where a model's files are: in a repository on a hub, or at a URL (`find_source`); and their download (`fetch`)."""

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.checkpoints.hub.allowance import Allowance
from seesay.errors import ModelError

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel

HUB = "hf:"
REPOSITORY = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"  # OWNER/NAME
HUB_NAME = re.compile(rf"hf:({REPOSITORY})(?:@(refs/(?:pr|convert)/[\w.-]+|[^/@]+))?(?:/([^@]+))?")


@dataclass(frozen=True)
class HubSource:
    """A repository ("owner/name") on a hub. revision: default the main branch. file: the weights, where that has several.

    is_alone: nothing else of the repository is needed. sha256: of `file`, where it is known beforehand. is_checked: whether the
    files that describe it decide before its weights are fetched if they can be read. variant: of graphs that others exported.
    """

    repo: str
    revision: str | None = None
    file: str | None = None
    is_alone: bool = False
    sha256: str | None = None
    is_checked: bool = False
    variant: str | None = None


@dataclass(frozen=True)
class UrlSource:
    """A file at a URL, cached as `name`. sha256: where it is known beforehand."""

    url: str
    name: str
    sha256: str | None


Source = HubSource | UrlSource


def hub_source(name: str) -> HubSource:
    """The source that "hf:OWNER/NAME[@REVISION][/FILE]" names. Raises ModelError."""
    match = HUB_NAME.fullmatch(name)
    if match is None or ".." in name:
        raise ModelError(
            f"{name!r} is not a name on a hub; expected hf:OWNER/NAME, hf:OWNER/NAME@REVISION, or either with /FILE"
        )
    repo, revision, file = match.groups()
    return HubSource(repo, revision, file, is_checked=True)


def catalog_source(entry: "CatalogModel", name: str) -> Source:
    """The source of a catalogue entry's weights. name: the one that the caller used.

    A repository's name stands for that repository, unless its authors' own file is cached already.
    """
    from seesay.checkpoints.hub.url import cache_name, cached_file

    source = entry.source
    if source.url is not None:
        file = cache_name(source.url)
        if (repo := entry.repository(name)) is not None and not cached_file(file).is_file():
            return HubSource(repo)
        return UrlSource(source.url, file, source.sha256)
    assert source.repo is not None
    if entry.family == "chinese-clip" and source.file is not None:  # the repository's other weights are a conversion
        from seesay.checkpoints.hub.repository import cached_names

        cached = cached_names(source.repo)
        if source.file not in cached and any(name.endswith((".safetensors", ".bin")) for name in cached):
            return HubSource(source.repo)
        return HubSource(source.repo, source.revision, source.file, is_alone=True, sha256=source.sha256)
    return HubSource(source.repo, source.revision)


def fetch(source: Source, allowance: Allowance, *, update: bool = False) -> Path:
    """The weights' file, or its folder where files beside it are needed too. Fetched once; with `update`, as it is now.

    Raises DownloadError, and CheckpointError before weights are fetched where their model family is not supported.
    """
    if isinstance(source, UrlSource):
        from seesay.checkpoints.hub.url import url_file

        return url_file(source.url, sha256=source.sha256, name=source.name, update=update, allowance=allowance)
    from seesay.checkpoints.formats.registry import refuse_unsupported
    from seesay.checkpoints.hub.files import WEIGHTS
    from seesay.checkpoints.hub.repository import hub_file, hub_folder

    if source.is_alone:
        assert source.file is not None
        return hub_file(
            source.repo,
            source.file,
            revision=source.revision,
            sha256=source.sha256,
            update=update,
            allowance=allowance,
        )
    folder = hub_folder(
        source.repo,
        weights=WEIGHTS if source.file is None else (glob.escape(source.file),),
        revision=source.revision,
        check=refuse_unsupported if source.is_checked else None,
        variant=source.variant,
        update=update,
        allowance=allowance,
    )
    return folder if source.file is None else folder / source.file
