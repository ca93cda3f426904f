"""Facts about models that several commands show: size, languages, headline scores; and the JSON of a model."""

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.model import Model

HEADLINES = {"en": ("ImageNet-1k zero-shot",), "zh": ("ImageNet-CN zero-shot", "MUGE text to image")}


class Headline(NamedTuple):
    """The published score that represents a model: of a task, from 0 to 1."""

    task: str
    value: float


def headline(model: "CatalogModel", language: str) -> Headline | None:
    """The score of the language's own task, or else of the English one; None if neither was published."""
    for task in (*HEADLINES.get(language, ()), *HEADLINES["en"]):
        for score in model.scores:
            if score.task == task:
                return Headline(score.task, score.value)
    return None


def speaks(model: "CatalogModel", language: str) -> bool:
    """True for a model of this language, or of many."""
    return language in model.languages or "multilingual" in model.languages


def parameter_count(model: "CatalogModel") -> int:
    """Parameters of both towers of a published model, from its architecture."""
    from seesay.checkpoints.hub.catalog import architecture
    from seesay.models.size import parameters

    towers = architecture(model.architecture)
    return parameters(towers.image, towers.dim) + parameters(towers.text, towers.dim)


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


def catalog_json(model: "CatalogModel") -> dict[str, object]:
    """A published model as --json prints it. graphs: repositories of its ONNX graphs, which need no torch."""
    from seesay.checkpoints.hub.graphs import graphs_of
    from seesay.system.schema import to_json

    graphs = list(graphs_of(model))
    return {"name": model.id, "parameters": parameter_count(model), "graphs": graphs, **to_json(model)}


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
