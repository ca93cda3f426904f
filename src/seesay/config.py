"""What a model is, as values: one frozen dataclass per part, written to and read from the model folder's `config.json`.

Activation, preprocessing and tokenizer always travel with the weights: losing one of them is the commonest silent error of
the field.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from seesay.strict import to_json

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ImageSpec:
    """How a decoded picture becomes pixels (3, size_px, size_px) float32.

    resize "shortest": the shorter side becomes `resize_px`, the longer one keeps the shape (rounded down), then a central crop.
    resize "squash": both sides become `size_px`, whatever the shape was.
    resize "longest": the longer side becomes `size_px`, the shorter one keeps the shape, and bars of the grey level `fill`
    (0..255) make up for the rest.
    alpha "white": transparent pictures are laid on white; "drop": the alpha channel is ignored, as most CLIP code does.
    crop: where the central crop begins when the margin is odd. "rounded": to the nearest pixel, halves to the even one, as
    torchvision does, and with it OpenAI's CLIP and OpenCLIP; "floored": as transformers does.
    """

    size_px: int
    resize: Literal["shortest", "squash", "longest"]
    resize_px: int
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    alpha: Literal["white", "drop"] = "drop"
    fill: int = 0
    crop: Literal["rounded", "floored"] = "rounded"


@dataclass(frozen=True)
class TokenizerSpec:
    """How texts become ids (N, L) int64; the vocabulary itself is `tokenizer.json`.

    padding "longest": L is the longest text of the batch, where pooling makes that exact; "context": always `context_length`.
    cleaning: what is done to a text beforehand (`tokenizers.cleaning`). "none": the vocabulary's own normalizer does all of it;
    "clip": as OpenAI's CLIP and OpenCLIP; "bert": as BERT's first tokenizer, lower-cased, which Chinese-CLIP uses.
    """

    context_length: int
    pad_id: int
    padding: Literal["longest", "context"]
    cleaning: Literal["none", "clip", "bert"] = "none"


@dataclass(frozen=True)
class EfficientNetLiteConfig:
    """EfficientNet-Lite image tower (Tan & Le 2019, Lite variant: ReLU6, no squeeze-excite).

    stages: (repeats, kernel, stride) each. head "conse": class probabilities times class-name embeddings (Norouzi et al. 2014).
    """

    kind: Literal["efficientnet-lite"]
    image_px: int
    stages: tuple[tuple[int, int, int], ...]
    classes: int
    head: Literal["conse"]


@dataclass(frozen=True)
class BertConfig:
    """BERT text tower (Devlin et al. 2018), post-norm.

    head "unit-centred": the pooled vector at unit length, minus the centre of the space.
    """

    kind: Literal["bert"]
    width: int
    depth: int
    heads: int
    mlp_width: int
    vocabulary: int
    positions: int
    activation: Literal["gelu"]
    layer_norm_eps: float
    pooling: Literal["mean"]
    head: Literal["unit-centred"]


@dataclass(frozen=True)
class Source:
    """Where weights came from."""

    name: str
    package: str  # where it was published, with its version
    licence: str
    sha256: str


@dataclass(frozen=True)
class ModelConfig:
    """A whole model. `logit_scale` is stored as its logarithm, as CLIP checkpoints do; multiply cosines by its exp.

    `space_id` names the space: vectors may be compared exactly when it is equal. Conversions (precision, engine) keep it.
    `precision` says how the weights of each tower are stored.
    """

    format_version: Literal[1]
    name: str
    dim: int
    image: EfficientNetLiteConfig
    text: BertConfig
    image_spec: ImageSpec
    tokenizer_spec: TokenizerSpec
    logit_scale: float
    logit_bias: float | None
    score: Literal["softmax", "sigmoid"]
    precision: dict[str, str]
    languages: tuple[str, ...]
    licence: str
    provenance: tuple[Source, ...]
    space_id: str


def make_space_id(
    image: object, text: object, image_spec: ImageSpec, tokenizer_spec: TokenizerSpec, *, tokenizer: bytes, sources: str
) -> str:
    """The identity of a space: 32 hex digits over the source weights' digest and the canonical spec.

    Made once, when a model enters SeeSay, and kept by every conversion afterwards.
    """
    spec = {
        "image": to_json(image),
        "text": to_json(text),
        "image_spec": to_json(image_spec),
        "tokenizer_spec": to_json(tokenizer_spec),
        "tokenizer": hashlib.sha256(tokenizer).hexdigest(),
        "sources": sources,
    }
    canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
