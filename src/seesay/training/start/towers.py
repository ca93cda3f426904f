"""The model that a recipe describes: towers from scratch, from checkpoints, or mixed from several, with first weights."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from seesay.checkpoints.hub.catalog import architecture
from seesay.checkpoints.hub.locate import locate
from seesay.checkpoints.overrides import Said, preset
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.errors import InputError, ModelError
from seesay.images.spec import ImageSpec
from seesay.models.clip import Clip, make_tower
from seesay.models.config import ImageConfig, ModelConfig, TextConfig, WeightSource
from seesay.models.initialise import initialise
from seesay.models.layers.groups import freeze, freeze_rows, names_in, partly_frozen
from seesay.models.layers.init import initialise_projection
from seesay.tokenizers import Tokenizer, vocabulary
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES, SPECS
from seesay.training.recipe import ImageTower, ModelRecipe, Recipe, TextTower
from seesay.training.start.initialise import first_numbers


@dataclass(frozen=True)
class Towers:
    """What a run trains. `vocabulary`: a tokenizer.json."""

    clip: Clip
    vocabulary: bytes
    tokenizer: Tokenizer


def build(recipe: Recipe) -> Towers:
    """Towers with their first weights, drawn with the recipe's seed; locked as it says. Raises InputError, ModelError."""
    torch.manual_seed(recipe.seed)
    model = recipe.model
    _check_origins(model)
    opened = _Opened(recipe)
    image_start = opened.of(_start(model.image, model), "image")
    text_start = opened.of(_start(model.text, model), "text")
    dim = model.dim or _dim(model.image, image_start) or _dim(model.text, text_start)
    assert dim is not None
    image, image_config = _tower(model.image, image_start, dim, "image")
    text, text_config = _tower(model.text, text_start, dim, "text")
    spec = _image_spec(model.image, image_start, image_config)
    bytes_, tokenizer_spec = _tokenizer(model.text, text_start, opened, text_config)
    start = image_start if image_start is not None and image_start is text_start else None
    sigmoid = recipe.loss.kind == "sigmoid"
    config = ModelConfig(
        format_version=1,
        name=recipe.name,
        dim=dim,
        image=image_config,
        text=text_config,
        image_spec=spec,
        tokenizer_spec=tokenizer_spec,
        logit_scale=0.0,
        logit_bias=0.0 if sigmoid else None,
        score="sigmoid" if sigmoid else "softmax",
        precision={},
        languages=model.languages or (start.config.languages if start else ()),
        licence=opened.licence(),
        provenance=opened.provenance(),
        space_id="",
    )
    with torch.device("meta"):
        clip = Clip(config)
    clip.image, clip.text = image, text
    clip.logit_scale = nn.Parameter(torch.zeros(()))
    clip.logit_bias = nn.Parameter(torch.zeros(())) if sigmoid else None
    first_numbers(clip, recipe.loss.kind, recipe.loss.temperature)
    if start is not None and recipe.loss.temperature is None and start.config.score == config.score:
        with torch.no_grad():
            clip.logit_scale.copy_(start.logit_scale)
            if clip.logit_bias is not None and start.logit_bias is not None:
                clip.logit_bias.copy_(start.logit_bias)
    clip.logit_scale.requires_grad_(recipe.loss.learn_temperature)
    if model.image.patch_dropout:
        if not hasattr(image, "patch_dropout"):
            raise InputError(f"model.image.patch_dropout: only a vit has patches to leave out, this is {image_config.kind}")
        image.patch_dropout = model.image.patch_dropout
    set_training(clip, recipe)
    return Towers(clip, bytes_, Tokenizer(bytes_, tokenizer_spec))


