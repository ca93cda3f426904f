"""Locates a model by name: the bundled one, a path, a training run, a name in the catalogue or a repository on the hub."""

import difflib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.checkpoints.hub.allowance import DOWNLOAD_GB, Allowance
from seesay.checkpoints.hub.repository_name import repository_name
from seesay.errors import DownloadError, ModelError

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.checkpoints.hub.source import Source

FILES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".onnx", ".json")  # which no repository's name ends with
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")  # the two files of a LoRA adapter, named as by peft
BUNDLED = Path(__file__).parents[2] / "bundled"


def locate(
    model: str | os.PathLike[str] | None, variant: str | None = None, *, download_gb: float = DOWNLOAD_GB
) -> tuple[Path, "CatalogModel | None"]:
    """A model's file or folder, and its catalogue entry where it is named by the catalogue.

    None is the bundled model; otherwise the path of a folder, a training run or a file, a name in the catalogue, or a
    repository on the hub: hf:OWNER/NAME[@REVISION][/FILE], or only OWNER/NAME where the catalogue has no such name. Remote
    files are fetched once, up to `download_gb` (10^9 bytes) of them. variant: of a repository of graphs that others exported.
    Raises ModelError, DownloadError; LargeDownload where it is more.
    """
    found, entry = find_source(model, variant)
    if isinstance(found, Path):
        return found, entry
    from seesay.checkpoints.hub.source import HUB, fetch

    name = os.fspath(model or "")
    try:
        return fetch(found, Allowance(name, download_gb)), entry
    except DownloadError as error:
        if entry is not None or name.startswith(HUB) or type(error) is not DownloadError:
            raise
        raise DownloadError(f"{_no_such_model(name)}; and as a repository on the hub: {error}") from None


def find_source(
    model: str | os.PathLike[str] | None, variant: str | None = None
) -> "tuple[Path | Source, CatalogModel | None]":
    """A model's path on this machine, or where its files are fetched from; and its catalogue entry. Raises ModelError."""
    if model is None or model == "bundled":
        return BUNDLED, None
    path, name = Path(model).expanduser(), os.fspath(model)
    if path.exists():
        return _run_model(path), None
    from seesay.checkpoints.hub.source import HUB, REPOSITORY, HubSource, catalog_source, hub_source

    if name.startswith(HUB):
        return replace(hub_source(name), variant=variant), None
    from seesay.checkpoints.hub.catalog import find  # its dataclasses would slow down a cold start

    if (entry := find(name)) is not None:
        return catalog_source(entry, name), entry
    if isinstance(model, str) and re.fullmatch(REPOSITORY, name) and not name.endswith(FILES):
        return HubSource(name, is_checked=True, variant=variant), None
    raise ModelError(
        f"{_no_such_model(name)}. List the catalogue: seesay models list. A repository on the hub is hf:OWNER/NAME"
    )


def known_as(path: Path) -> str:
    """What a checkpoint's file or folder is called: in a hub's cache hf:OWNER/NAME[/FILE], elsewhere by its own name."""
    for folder in (path, *path.parents):
        if repo := repository_name(folder):
            return "/".join([f"hf:{repo}", *path.relative_to(folder).parts])
    return path.stem if path.is_file() else path.resolve().name


def _no_such_model(name: str) -> str:
    from seesay.checkpoints.hub.catalog import catalog

    names = ["bundled", *(name for model in catalog().models for name in (model.id, *model.aliases))]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" (near: {', '.join(near)})" if near else ""
    return f"no model {name!r}: it is neither in the catalogue{hint} nor an existing file or folder"


def _run_model(path: Path) -> Path:
    """The model in a training run's folder; any other path unchanged. Raises ModelError where the run has no model yet, and for
    an adapter, which is none."""
    if (path / ADAPTER[0]).is_file() and not (path / "config.json").exists():
        raise ModelError(
            f"{path} is a LoRA adapter, no model; load it beside the model that it was trained on: "
            f"--model BASE --adapter {path}"
        )
    if not (path / "recipe.json").is_file() or (path / "config.json").exists():
        return path
    if not (path / "model" / "config.json").is_file():
        raise ModelError(
            f"{path} is a training run that has no model yet. seesay train RECIPE --resume goes on, --finish writes its "
            "model as it is"
        )
    return path / "model"
