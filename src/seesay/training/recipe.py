"""A training run as a value: frozen dataclasses, read strictly from TOML.

Paths in a recipe are relative to the recipe's folder. Fields without a default are required.
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
from seesay.models.layers.lora import LoraConfig
from seesay.system.paths import printable
from seesay.system.schema import Bounded, Bounds, from_json
from seesay.tasks.prompts import TEMPLATES
from seesay.tokenizers.spec import TokenizerSpec
from seesay.training import losses
from seesay.training.data import SourceConfig
from seesay.training.data.class_folder import check_templates

Count = Annotated[int, Bounds(least=1)]
Share = Annotated[float, Bounds(least=0, below=1)]
NotNegative = Annotated[float, Bounds(least=0)]
Positive = Annotated[float, Bounds(above=0)]


@dataclass(frozen=True)
class ImageTowerRecipe(Bounded):
    """The image tower: from `start`, a model or checkpoint (its weights and its image preparation); or from scratch by
    `architecture`, a name of the catalogue, or by `config`.

    projection: "kept" keeps the start's; "linear" and "mlp" are new and trained from scratch. unlocked_groups: only this many
    last groups of layers are trained; 1 is the projection alone, 0 freezes the whole tower; None trains all. unlocked_dims: of
    a linear projection only the rows of the space's first dimensions, this many, are trained, without weight decay. spec: the
    preparation of images; by default the start's, or CLIP's. image_px: another side of the pictures than the tower has, for
    which its positions are interpolated. patch_dropout: share of the patches dropped in each training step. recompute: gradient
    checkpointing of the blocks, which saves memory and costs a third more time. lora: changes of low rank beside layers of the
    unlocked groups are trained instead of these. keep_statistics: batch norms use the start's statistics and do not change
    them.
    """

    start: str | None = None
    architecture: str | None = None
    config: ImageConfig | None = None
    projection: Literal["kept", "linear", "mlp"] = "kept"
    unlocked_groups: Annotated[int, Bounds(least=0)] | None = None
    unlocked_dims: Count | None = None
    spec: ImageSpec | None = None
    image_px: Count | None = None
    patch_dropout: Share = 0.0
    recompute: bool = False
    lora: LoraConfig | None = None
    keep_statistics: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_tower(self)


@dataclass(frozen=True)
class TextTowerRecipe(Bounded):
    """The text tower; fields as for the image tower. tokenizer: "clip", "chinese_clip", or a model, checkpoint or folder whose
    tokenizer is used; by default the start's, or CLIP's. length: most tokens of a text, its beginning and end among them; by
    default as many as the tower takes, or as the start was trained with. shortening: what training keeps of a text that is
    longer: its first tokens ("truncation"), or in each step other ones, "random" or a "block" of neighbours (CLIPA, Li et al.
    2023)."""

    start: str | None = None
    architecture: str | None = None
    config: TextConfig | None = None
    projection: Literal["kept", "linear", "mlp"] = "kept"
    unlocked_groups: Annotated[int, Bounds(least=0)] | None = None
    unlocked_dims: Count | None = None
    tokenizer: str | None = None
    tokenizer_spec: TokenizerSpec | None = None
    length: Annotated[int, Bounds(least=3)] | None = None
    shortening: Literal["truncation", "random", "block"] = "truncation"
    recompute: bool = False
    lora: LoraConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_tower(self)


@dataclass(frozen=True)
class ModelRecipe(Bounded):
    """Both towers. start: the default start of either. dim: dimension of the shared space; by default the start's."""

    image: ImageTowerRecipe = field(default_factory=ImageTowerRecipe)
    text: TextTowerRecipe = field(default_factory=TextTowerRecipe)
    start: str | None = None
    dim: Count | None = None
    languages: tuple[str, ...] = ()
    licence: str = "unknown"


@dataclass(frozen=True)
class Data(Bounded):
    """Sources, batches and augmentation.

    batch: contrastive batch size. parts: number of gradient-cache chunks (Gao et al. 2021); gradients equal those of the full
    batch. identities: treats repeated images and captions in a batch as positives. views: with `augment`, the number of views
    of each image drawn in advance, whose features in the frozen part of a tower are stored; 0: views are drawn anew.
    """

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
        """Whether all images, captions and labels are known in advance, unlike those in shards."""
        return all(source.listed for source in self.sources)


