"""A training run as a value: frozen dataclasses, read strictly from TOML.

Paths in a recipe are relative to the recipe's folder. What has no default must be said.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from seesay.errors import InputError
from seesay.images.augment import Augment
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.system.paths import printable
from seesay.system.schema import Bounded, Bounds, from_json
from seesay.tokenizers.spec import TokenizerSpec
from seesay.training.data.mix import SourceConfig

Count = Annotated[int, Bounds(least=1)]
Share = Annotated[float, Bounds(least=0, below=1)]
NotNegative = Annotated[float, Bounds(least=0)]
Positive = Annotated[float, Bounds(above=0)]


@dataclass(frozen=True)
class ImageTower(Bounded):
    """Where the image tower comes from: `start`, a model or checkpoint (its weights, and how it prepares pictures);
    or from scratch by `architecture`, a name of the catalogue, or by `config`.

    projection: "kept", or a new one, which learns from nothing. unlocked_groups: only the last so many groups of layers learn;
    1 is the projection alone, 0 locks the whole tower. unlocked_dims: of a linear projection only the rows of the space's first
    so many dimensions learn, undecayed. spec: how pictures are prepared; by default the start's, or CLIP's.
    patch_dropout: the share of a ViT's patches left out of each training step. recompute: keep no activations of the blocks
    and compute them again for the gradients, which saves memory and costs a third more time.
    """

    start: str | None = None
    architecture: str | None = None
    config: ImageConfig | None = None
    projection: Literal["kept", "linear", "mlp"] = "kept"
    unlocked_groups: Annotated[int, Bounds(least=0)] | None = None
    unlocked_dims: Count | None = None
    spec: ImageSpec | None = None
    patch_dropout: Share = 0.0
    recompute: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_origin(self)


@dataclass(frozen=True)
class TextTower(Bounded):
    """As for pictures. tokenizer: "clip", "chinese_clip", or a model, checkpoint or folder whose tokenizer is taken; by default
    the start's, or CLIP's."""

    start: str | None = None
    architecture: str | None = None
    config: TextConfig | None = None
    projection: Literal["kept", "linear", "mlp"] = "kept"
    unlocked_groups: Annotated[int, Bounds(least=0)] | None = None
    unlocked_dims: Count | None = None
    tokenizer: str | None = None
    tokenizer_spec: TokenizerSpec | None = None
    recompute: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_origin(self)


@dataclass(frozen=True)
class ModelRecipe(Bounded):
    """`start` is where both towers come from unless they say otherwise. dim: of the shared space; the start's by default."""

    image: ImageTower = field(default_factory=ImageTower)
    text: TextTower = field(default_factory=TextTower)
    start: str | None = None
    dim: Count | None = None
    languages: tuple[str, ...] = ()
    licence: str = "unknown"


@dataclass(frozen=True)
class Data(Bounded):
    """batch: pictures that are contrasted with each other. parts: the batch goes through the towers in so many parts, with the
    gradients of one (two passes, Gao et al. 2021). identities: a picture or caption that comes twice in a batch counts as
    right both times. views: with `augment`, so many looks at each picture are drawn beforehand, and what the locked part of a
    tower makes of them is kept."""

    sources: tuple[SourceConfig, ...]
    batch: Annotated[int, Bounds(least=2)]
    parts: Count = 1
    augment: Augment = field(default_factory=Augment)
    identities: bool = True
    views: Annotated[int, Bounds(least=0)] = 0

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError("expected at least one source, got none")
        super().__post_init__()
        if self.batch % self.parts:
            raise InputError(f"expected a batch that can be cut into {self.parts} equal parts, got {self.batch}")

    @property
    def listed(self) -> bool:
        """Whether all pictures, texts and labels are known before they are read; those in shards are not."""
        return all(source.kind != "webdataset" for source in self.sources)


@dataclass(frozen=True)
class Distillation(Bounded):
    """Another model as a teacher. "similarity": its softmax over the batch; "embedding": its vectors themselves (equal dim)."""

    teacher: str
    kind: Literal["similarity", "embedding"] = "similarity"
    weight: Positive = 1.0


@dataclass(frozen=True)
class Anchors(Bounded):
    """Texts that belong at known places of the space: `path`, a .npz as `seesay embed` writes it, of the model's dimensions.
    Each step draws `batch` of them toward their vectors (1 - cosine, times `weight`)."""

    path: str
    batch: Count = 256
    weight: Positive = 1.0