def set_training(clip: Clip, recipe: Recipe) -> None:
    """Training mode, with locked groups at rest. Raises InputError where a tower has fewer groups than shall learn."""
    clip.train()
    towers: tuple[tuple[str, Any, ImageTower | TextTower], ...] = (
        ("image", clip.image, recipe.model.image),
        ("text", clip.text, recipe.model.text),
    )
    for name, tower, said in towers:
        if said.unlocked_groups is not None:
            groups = tower.groups()
            if said.unlocked_groups > len(groups):
                raise InputError(
                    f"model.{name}.unlocked_groups: expected at most {len(groups)}, all groups of this tower, "
                    f"got {said.unlocked_groups}; leave it out and everything learns"
                )
            freeze(groups, said.unlocked_groups)
        if said.unlocked_dims is not None:
            _lock_dims(tower, clip.config.dim, said.unlocked_dims, name)


def _lock_dims(tower: Any, dim: int, unlocked: int, name: str) -> None:
    projection = tower.groups()[-1][-1]
    if not isinstance(projection, nn.Linear):
        raise InputError(
            f"model.{name}.unlocked_dims: expected a tower with a linear projection, got a {tower.config.kind} with another"
        )
    if unlocked > dim:
        raise InputError(f"model.{name}.unlocked_dims: expected at most the space's {dim}, got {unlocked}")
    if projection.weight.requires_grad and not partly_frozen(projection.weight):
        freeze_rows(projection.weight, unlocked)


class _Opened:
    """Checkpoints that the recipe names, each read once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.checkpoints: dict[str, Checkpoint] = {}
        self.clips: dict[str, Clip] = {}

    def checkpoint(self, said: str) -> Checkpoint:
        if said not in self.checkpoints:
            path, entry = locate(self.recipe.model_named(said))
            self.checkpoints[said] = open_checkpoint(path, Said(entry=entry) if entry else None)
        return self.checkpoints[said]

    def of(self, said: str | None, tower: str) -> Clip | None:
        if said is None:
            return None
        if said not in self.clips:
            self.clips[said] = self.checkpoint(said).model()
        if getattr(self.clips[said].config, tower) is None:
            raise InputError(f"model.{tower}.start: {said} has no {tower} tower")
        return self.clips[said]

    def licence(self) -> str:
        """The recipe's and those of the models that it starts from, which bind what is made of them; "unknown" without any."""
        said = (self.recipe.model.licence, *(clip.config.licence for clip in self.clips.values()))
        return "; ".join(dict.fromkeys(licence for licence in said if licence != "unknown")) or "unknown"

    def provenance(self) -> tuple[WeightSource, ...]:
        return tuple(dict.fromkeys(source for clip in self.clips.values() for source in clip.config.provenance))


def _start(tower: ImageTower | TextTower, model: ModelRecipe) -> str | None:
    """The model that a tower is taken from; None where it begins from nothing."""
    described = tower.architecture is not None or tower.config is not None
    return tower.start or (None if described else model.start)


def _dim(tower: ImageTower | TextTower, start: Clip | None) -> int | None:
    return start.config.dim if start is not None and tower.projection == "kept" else None


def _check_origins(model: ModelRecipe) -> None:
    """What can be told before anything is opened. Raises InputError with every fault."""
    faults = []
    joined = False  # whether a start says how many dimensions there are
    for name, tower in (("image", model.image), ("text", model.text)):
        start = _start(tower, model)
        if tower.architecture is not None:
            faults += _architecture_faults(tower, tower.architecture, name)
        elif start is None and tower.config is None:
            faults.append(f"model.{name}: say where it comes from: start, architecture or config")
        joined = joined or (start is not None and tower.projection == "kept")
    if model.dim is None and not joined:
        faults.append("model.dim: missing; say how many dimensions the shared space has, such as 512")
    if faults:
        raise InputError("\n".join(faults))


def _architecture_faults(tower: ImageTower | TextTower, name: str, side: str) -> list[str]:
    try:
        found = architecture(name)
    except ModelError as error:
        return [f"model.{side}.architecture: {error}"]
    if isinstance(tower, TextTower) and tower.tokenizer is None and found.vocabulary == "folder":
        return [
            f"model.text.tokenizer: {name} comes without a vocabulary; say 'clip', 'chinese_clip' or a model whose tokenizer "
            "is taken"
        ]
    return []