@dataclass(frozen=True)
class Distillation(Bounded):
    """Distillation from another model, or from its vectors in files.

    teacher: a model, which encodes every picture and text anew. embeddings: files that `seesay embed` wrote (.npz, .jsonl,
    .parquet; * matches parts), in its place. A row is a picture's where its whole path is the end of the picture's; an absolute
    one must be the same, unless embeddings_root, the folder that it begins with, is left away. missing: samples without vectors
    are refused, or skipped. scale: the teacher's factor of cosines; by default the model's own, 100 for files.

    kind: a name in `losses.DISTILLATION`; "similarity" matches the teacher's softmax over the batch, "embedding" its vectors,
    "interactive" finds the pairs among its vectors. weights: several kinds, each with its weight, in place of both.
    """

    teacher: str | None = None
    embeddings: tuple[str, ...] = ()
    embeddings_root: str | None = None
    missing: Literal["refuse", "skip"] = "refuse"
    scale: Positive | None = None
    kind: Annotated[str, losses.DISTILLATION] = "similarity"
    weight: Positive = 1.0
    weights: dict[str, Positive] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.teacher is None) == (not self.embeddings):
            got = "neither" if self.teacher is None else "both"
            raise InputError(f"expected a teacher (a model) or embeddings (files of seesay embed), got {got}")
        if unknown := [kind for kind in self.weights if not losses.DISTILLATION.hold(kind)]:
            raise InputError(f"expected weights of {losses.DISTILLATION}, got {unknown[0]!r}")

    @property
    def kinds(self) -> dict[str, float]:
        """The weight of each kind."""
        return dict(self.weights) or {self.kind: self.weight}


@dataclass(frozen=True)
class Anchors(Bounded):
    """Texts with target vectors: `path`, a .npz as `seesay embed` writes it, of the model's dimensions. Each step adds the loss
    of `batch` of them, 1 - cosine, times `weight`."""

    path: str
    batch: Count = 256
    weight: Positive = 1.0


@dataclass(frozen=True)
class Loss(Bounded):
    """kind: a name in `losses.CONTRASTIVE`: "infonce" (Radford et al. 2021) or "sigmoid" (Zhai et al. 2023).

    candidates: the texts among which an image must find its own. "batch": those of its batch, and texts their images likewise,
    which with class prompts as captions is FLYP (Goyal et al. 2023, arXiv 2212.00638); "classes": a prompt of every class of
    the data, by cross-entropy.

    temperature: the initial one, the inverse of the scale of cosines; by default the start's, else the loss's own (infonce
    0.07, sigmoid 0.1). max_scale: upper bound of the scale. contrast_weight: of the loss over candidates; 0 for distillation or
    classes alone. class_weight: weight of a cross-entropy over the samples' labels, by a layer that is discarded at the end.
    """

    kind: Annotated[str, losses.CONTRASTIVE] = "infonce"
    candidates: Literal["batch", "classes"] = "batch"
    temperature: Positive | None = None
    learn_temperature: bool = True
    max_scale: Annotated[float, Bounds(least=1)] = 100.0
    contrast_weight: NotNegative = 1.0
    class_weight: NotNegative = 0.0
    distillation: Distillation | None = None
    anchors: tuple[Anchors, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature is not None and not 1 <= 1 / self.temperature <= self.max_scale:
            raise InputError(f"expected a temperature from {1 / self.max_scale:g} (1 / max_scale) to 1, got {self.temperature}")
        if not self.contrast_weight and not self.class_weight and self.distillation is None:
            raise InputError("expected distillation or a class_weight with the contrast_weight 0, got neither")
        if self.candidates == "classes" and losses.CONTRASTIVE[self.kind].score != "softmax":
            raise InputError(f"expected the kind infonce with the candidates 'classes', got {self.kind}")


@dataclass(frozen=True)
class Optimizer(Bounded):
    """AdamW; norms, biases and the temperature are not decayed. warmup: steps. clip_norm: largest norm of the gradient. ema:
    decay of an exponential moving average of the weights, which then is the result. projection_factor: multiplies the learning
    rate of projections. layer_decay: multiplies the rate once for each group of layers between a parameter and the projection
    (Clark et al. 2020; Bao et al. 2021), so that what is near the input changes least."""

    learning_rate: Positive
    betas: tuple[Share, Share] = (0.9, 0.98)
    eps: Positive = 1e-6
    weight_decay: NotNegative = 0.2
    warmup: Annotated[int, Bounds(least=0)] = 0
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: Positive | None = None
    ema: Share | None = None
    projection_factor: NotNegative = 1.0
    layer_decay: Annotated[float, Bounds(above=0, most=1)] = 1.0


@dataclass(frozen=True)
class Validation(Bounded):
    """Recall on a table of captions, after every `every` steps and at the end. The best weights by the mean of both R@1 become
    the result.

    label_column: of a table of labels; then the share of images that their class's name fits best is measured instead. names,
    templates: as of a source of labels. patience: the run ends after so many validations in a row that were no better.
    at_start: measures before the first step too, so that a run which makes nothing better returns what it began with.
    """

    data: str
    images: str | None = None
    split: str | None = None
    language: str | None = None
    every: Count = 500
    label_column: str | None = None
    names: str | None = None
    templates: tuple[str, ...] = TEMPLATES
    patience: Count | None = None
    at_start: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_templates(self.templates)


@dataclass(frozen=True)
class Checkpoints(Bounded):
    """every: steps between checkpoints. keep: number of last checkpoints that remain, besides the best weights."""

    every: Count = 500
    keep: Count = 2


@dataclass(frozen=True)
class Recipe(Bounded):
    """A training run.

    epochs: epochs over the data; steps: their number, which overrides epochs. precision: of matrix products; weights stay
    float32. compile: the towers' blocks are compiled (torch.compile) at the first steps. out: the run's folder, relative to the
    working directory. root: the folder to which paths in the recipe are relative, by default the recipe's. device: "cpu",
    "cuda", "mps"; by default the fastest available. threads: of torch on a CPU; by default its own choice. Small towers on a
    busy machine may be many times faster with 1. log_every: steps.
    """

    name: str
    model: ModelRecipe
    data: Data
    optimizer: Optimizer
    loss: Loss = field(default_factory=Loss)
    epochs: Positive | None = None
    steps: Count | None = None
    seed: Annotated[int, Bounds(least=0)] = 0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
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
        if self.loss.candidates == "classes" and self.data.parts > 1:
            raise InputError(f"expected one of data.parts with loss.candidates 'classes', got {self.data.parts}")

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.out) if self.out else Path("runs") / self.name

    def path(self, name: str) -> Path:
        """A path of the recipe, resolved against `root`."""
        return Path(self.root) / name

    def model_source(self, name: str) -> Path | str:
        """A model, checkpoint or folder relative to `root` if it exists; else the name as it is, for `load`."""
        relative = self.path(name)
        return relative if relative.exists() else name


