"""The catalogue of published models: architectures, sources of weights, licences and published scores, by name.

`catalog.json` holds facts only, each with its source; a fact without a source is null. Its architectures are those that
OpenCLIP and Chinese-CLIP ship, under the names they have there; recipes/catalog collects them.
"""

import difflib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from seesay.errors import ModelError
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.fields import Activation
from seesay.system.schema import from_json, read_object
from seesay.tokenizers.spec import TokenizerSpec

FILE = Path(__file__).parent / "catalog.json"
CONVERSIONS = ("openai/clip-", "facebook/metaclip-")  # repositories with transformers' conversions of published weights


@dataclass(frozen=True)
class Architecture:
    """Two towers and their tokenizer. `vocabulary`: a packaged one, or "folder" for the tokenizer files beside the weights."""

    dim: int
    image: ImageConfig
    text: TextConfig
    vocabulary: Literal["clip", "open_clip", "chinese_clip", "folder"]
    tokenizer_spec: TokenizerSpec


@dataclass(frozen=True)
class Published:
    """Where weights are published: at `url`, else as `file` in `repo`. `sha256` is that file's; `cited`: who states this."""

    repo: str | None
    file: str | None
    url: str | None
    sha256: str | None
    revision: str | None
    cited: str


@dataclass(frozen=True)
class Cited:
    """A fact and the page that states it; None where there is none."""

    name: str | None
    source: str | None


@dataclass(frozen=True)
class PublishedScore:
    """A score as its authors published it; `value` is a fraction in 0..1."""

    task: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class CatalogModel:
    """One set of published weights. `activation` is the image tower's, and a CLIP text tower's."""

    id: str
    aliases: tuple[str, ...]
    family: Literal["openai", "open_clip", "chinese-clip", "transformers"]
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
        """The repository on the hub that an alias of this model names, or None. Case is ignored."""
        alias = next((alias for alias in self.aliases if alias.lower() == name.lower()), "")
        return alias if alias == self.source.repo or alias.startswith(CONVERSIONS) else None


@dataclass(frozen=True)
class Catalog:
    """The content of `catalog.json`."""

    architectures: dict[str, Architecture]
    models: tuple[CatalogModel, ...]


@cache
def catalog() -> Catalog:
    """The catalogue, read once."""
    return from_json(Catalog, read_object(FILE), str(FILE))


def find(name: str) -> CatalogModel | None:
    """The model of that id or alias, or None. Case is ignored."""
    lower = name.lower()
    for model in catalog().models:
        if lower in (model.id.lower(), *(alias.lower() for alias in model.aliases)):
            return model
    return None


def architecture(name: str, activation: Activation | None = None) -> Architecture:
    """The architecture of that name; `activation` replaces its towers' as far as they have one in common. Raises ModelError."""
    architectures = catalog().architectures
    if name not in architectures:
        near = difflib.get_close_matches(name, architectures, n=3)
        raise ModelError(
            f"no architecture {name!r}"
            + (f"; near: {', '.join(near)}" if near else "")
            + ". List them: seesay models architectures"
        )
    pair = architectures[name]
    if activation is None:
        return pair
    text = pair.text.overridden(activation=activation) if pair.text.follows_image_activation else pair.text
    return replace(pair, image=pair.image.overridden(activation=activation), text=text)
