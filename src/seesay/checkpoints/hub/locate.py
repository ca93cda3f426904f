"""Locates a model by name: the bundled one, a path, a training run, a name in the catalogue or a repository on the hub."""

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.errors import DownloadError, ModelError

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel

HUB = "hf-hub:"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # OWNER/NAME
FILES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".onnx", ".json")  # which no repository's name ends with
BUNDLED = Path(__file__).parents[2] / "bundled"


def locate(model: str | os.PathLike[str] | None, variant: str | None = None) -> tuple[Path, "CatalogModel | None"]:
    """A model's file or folder, and its catalogue entry where it is named by the catalogue.

    None is the bundled model; otherwise the path of a folder, a training run or a file, a name in the catalogue, or OWNER/NAME
    for any repository on the hub (hf-hub:OWNER/NAME where the catalogue has that name too). Remote files are fetched once.
    variant: of a repository of graphs that others exported. Raises ModelError, DownloadError.
    """
    if model is None or model == "bundled":
        return BUNDLED, None
    path, name = Path(model).expanduser(), os.fspath(model)
    if path.exists():
        return _run_model(path), None
    if name.startswith(HUB):
        return from_hub(name.removeprefix(HUB), variant), None
    from seesay.checkpoints.hub.catalog import find  # its dataclasses would slow down a cold start

    if (entry := find(name)) is not None:
        return fetch_weights(entry, name), entry
    if isinstance(model, str) and REPOSITORY.fullmatch(name) and not name.endswith(FILES):
        try:
            return from_hub(name, variant), None
        except DownloadError as error:
            raise DownloadError(f"{_no_such_model(name)}; and as a repository on the hub: {error}") from None
    raise ModelError(f"{_no_such_model(name)}. List the catalogue: seesay models list. A repository on the hub is OWNER/NAME")


def _no_such_model(name: str) -> str:
    from seesay.checkpoints.hub.catalog import catalog

    names = ["bundled", *(name for model in catalog().models for name in (model.id, *model.aliases))]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" (near: {', '.join(near)})" if near else ""
    return f"no model {name!r}: it is neither in the catalogue{hint} nor an existing file or folder"


def from_hub(repo: str, variant: str | None = None) -> Path:
    """The folder of a repository ("owner/name"), fetched once. variant: of graphs that others exported.

    Raises DownloadError, and CheckpointError before weights are fetched where its model family is not supported.
    """
    from seesay.checkpoints.formats.registry import refuse_unsupported
    from seesay.checkpoints.hub.repository import hub_folder

    return hub_folder(repo, check=refuse_unsupported, variant=variant)


def fetch_weights(entry: "CatalogModel", name: str) -> Path:
    """The file with an entry's weights, or its folder where files beside them are needed too. Fetched once.

    name: the one that the caller used. A repository's name stands for that repository, unless its authors' own file is cached
    already. Raises DownloadError.
    """
    from seesay.checkpoints.hub.repository import cached_names, hub_file, hub_folder
    from seesay.checkpoints.hub.url import cache_name, cached_file, url_file

    source = entry.source
    if source.url is not None:
        file = cache_name(source.url)
        if (repo := entry.repository(name)) is not None and not cached_file(file).is_file():
            return hub_folder(repo)
        return url_file(source.url, sha256=source.sha256, name=file)
    assert source.repo is not None
    if entry.family == "chinese-clip" and source.file is not None:  # the repository's other weights are a conversion
        cached = cached_names(source.repo)
        if source.file not in cached and any(name.endswith((".safetensors", ".bin")) for name in cached):
            return hub_folder(source.repo)
        return hub_file(source.repo, source.file, revision=source.revision, sha256=source.sha256)
    return hub_folder(source.repo, revision=source.revision)


def _run_model(path: Path) -> Path:
    """The model in a training run's folder; any other path unchanged. Raises ModelError where the run has no model yet."""
    if not (path / "recipe.json").is_file() or (path / "config.json").exists():
        return path
    if not (path / "model" / "config.json").is_file():
        raise ModelError(
            f"{path} is a training run that has no model yet. seesay train RECIPE --resume goes on, --finish writes its "
            "model as it is"
        )
    return path / "model"