def read_recipe(file: Path, sets: Sequence[str] = ()) -> Recipe:
    """Reads a recipe file, with settings `key.of.it=value` that override or add; values are TOML, or else plain text.

    Raises InputError with every fault.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{printable(file)} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{printable(file)} is not TOML: {error}") from None
    for setting in sets:
        _set(values, setting)
    values.setdefault("root", str(file.parent))
    return from_json(Recipe, values, str(printable(file)))


def _set(values: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    *path, last = key.strip().split(".")
    if not equals or not last:
        raise InputError(f"--set takes key=value, such as optimizer.learning_rate=1e-3; got {setting!r}")
    parent: Any = values
    for number, part in enumerate(path):
        parent = _child(parent, part, ".".join(path[: number + 1]))
    if isinstance(parent, list):
        parent[_index(parent, last, key)] = _toml(value)
    elif isinstance(parent, dict):
        parent[last] = _toml(value)
    else:
        raise InputError(f"--set {key}: {'.'.join(path)} is {parent!r} and has nothing inside")


def _child(parent: Any, part: str, name: str) -> Any:
    if isinstance(parent, list):
        return parent[_index(parent, part, name)]
    if not isinstance(parent, dict):
        raise InputError(f"--set {name}: there is nothing inside {parent!r}")
    return parent.setdefault(part, {})


def _index(items: list[Any], part: str, name: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise InputError(f"--set {name}: expected a number from 0 to {len(items) - 1}, got {part!r}")
    return int(part)


def _toml(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value.strip()


def _check_tower(tower: ImageTowerRecipe | TextTowerRecipe) -> None:
    origins = [name for name in ("start", "architecture", "config") if getattr(tower, name) is not None]
    if len(origins) > 1:
        raise InputError(f"expected only one of start, architecture and config, got {' and '.join(origins)}")
    if tower.lora is not None and (tower.architecture is not None or tower.config is not None):
        raise InputError("expected lora for a tower that has weights already, got one that is trained from scratch")
    if tower.lora is not None and tower.unlocked_dims is not None:
        raise InputError("expected only one of lora and unlocked_dims, got both")
