"""Where a model lies: the bundled one, a folder or file, a training run, or a name that is fetched once."""

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


def locate(model: str | os.PathLike[str] | None) -> tuple[Path, "CatalogModel | None"]:
    """Where a model lies, and its entry where it was named by the catalogue.

    None is the bundled model; else the path of a folder, a training run or a file, a name in the catalogue, or OWNER/NAME for
    any repository on the hub (hf-hub:OWNER/NAME where the catalogue has that name too); what lies elsewhere is fetched once.
    Raises ModelError, DownloadError.
    """
    if model is None or model == "bundled":
        return BUNDLED, None
    path, name = Path(model).expanduser(), os.fspath(model)
    if path.exists():
        return _trained(path), None
    if name.startswith(HUB):
        return from_hub(name.removeprefix(HUB)), None
    from seesay.checkpoints.hub.catalog import fetch, find  # costs a cold start its data classes

    if (entry := find(name)) is not None:
        return fetch(entry, name), entry
    if isinstance(model, str) and REPOSITORY.fullmatch(name) and not name.endswith(FILES):
        try:
            return from_hub(name), None
        except DownloadError as error:
            raise DownloadError(f"{_missing(name)}; and as a repository on the hub: {error}") from None
    raise ModelError(f"{_missing(name)}. List the catalogue: seesay models list. A repository on the hub is OWNER/NAME")


def _missing(name: str) -> str:
    from seesay.checkpoints.hub.catalog import catalog

    names = ["bundled", *(known for m in catalog().models for known in (m.id, *m.aliases))]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" (near: {', '.join(near)})" if near else ""
    return f"no model {name!r}: it is neither in the catalogue{hint} nor an existing file or folder"


def from_hub(repo: str) -> Path:
    """The folder of a repository ("owner/name"). Raises DownloadError, and before weights are fetched CheckpointError for the
    families that are not read."""
    from seesay.checkpoints.formats.registry import refuse_unsupported
    from seesay.checkpoints.hub.download import hub_folder

    return hub_folder(repo, check=refuse_unsupported)


def _trained(path: Path) -> Path:
    """Of a training run's folder the model in it; any other path as it is. Raises ModelError where the run has none yet."""
    if not (path / "recipe.json").is_file() or (path / "config.json").exists():
        return path
    if not (path / "model" / "config.json").is_file():
        raise ModelError(
            f"{path} is a training run that has no model yet. seesay train RECIPE --resume goes on, --finish writes its "
            "model as it is"
        )
    return path / "model"
