"""Published models by name: what they are, where their weights lie, their licence and their published scores.

`catalog.json` holds facts only, each with its source; what no source says is null. Its architectures are those that OpenCLIP
and Chinese-CLIP ship (recipes/catalog), under their names there.
"""

import difflib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from seesay.errors import ModelError
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.fields import Activation
from seesay.system.schema import from_json, read_object
from seesay.tokenizers.spec import TokenizerSpec

FILE = Path(__file__).parent / "catalog.json"
CONVERSIONS = ("openai/clip-", "facebook/metaclip-")  # of the same weights, by transformers


@dataclass(frozen=True)
class Architecture:
    """Two towers. `vocabulary`: one that comes with SeeSay, or "folder": the tokenizer files beside the weights."""

    dim: int
    image: ImageConfig
    text: TextConfig
    vocabulary: Literal["clip", "open_clip", "chinese_clip", "folder"]
    tokenizer_spec: TokenizerSpec


@dataclass(frozen=True)
class Published:
    """Where weights are published. `sha256` is of the file at `url` if there is one, else of `file` in `repo`."""

    repo: str | None
    file: str | None
    url: str | None
    sha256: str | None
    revision: str | None
    cited: str


@dataclass(frozen=True)
class Cited:
    """A fact and who states it; None where nobody does."""

    name: str | None
    source: str | None


@dataclass(frozen=True)
class PublishedScore:
    """`value` is a fraction in 0..1."""

    task: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class CatalogModel:
    """One set of published weights. `activation` is the image tower's, and a CLIP text tower's."""

    id: str
    aliases: tuple[str, ...]
    family: Literal["openai", "open_clip", "chinese-clip"]
    architecture: str
    activation: Activation
    preprocess: ImageSpec
    source: Published
    licence: Cited
    trained_on: str
    samples_seen: str | None
    languages: tuple[str, ...]
    scores: tuple[PublishedScore, ...]

    def repository(self, name: str) -> str | None:
        """The repository on the hub that is meant by one of this model's names; None for names that are none's."""
        theirs = next((alias for alias in self.aliases if alias.lower() == name.lower()), "")
        return theirs if theirs == self.source.repo or theirs.startswith(CONVERSIONS) else None


@dataclass(frozen=True)
class Catalog:
    architectures: dict[str, Architecture]
    models: tuple[CatalogModel, ...]


@cache
def catalog() -> Catalog:
    return from_json(Catalog, read_object(FILE), str(FILE))


def find(name: str) -> CatalogModel | None:
    """By id or alias, without regard to case."""
    wanted = name.lower()
    for model in catalog().models:
        if wanted in (model.id.lower(), *(alias.lower() for alias in model.aliases)):
            return model
    return None


def architecture(name: str, activation: Activation | None = None) -> Architecture:
    """By name; `activation` replaces that of its image tower and of a CLIP text tower. Raises ModelError."""
    known = catalog().architectures
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise ModelError(
            f"no architecture {name!r}"
            + (f"; near: {', '.join(near)}" if near else "")
            + ". List them: seesay models architectures"
        )
    found = known[name]
    if activation is None:
        return found
    towers: dict[str, Any] = {}
    for tower, kind in (("image", "vit"), ("text", "clip-text")):
        config = getattr(found, tower)
        if config.kind == kind:
            towers[tower] = replace(config, activation=activation)
    return replace(found, **towers)


def cached_as(url: str) -> str:
    """By which name the cache keeps the file of a URL."""
    return "-".join(url.split("/")[-2:])


def fetch(entry: CatalogModel, name: str | None = None) -> Path:
    """The weights' file, or their folder where what lies beside them is needed too. Cached. Raises DownloadError.

    name: by which it was asked for. A repository's stands for that repository, unless its authors' own file is here already.
    """
    from seesay.checkpoints.hub.download import cached_url, hub_file, hub_folder, hub_names_here, url_file

    source = entry.source
    if source.url is not None:
        file = cached_as(source.url)
        if (repo := entry.repository(name or entry.id)) is not None and not cached_url(file).is_file():
            return hub_folder(repo)
        return url_file(source.url, sha256=source.sha256, name=file)
    assert source.repo is not None
    if entry.family == "chinese-clip" and source.file is not None:  # the repository's other weights are a conversion
        here = hub_names_here(source.repo)
        if source.file not in here and any(name.endswith((".safetensors", ".bin")) for name in here):
            return hub_folder(source.repo)
        return hub_file(source.repo, source.file, revision=source.revision, sha256=source.sha256)
    return hub_folder(source.repo, revision=source.revision)
