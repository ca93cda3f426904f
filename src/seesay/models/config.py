"""The configuration of a model: frozen dataclasses, written to and read from a model folder's `config.json`.

Activation, preprocessing and tokenizer always travel with the weights: losing one of them is the commonest silent error of
the field.
"""

import json
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from seesay.errors import InputError, ModelError
from seesay.images.spec import ImageSpec
from seesay.models.registry import ConfigClasses
from seesay.models.tower_config import ImageTowerConfig, TextTowerConfig
from seesay.system.schema import Bounded, Bounds, ByKind, from_json, read_object, to_json
from seesay.tokenizers.spec import TokenizerSpec

# Of any registered family; in JSON the field `kind` says which.
ImageConfig = Annotated[ImageTowerConfig, ByKind(partial(ConfigClasses, "image"))]
TextConfig = Annotated[TextTowerConfig, ByKind(partial(ConfigClasses, "text"))]


@dataclass(frozen=True)
class WeightSource:
    """The origin of weights. package: the publication, with its version."""

    name: str
    package: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class SearchSpec(Bounded):
    """How a library phrases a query for this model, and how it corrects the cosines of images that are near to every text.

    templates: phrasings of a short query by language, with {} in place of it. hub: the share of an image's mean cosine with its
    nearest neutral phrases that is subtracted from its cosine (CSLS, Conneau et al. 2018, subtracts a half). spread: the rest
    is divided by the deviation of its cosines with all neutral phrases to this power; 0 leaves it, 1 makes z-scores. Both are
    for short queries; for sentences only `sentence_hub` is subtracted. `library/search/background.py` has the formula.
    """

    templates: dict[str, tuple[str, ...]]
    hub: Annotated[float, Bounds(0, 1)] = 0.25
    spread: Annotated[float, Bounds(0, 1)] = 0.0
    sentence_hub: Annotated[float, Bounds(0, 1)] = 0.25


@dataclass(frozen=True)
class ModelConfig:
    """A whole model, or one tower of it with the other None.

    logit_scale: the logarithm of the scale of cosines, as CLIP checkpoints store it (see `models.logits`); None where nobody
    says it, as of most graphs that others exported.

    space_id: names the space: vectors may be compared exactly when it is equal. Conversions (precision, engine) keep it.
    precision: how the weights of each tower are stored. search: None where nobody measured what suits this model.
    """

    format_version: Literal[1]
    name: str
    dim: int
    image: ImageConfig | None
    text: TextConfig | None
    image_spec: ImageSpec | None
    tokenizer_spec: TokenizerSpec | None
    logit_scale: float | None
    logit_bias: float | None
    score: Literal["softmax", "sigmoid"]
    precision: dict[str, str]
    languages: tuple[str, ...]
    licence: str
    provenance: tuple[WeightSource, ...]
    space_id: str
    search: SearchSpec | None = None


def make_space_id(
    image: object,
    text: object,
    image_spec: ImageSpec | None,
    tokenizer_spec: TokenizerSpec | None,
    *,
    tokenizer: bytes,
    sources: str,
) -> str:
    """The identity of a space: 32 hex digits over the source weights' digest and the canonical spec.

    Computed once, when a model enters SeeSay, and kept by every conversion afterwards. Fields at their default are left out, so
    that a field added later changes no identity.
    """
    import hashlib  # OpenSSL, 2 ms that no search needs

    spec = {
        "image": _without_defaults(image),
        "text": _without_defaults(text),
        "image_spec": _without_defaults(image_spec),
        "tokenizer_spec": _without_defaults(tokenizer_spec),
        "tokenizer": hashlib.sha256(tokenizer).hexdigest(),
        "sources": sources,
    }
    canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _without_defaults(config: Any) -> dict[str, Any] | None:
    if config is None:
        return None
    return {f.name: to_json(getattr(config, f.name)) for f in fields(config) if getattr(config, f.name) != f.default}


def read_config(folder: Path) -> ModelConfig:
    """Reads the config.json of a model folder. Raises ModelError with every fault in it."""
    file = folder / "config.json"
    try:
        return from_json(ModelConfig, read_object(file), str(file))
    except InputError as error:
        raise ModelError(str(error)) from None


def is_model_folder(path: Path) -> bool:
    """True if this folder's config.json is SeeSay's; other libraries' have the same name."""
    return (path / "config.json").is_file() and "format_version" in read_object(path / "config.json")
