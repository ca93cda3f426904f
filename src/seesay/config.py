"""What a model is, as values: one frozen dataclass per part, written to and read from the model folder's `config.json`.

Activation, preprocessing and tokenizer always travel with the weights: losing one of them is the commonest silent error of
the field.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from seesay.errors import InputError, ModelError
from seesay.strict import Bounded, Bounds, from_json, to_json

FORMAT_VERSION = 1
MOST_PIXELS = 10_000  # of a side of what a tower takes; a damaged configuration must not ask for all memory
Size = Annotated[int, Bounds(least=1)]


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

    def __post_init__(self) -> None:
        if not (1 <= self.size_px <= MOST_PIXELS and 1 <= self.resize_px <= MOST_PIXELS):
            raise InputError(f"sides of 1 to {MOST_PIXELS} pixels, got size_px {self.size_px} and resize_px {self.resize_px}")


Cleaning = Literal["none", "clip", "bert", "whitespace", "lower", "canonicalize"]


@dataclass(frozen=True)
class TokenizerSpec:
    """How texts become ids (N, L) int64; the vocabulary itself is `tokenizer.json`.

    padding "longest": L is the longest text of the batch, where pooling makes that exact; "context": always `context_length`.
    cleaning: what is done to a text beforehand (`tokenizers.cleaning`). "none": the vocabulary's own normalizer does all of it;
    "clip": as OpenAI's CLIP and OpenCLIP; "bert": as BERT's first tokenizer, lower-cased, which Chinese-CLIP uses;
    "whitespace", "lower", "canonicalize": OpenCLIP's of these names, before a Hugging Face tokenizer.
    end "zeroed": the id that ends every text becomes 0, wherever it stands, as CLIPA was trained.
    """

    context_length: int
    pad_id: int
    padding: Literal["longest", "context"]
    cleaning: Cleaning = "none"
    end: Literal["kept", "zeroed"] = "kept"

    def __post_init__(self) -> None:
        if self.context_length < 1:
            raise InputError(f"a context_length of at least 1 id, got {self.context_length}")


Activation = Literal["gelu", "gelu_tanh", "quick_gelu"]
Projection = Literal["linear", "mlp", "none"]  # into the shared space; "none": the pooled vector itself


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise InputError(f"expected heads that divide the width of {width}, got {heads}")


class Transformer(Bounded):
    """Base of the configurations of towers whose heads share their width."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_heads(self.width, self.heads)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class VitConfig(Transformer):
    """Vision Transformer (Dosovitskiy et al. 2020) as CLIP uses it: class token, learned positions, pre-norm blocks.

    pooling "cls": the class token; "mean": the mean of the patches (CLIPA). norm_after_pool: the last norm sees the pooled
    vector instead of every token. layer_scale: a learned scale at the end of each branch.
    """

    kind: Literal["vit"]
    image_px: Size
    patch_px: Size
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    activation: Activation
    layer_norm_eps: float
    pooling: Literal["cls", "mean"] = "cls"
    norm_before: bool = True
    norm_after_pool: bool = False
    layer_scale: bool = False
    projection: Projection = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch_px > self.image_px:
            raise InputError(f"expected a patch_px within image_px, got {self.patch_px} and {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // self.patch_px


@dataclass(frozen=True)
class ModifiedResNetConfig(Bounded):
    """CLIP's ResNet (Radford et al. 2021): three-convolution stem, average pooling before strides, attention pooling.

    width: channels after the stem. stages: bottleneck blocks in each of four stages. heads: of the attention pooling, whose
    last layer is the projection (linear, with a bias).
    """

    kind: Literal["modified-resnet"]
    image_px: Size
    width: Size
    stages: tuple[Size, Size, Size, Size]
    heads: Size

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_heads(32 * self.width, self.heads)
        if self.image_px < 32:
            raise InputError(f"expected image_px of at least 32, one cell of the last map, got {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // 32


@dataclass(frozen=True)
class EfficientNetLiteConfig(Bounded):
    """EfficientNet-Lite image tower (Tan & Le 2019, Lite variant: ReLU6, no squeeze-excite).

    stages: (repeats, kernel, stride) each. widths: channels of the stem, of each stage, and of the last convolution.
    head "conse": class probabilities times class-name embeddings (Norouzi et al. 2014); otherwise a projection of the pooled
    features, and `classes` is 0. branch: with "conse", so many of the last blocks and the last convolution exist once more, and
    a linear projection of both ways' features is added to the class names: what is learnt there takes nothing from the classes.
    norm "batch": every convolution has a batch norm in place of a bias; "folded": it was folded into the convolution.
    """

    kind: Literal["efficientnet-lite"]
    image_px: Size
    stages: tuple[tuple[Size, Size, Size], ...]
    widths: tuple[Size, ...]
    classes: Annotated[int, Bounds(least=0)]
    head: Literal["conse", "linear", "mlp", "none"]
    norm: Literal["folded", "batch"] = "folded"
    branch: Annotated[int, Bounds(least=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        most = len(self.strides) - 1 if self.head == "conse" else 0
        if self.branch > most:
            raise InputError(f"expected a branch of at most {most} blocks with the head {self.head!r}, got {self.branch}")
        if not self.stages:
            raise InputError("expected at least one stage, got none")
        if len(self.widths) != len(self.stages) + 2:
            raise InputError(
                f"expected widths of the stem, {len(self.stages)} stages and the last convolution, got {len(self.widths)}"
            )

    @property
    def strides(self) -> tuple[int, ...]:
        """Of every block: only the first of a stage strides."""
        return tuple(stride if repeat == 0 else 1 for repeats, _, stride in self.stages for repeat in range(repeats))

    @property
    def grid(self) -> int:
        """Cells of a side of the last feature map."""
        return self._side_after(len(self.strides))

    @property
    def branch_grid(self) -> int:
        """Cells of a side of the map that the branch begins from."""
        return self._side_after(len(self.strides) - self.branch)

    def _side_after(self, blocks: int) -> int:
        side = -(-self.image_px // 2)
        for stride in self.strides[:blocks]:
            side = -(-side // stride)
        return side


@dataclass(frozen=True)
class ClipTextConfig(Transformer):
    """CLIP's text transformer: learned positions, pre-norm blocks.

    causal: a token sees only those before it. Padding is never masked. pooling "eos": the first `eos_id` of each text;
    "last": the last position (CLIPA), which needs full padding.
    """

    kind: Literal["clip-text"]
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    vocabulary: Size
    positions: Size
    activation: Activation
    layer_norm_eps: float
    causal: bool
    pooling: Literal["eos", "last"]
    eos_id: int
    projection: Projection = "linear"


@dataclass(frozen=True)
class Gate(Bounded):
    """After a projection: its first dimensions count less where they make up little of the vector.

    Of a vector x whose first `dims` dimensions are f, these are multiplied by `least` + (1 - `least`) * sigmoid((|f| / |x| -
    `middle`) / `slope`). For a space whose first part holds what only sentences have, and only noise of single words.
    """

    dims: Size
    middle: float
    slope: Annotated[float, Bounds(above=0)]
    least: Annotated[float, Bounds(least=0, most=1)]


@dataclass(frozen=True)
class BertConfig(Transformer):
    """BERT text tower (Devlin et al. 2018), post-norm; also RoBERTa and XLM-R, whose positions skip padding.

    pooling "mean": over the tokens that are not padding; "cls": the first token; "tanh": BERT's pooler over the first token.
    head "linear": a projection; "mlp": two with a GELU between, the inner width halfway (OpenCLIP); "none": the pooled vector;
    "unit-centred": the pooled vector at unit length, minus the centre of the space.
    types: rows of the token type table, of which CLIP uses the first; 0 where it is folded into the positions. gate: after a
    projection.
    """

    kind: Literal["bert"]
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    vocabulary: Size
    positions: Size
    activation: Activation
    layer_norm_eps: float
    pooling: Literal["mean", "cls", "tanh"]
    head: Literal["linear", "mlp", "none", "unit-centred"]
    pad_id: int = 0
    types: int = 0
    position_ids: Literal["from-zero", "after-padding"] = "from-zero"
    gate: Gate | None = None


@dataclass(frozen=True)
class CbowConfig(Bounded):
    """The mean of word embeddings (Mikolov et al. 2013), then a projection: a text tower for small models of one's own."""

    kind: Literal["cbow"]
    width: Size
    vocabulary: Size
    pad_id: int = 0
    projection: Projection = "linear"


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


def read_object(file: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises ModelError."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{file} is not a configuration: expected an object, got {type(values).__name__}")
    return values


def is_model_folder(path: Path) -> bool:
    """Whether this folder's config.json is SeeSay's; others' have the same name."""
    return (path / "config.json").is_file() and "format_version" in read_object(path / "config.json")