def _tower(said: ImageTower | TextTower, start: Clip | None, dim: int, side: Literal["image", "text"]) -> tuple[Any, Any]:
    """A tower and its configuration."""
    if start is not None:
        config = _projected(getattr(start.config, side), said.projection, side)
        return _started(getattr(start, side), start.config, config, dim, said, side), config
    config = _projected(_scratch(said, side), said.projection, side)
    tower = make_tower(config, dim)
    initialise(tower)
    return tower, config


def _scratch(said: ImageTower | TextTower, tower: str) -> Any:
    if said.config is not None:
        return said.config
    assert said.architecture is not None
    return getattr(architecture(said.architecture), tower)


def _started(tower: Any, theirs: ModelConfig, config: Any, dim: int, said: Any, name: str) -> Any:
    """The start's own tower, or one with a new projection and the start's other weights."""
    if said.projection == "kept":
        if theirs.dim != dim:
            raise InputError(
                f"model.{name}.start: {said.start or theirs.name} projects into {theirs.dim} dimensions, the shared space has "
                f'{dim}. Give it a new projection: model.{name}.projection = "linear"'
            )
        return tower
    made = make_tower(config, dim)
    missing, left = made.load_state_dict(tower.body_state(), strict=False)
    if left or set(missing) - names_in(made, made.projection_group()):
        raise ModelError(f"the {name} tower of {theirs.name} cannot take a new projection: {', '.join([*missing, *left][:5])}")
    initialise_projection(made)
    return made


def _projected(config: Any, kind: Literal["kept", "linear", "mlp"], tower: str) -> Any:
    if kind == "kept":
        return config
    try:
        return config.with_projection(kind)
    except InputError as error:
        raise InputError(f"model.{tower}.projection: {error}") from None


def _image_spec(said: ImageTower, start: Clip | None, config: ImageConfig) -> ImageSpec:
    spec = said.spec or (start.config.image_spec if start is not None else None) or preset("openai", config.image_px)
    if spec.size_px != config.image_px:
        raise InputError(f"model.image.spec.size_px: expected the tower's {config.image_px}, got {spec.size_px}")
    return spec


def _tokenizer(said: TextTower, start: Clip | None, opened: _Opened, config: TextConfig) -> tuple[bytes, TokenizerSpec]:
    named = said.tokenizer or (said.start or opened.recipe.model.start if start is not None else None)
    if named is None:
        named = architecture(said.architecture).vocabulary if said.architecture else "clip"
    if named in SPECS:
        content, spec = vocabulary(named), SPECS[named]  # type: ignore[arg-type]
    else:
        checkpoint = opened.checkpoint(named)
        given, found = checkpoint.tokenizer(), checkpoint.description.tokenizer_spec
        if given is None or found is None:
            raise InputError(f"model.text.tokenizer: {named} has no tokenizer")
        content, spec = given, found
    spec = said.tokenizer_spec or spec
    if config.max_tokens is not None and spec.context_length > config.max_tokens:
        spec = replace(spec, context_length=config.max_tokens)
    _check_tokenizer(content, spec, config)
    return content, spec


def _check_tokenizer(content: bytes, spec: TokenizerSpec, config: TextConfig) -> None:
    import tokenizers

    backend = tokenizers.Tokenizer.from_str(content.decode())
    # Behind its 49,408 pieces CLIP's packaged vocabulary has spellings that cleaned text never holds.
    pieces = PIECES["clip"] if spec.cleaning == "clip" else max(backend.get_vocab().values()) + 1
    if pieces > config.vocabulary:
        raise InputError(f"model.text: the tokenizer has {pieces} pieces, the tower takes {config.vocabulary}")
    ids = backend.encode("").ids
    if config.end_id is not None and (not ids or ids[-1] != config.end_id):
        raise InputError(f"model.text.config.eos_id: expected {ids[-1] if ids else 'none'}, which ends this tokenizer's texts")
    if config.pad_id is not None and config.pad_id != spec.pad_id:
        raise InputError(f"model.text.config.pad_id: expected the tokenizer's {spec.pad_id}, got {config.pad_id}")
