"""Repositories of graphs that others exported from the catalogue's models, and scales that authors publish for such models.

`graphs.json` holds facts only, each with its source.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seesay.checkpoints.hub.catalog import CatalogModel, catalog
from seesay.system.schema import from_json, read_object

FILE = Path(__file__).parent / "graphs.json"


@dataclass(frozen=True)
class GraphRepository:
    """A repository whose graphs were exported from a model of the catalogue. cited: who states this."""

    repo: str
    model: str
    cited: str


@dataclass(frozen=True)
class PublishedScale:
    """The factor of cosines that the authors of all models of a family use. cited: where."""

    family: str
    scale: float
    cited: str


@dataclass(frozen=True)
class Graphs:
    """The content of `graphs.json`."""

    repositories: tuple[GraphRepository, ...]
    scales: tuple[PublishedScale, ...]


@cache
def graphs() -> Graphs:
    """The list, read once."""
    return from_json(Graphs, read_object(FILE), str(FILE))


@cache
def graph_repositories() -> dict[str, CatalogModel]:
    """The catalogue's models by the names, in lower case, of repositories of their graphs."""
    models = {model.id: model for model in catalog().models}
    return {each.repo.lower(): models[each.model] for each in graphs().repositories}


def graphs_of(model: CatalogModel) -> tuple[str, ...]:
    """Repositories with graphs of a model, which need no torch."""
    return tuple(each.repo for each in graphs().repositories if each.model == model.id)


def published_scale(model: CatalogModel) -> float | None:
    """The factor of a model's cosines, where its authors publish one; None where nobody is known to."""
    return next((each.scale for each in graphs().scales if each.family == model.family), None)