@dataclass(frozen=True)
class Loss(Bounded):
    """kind "infonce" (Radford et al. 2021) or "sigmoid" (Zhai et al. 2023). temperature: the first one, of which the scale of
    cosines is the inverse; by default the start's, else 0.07 (sigmoid: 0.1). The scale learns and stays at most `max_scale`.
    class_weight: of a cross-entropy over the samples' labels beside the contrast, by a layer of its own that is dropped at the
    end."""

    kind: Literal["infonce", "sigmoid"] = "infonce"
    temperature: Positive | None = None
    learn_temperature: bool = True
    max_scale: Annotated[float, Bounds(least=1)] = 100.0
    class_weight: NotNegative = 0.0
    distillation: Distillation | None = None
    anchors: tuple[Anchors, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature is not None and not 1 <= 1 / self.temperature <= self.max_scale:
            raise InputError(f"expected a temperature from {1 / self.max_scale:g} (1 / max_scale) to 1, got {self.temperature}")


@dataclass(frozen=True)
class Optimizer(Bounded):
    """AdamW; no decay of norms, biases and the temperature. warmup: steps. clip_norm: the longest gradient. ema: decay of a
    running mean of the weights, which then is the result. projection_factor: of the learning rate, for projections."""

    learning_rate: Positive
    betas: tuple[Share, Share] = (0.9, 0.98)
    eps: Positive = 1e-6
    weight_decay: NotNegative = 0.2
    warmup: Annotated[int, Bounds(least=0)] = 0
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: Positive | None = None
    ema: Share | None = None
    projection_factor: NotNegative = 1.0


@dataclass(frozen=True)
class Validation(Bounded):
    """Recall on a table of captions, every so many steps and at the end. The result is the best by the mean of both R@1."""

    data: str
    images: str | None = None
    split: str | None = None
    language: str | None = None
    every: Count = 500


@dataclass(frozen=True)
class Checkpoints(Bounded):
    """every: steps between them. keep: the last so many stay, beside the best."""

    every: Count = 500
    keep: Count = 2


@dataclass(frozen=True)
class Recipe(Bounded):
    """epochs: passes over the data; or steps, which count where both are said. precision: of products; weights stay float32.
    out: the run's folder, relative to where the command runs. root: where paths in the recipe begin, by default its own folder.
    device: "cpu", "cuda", "mps"; by default the fastest there is. threads: of products on a CPU; by default torch's own choice.
    Small towers on a machine that others use too may be many times faster with 1. log_every: steps."""

    name: str
    model: ModelRecipe
    data: Data
    optimizer: Optimizer
    loss: Loss = field(default_factory=Loss)
    epochs: Positive | None = None
    steps: Count | None = None
    seed: Annotated[int, Bounds(least=0)] = 0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    log_every: Count = 10
    device: str | None = None
    threads: Count | None = None
    validation: Validation | None = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    out: str | None = None
    root: str = "."

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.steps is None:
            raise InputError("expected epochs or steps, got neither")

    @property
    def folder(self) -> Path:
        """Of the run."""
        return Path(self.out) if self.out else Path("runs") / self.name

    def path(self, said: str) -> Path:
        return Path(self.root) / said

    def model_named(self, said: str) -> Path | str:
        """A model, checkpoint or folder beside the recipe, else what is said, as a name or as a path of its own."""
        beside = self.path(said)
        return beside if beside.exists() else said


def read_recipe(file: Path, sets: Sequence[str] = ()) -> Recipe:
    """A recipe file, with `key.of.it=value` changed or added; values are TOML, and text that is no TOML is taken as it stands.

    Raises InputError with every fault.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{printable(file)} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{printable(file)} is not TOML: {error}") from None
    for said in sets:
        _set(values, said)
    values.setdefault("root", str(file.parent))
    return from_json(Recipe, values, str(printable(file)))


def _set(values: dict[str, Any], said: str) -> None:
    key, equals, value = said.partition("=")
    *path, last = key.strip().split(".")
    if not equals or not last:
        raise InputError(f"--set takes key=value, such as optimizer.learning_rate=1e-3; got {said!r}")
    at: Any = values
    for number, part in enumerate(path):
        at = _inside(at, part, ".".join(path[: number + 1]))
    if isinstance(at, list):
        at[_index(at, last, key)] = _toml(value)
    elif isinstance(at, dict):
        at[last] = _toml(value)
    else:
        raise InputError(f"--set {key}: {'.'.join(path)} is {at!r} and has nothing inside")


def _inside(at: Any, part: str, name: str) -> Any:
    if isinstance(at, list):
        return at[_index(at, part, name)]
    if not isinstance(at, dict):
        raise InputError(f"--set {name}: there is nothing inside {at!r}")
    return at.setdefault(part, {})


def _index(at: list[Any], part: str, name: str) -> int:
    if not part.isdecimal() or int(part) >= len(at):
        raise InputError(f"--set {name}: expected a number from 0 to {len(at) - 1}, got {part!r}")
    return int(part)


def _toml(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value.strip()


def _one_origin(tower: ImageTower | TextTower) -> None:
    said = [name for name in ("start", "architecture", "config") if getattr(tower, name) is not None]
    if len(said) > 1:
        raise InputError(f"expected only one of start, architecture and config, got {' and '.join(said)}")
