"""Facts about models that several commands show: size, what a name is pinned to; and the JSON of a model."""

import os
from collections.abc import Mapping
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.model import Model


def folder_megabytes(model: "Model") -> float:
    """Size of a model's folder; 0 for a model without one."""
    files = model.folder.rglob("*") if model.folder else ()
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def has_card(model: "Model") -> bool:
    """True for a model whose folder has a card.json."""
    return model.folder is not None and (model.folder / "card.json").is_file()


def graph_files(model: "Model") -> list[str]:
    """The graphs that others exported and this model runs; empty for one that runs its own."""
    towers = [tower for tower in (model.config.image, model.config.text) if tower is not None]
    return list(dict.fromkeys(tower.exported.file for tower in towers if tower.exported is not None))


def echo_finds(finds: str, file: object) -> None:
    """Prints what a model was trained to find, and the command that it is for."""
    from seesay.models.tower_config import COMMANDS

    command = COMMANDS[finds]
    click.echo(_("finds          {finds}: seesay {command} --model {file}").format(finds=finds, command=command, file=file))


def echo_pin(pinned: Mapping[str, object] | None) -> None:
    """Prints what a name is pinned to on this machine, as `pin_of` gives it; nothing for a model that was not fetched."""
    if pinned is None:
        return
    if "commit" in pinned:
        click.echo(
            _("pinned: {repo}, revision {revision}, is commit {commit}").format(
                repo=pinned["repo"], revision=pinned["revision"], commit=pinned["commit"]
            )
        )
    files = pinned["files"]
    assert isinstance(files, dict)
    for name, digest in files.items():
        kind = {64: "sha256 ", 40: "git "}.get(len(digest or ""), "")  # hubs name small files by git's hash of them
        click.echo(f"  {name}: {kind}{digest or _('no hash known')}")


def catalog_json(model: "CatalogModel") -> dict[str, object]:
    """A published model as --json prints it. graphs: repositories of its ONNX graphs, which need no torch."""
    from seesay.checkpoints.hub.graphs import graphs_of
    from seesay.system.schema import to_json

    graphs = list(graphs_of(model))
    return {"name": model.id, "parameters": model.parameters, "graphs": graphs, **to_json(model)}


def model_json(model: "Model") -> dict[str, object]:
    """An opened model as --json prints it."""
    return {
        "name": model.name,
        "folder": os.fspath(model.folder) if model.folder else None,
        "megabytes": round(folder_megabytes(model), 1),
        "dim": model.dim,
        "space_id": model.space_id,
        "build_id": model.build_id,
        "graphs": graph_files(model),
        "languages": list(model.config.languages),
        "licence": model.config.licence,
        "image_px": model.config.image_spec and model.config.image_spec.size_px,
        "context_length": model.config.tokenizer_spec and model.config.tokenizer_spec.context_length,
        "logit_scale": None if model.config.logit_scale is None else round(model.scale, 4),
    }
