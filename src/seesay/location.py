"""Where a model lies: the bundled one, a folder or file, a training run, or a name that is fetched once."""

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.errors import ModelError

if TYPE_CHECKING:
    from seesay.catalog import CatalogModel

HUB = "hf-hub:"
BUNDLED = Path(__file__).parent / "bundled"


def locate(model: str | os.PathLike[str] | None) -> tuple[Path, "CatalogModel | None"]:
    """Where a model lies, and its entry where it was named by the catalogue.

    None is the bundled model; else the path of a folder, a training run or a file, a name in the catalogue, or
    hf-hub:OWNER/NAME for any repository on the hub; files from elsewhere are fetched once.
    Raises ModelError, DownloadError.
    """
    if model is None or model == "bundled":
        return BUNDLED, None
    path = Path(model).expanduser()
    if path.exists():
        return _trained(path), None
    if isinstance(model, str) and model.startswith(HUB):
        from seesay.download import hub_folder

        return hub_folder(model.removeprefix(HUB)), None
    from seesay.catalog import catalog, fetch, find  # costs a cold start its data classes

    entry = find(os.fspath(model))
    if entry is None:
        names = ["bundled", *(name for m in catalog().models for name in (m.id, *m.aliases))]
        near = difflib.get_close_matches(os.fspath(model), names, n=3, cutoff=0.5)
        hint = f" (near: {', '.join(near)})" if near else ""
        raise ModelError(
            f"no model {os.fspath(model)!r}: it is neither in the catalogue{hint} nor an existing file or folder. "
            "List the catalogue: seesay models list. A repository on the hub is hf-hub:OWNER/NAME"
        )
    return fetch(entry), entry


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
