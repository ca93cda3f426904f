"""What a model is, as values: one frozen dataclass per part, written to and read from the model folder's `config.json`.

Activation, preprocessing and tokenizer always travel with the weights: losing one of them is the commonest silent error of
the field.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from seesay.errors import InputError, ModelError
from seesay.images.spec import ImageSpec
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.system.schema import Bounded, Bounds, from_json, read_object, to_json
from seesay.tokenizers.spec import TokenizerSpec

FORMAT_VERSION = 1


ImageConfig = VitConfig | ModifiedResNetConfig | EfficientNetLiteConfig
TextConfig = ClipTextConfig | BertConfig | CbowConfig


@dataclass(frozen=True)
class Source:
    """Where weights came from."""

    name: str
    package: str  # where it was published, with its version
    licence: str
    sha256: str


@dataclass(frozen=True)
class SearchSpec(Bounded):
    """How a library puts a query to this model, and what it takes off the cosines of pictures that are near to everything.

    templates: by language, the phrasings of a short query, with {} where it goes. hub: the share of what a picture has in
    common with its nearest neutral phrases that is taken off its cosine (CSLS, Conneau et al. 2018, takes a half). spread: the
    power of the deviation of its cosines with all phrases by which the rest is divided; 0 leaves it, 1 makes z-scores. Both
    are for short queries; of sentences only `sentence_hub` is taken off. `library/background.py` has the formula."""

    templates: dict[str, tuple[str, ...]]
    hub: Annotated[float, Bounds(0, 1)] = 0.25
    spread: Annotated[float, Bounds(0, 1)] = 0.0
    sentence_hub: Annotated[float, Bounds(0, 1)] = 0.25


@dataclass(frozen=True)
class ModelConfig:
    """A whole model, or one tower of it with the other None.

    `logit_scale` is stored as its logarithm, as CLIP checkpoints do; multiply cosines by its exp.

    `space_id` names the space: vectors may be compared exactly when it is equal. Conversions (precision, engine) keep it.
    `precision` says how the weights of each tower are stored. `search`: None where nobody measured what suits this model.
    """

    format_version: Literal[1]
    name: str
    dim: int
    image: ImageConfig | None
    text: TextConfig | None
    image_spec: ImageSpec | None
    tokenizer_spec: TokenizerSpec | None
    logit_scale: float
    logit_bias: float | None
    score: Literal["softmax", "sigmoid"]
    precision: dict[str, str]
    languages: tuple[str, ...]
    licence: str
    provenance: tuple[Source, ...]
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

    Made once, when a model enters SeeSay, and kept by every conversion afterwards. What stands at its default is left out, so
    that a field added later changes no identity.
    """
    import hashlib  # OpenSSL, 2 ms that no search needs

    spec = {
        "image": _said(image),
        "text": _said(text),
        "image_spec": _said(image_spec),
        "tokenizer_spec": _said(tokenizer_spec),
        "tokenizer": hashlib.sha256(tokenizer).hexdigest(),
        "sources": sources,
    }
    canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _said(config: Any) -> dict[str, Any] | None:
    if config is None:
        return None
    return {f.name: to_json(getattr(config, f.name)) for f in fields(config) if getattr(config, f.name) != f.default}


def read_config(folder: Path) -> ModelConfig:
    """The config.json of a model folder. Raises ModelError with every fault in it."""
    file = folder / "config.json"
    try:
        return from_json(ModelConfig, read_object(file), str(file))
    except InputError as error:
        raise ModelError(str(error)) from None


def is_model_folder(path: Path) -> bool:
    """Whether this folder's config.json is SeeSay's; others' have the same name."""
    return (path / "config.json").is_file() and "format_version" in read_object(path / "config.json")
