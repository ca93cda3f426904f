"""Builds the model of a recipe: towers from scratch, from a checkpoint, or from several, with initial weights."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from seesay.checkpoints.hub.catalog import architecture
from seesay.checkpoints.preprocessing import preset
from seesay.errors import InputError, ModelError
from seesay.images.spec import ImageSpec
from seesay.models.clip import Clip, make_tower
from seesay.models.config import ImageConfig, ModelConfig, TextConfig
from seesay.models.initialise import initialise
from seesay.models.layers.groups import names_in
from seesay.models.layers.init import initialise_projection
from seesay.tokenizers import Tokenizer, vocabulary
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES, SPECS
from seesay.training import losses
from seesay.training.recipe import ImageTowerRecipe, Loss, ModelRecipe, Recipe, TextTowerRecipe
from seesay.training.start.changes import add_changes
from seesay.training.start.freezing import set_training
from seesay.training.start.input_size import resized, set_patch_dropout, shortened, sized
from seesay.training.start.start_models import StartModels


@dataclass(frozen=True)
class BuiltModel:
    """A model to train, with its tokenizer. vocabulary: the content of its tokenizer.json. base: the model whose towers both
    are, unchanged in shape, which an adapter would go on; None where there is none."""

    clip: Clip
    vocabulary: bytes
    tokenizer: Tokenizer
    base: ModelConfig | None = None


def build(recipe: Recipe) -> BuiltModel:
    """The model with its initial weights, drawn with the recipe's seed, and frozen as the recipe demands.

    Raises InputError, ModelError.
    """
    torch.manual_seed(recipe.seed)
    model = recipe.model
    _check_origins(model)
    start_models = StartModels(recipe)
    image_start = _start_clip(model.image, model, start_models, "image")
    text_start = _start_clip(model.text, model, start_models, "text")
    dim = model.dim or _dim(model.image, image_start) or _dim(model.text, text_start)
    assert dim is not None
    image, image_config = _tower(model.image, image_start, dim, "image")
    text, text_config = _tower(model.text, text_start, dim, "text")
    spec = _image_spec(model.image, image_start, image_config)
    vocabulary_content, tokenizer_spec = _tokenizer(model.text, start_models, text_config)
    start = image_start if image_start is not None and image_start is text_start else None
    loss = losses.CONTRASTIVE[recipe.loss.kind]
    config = ModelConfig(
        format_version=1,
        name=recipe.name,
        dim=dim,
        image=image_config,
        text=text_config,
        image_spec=spec,
        tokenizer_spec=tokenizer_spec,
        logit_scale=0.0,
        logit_bias=None if loss.first_bias is None else 0.0,
        score=loss.score,
        precision={},
        languages=model.languages or (start.config.languages if start else ()),
        licence=start_models.licence(),
        provenance=start_models.provenance(),
        space_id="",
    )
    with torch.device("meta"):
        clip = Clip(config)
    clip.image, clip.text = image, text
    _set_logits(clip, recipe.loss, start)
    set_patch_dropout(image, model.image.patch_dropout)
    add_changes(clip, model)
    set_training(clip, recipe)
    kept = model.image.projection == model.text.projection == "kept"
    base = start.config if start is not None and kept and start.config.image == image_config else None
    return BuiltModel(clip, vocabulary_content, Tokenizer(vocabulary_content, tokenizer_spec), base)


def _set_logits(clip: Clip, config: Loss, start: Clip | None) -> None:
    """Initial scale of cosines, and bias if the loss has one.

    They are the recipe's, else those of a start trained with the same score, else the loss's own.
    """
    loss = losses.CONTRASTIVE[config.kind]
    scale, bias = loss.first_logit_scale, loss.first_bias
    if config.temperature is not None:
        scale = -math.log(config.temperature)
    clip.logit_scale = nn.Parameter(torch.zeros(()).fill_(scale), requires_grad=config.learn_temperature)
    clip.logit_bias = None if bias is None else nn.Parameter(torch.zeros(()).fill_(bias))
    if start is not None and config.temperature is None and start.config.score == loss.score:
        with torch.no_grad():
            clip.logit_scale.copy_(start.logit_scale)
            if clip.logit_bias is not None and start.logit_bias is not None:
                clip.logit_bias.copy_(start.logit_bias)


def _start_name(tower: ImageTowerRecipe | TextTowerRecipe, model: ModelRecipe) -> str | None:
    """The model that a tower comes from; None if it is trained from scratch."""
    from_scratch = tower.architecture is not None or tower.config is not None
    return tower.start or (None if from_scratch else model.start)


def _start_clip(
    tower: ImageTowerRecipe | TextTowerRecipe, model: ModelRecipe, start_models: StartModels, side: str
) -> Clip | None:
    name = _start_name(tower, model)
    return None if name is None else start_models.clip(name, side)


def _dim(tower: ImageTowerRecipe | TextTowerRecipe, start: Clip | None) -> int | None:
    return start.config.dim if start is not None and tower.projection == "kept" else None


def _check_origins(model: ModelRecipe) -> None:
    """Checks the origins of both towers before anything is opened. Raises InputError with every fault."""
    faults = []
    dim_given = model.dim is not None  # by the recipe, or by a start
    for name, tower in (("image", model.image), ("text", model.text)):
        start = _start_name(tower, model)
        if tower.architecture is not None:
            faults += _architecture_faults(tower, tower.architecture, name)
        elif start is None and tower.config is None:
            faults.append(f"model.{name}: say where it comes from: start, architecture or config")
        dim_given = dim_given or (start is not None and tower.projection == "kept")
    if not dim_given:
        faults.append("model.dim: missing; say how many dimensions the shared space has, such as 512")
    if faults:
        raise InputError("\n".join(faults))


def _architecture_faults(tower: ImageTowerRecipe | TextTowerRecipe, name: str, side: str) -> list[str]:
    try:
        entry = architecture(name)
    except ModelError as error:
        return [f"model.{side}.architecture: {error}"]
    if isinstance(tower, TextTowerRecipe) and tower.tokenizer is None and entry.vocabulary == "folder":
        return [
            f"model.text.tokenizer: {name} comes without a vocabulary; say 'clip', 'chinese_clip' or a model whose tokenizer "
            "is taken"
        ]
    return []


def _tower(
    recipe: ImageTowerRecipe | TextTowerRecipe, start: Clip | None, dim: int, side: Literal["image", "text"]
) -> tuple[Any, Any]:
    """A tower and its configuration."""
    config = _scratch(recipe, side) if start is None else getattr(start.config, side)
    if isinstance(recipe, ImageTowerRecipe):
        config = sized(config, recipe.image_px)
    config = _projected(config, recipe.projection, side)
    if start is not None:
        return _from_start(start, recipe, config, dim, side), config
    tower = make_tower(config, dim)
    initialise(tower)
    return tower, config


def _scratch(recipe: ImageTowerRecipe | TextTowerRecipe, side: str) -> Any:
    """The configuration of a tower that is trained from scratch."""
    if recipe.config is not None:
        return recipe.config
    assert recipe.architecture is not None
    return getattr(architecture(recipe.architecture), side)


def _from_start(start: Clip, recipe: ImageTowerRecipe | TextTowerRecipe, config: Any, dim: int, side: str) -> Any:
    """The start's own tower, or one with a new projection and the start's other weights."""
    tower, name = getattr(start, side), start.config.name
    if recipe.projection == "kept":
        if start.config.dim != dim:
            raise InputError(
                f"model.{side}.start: {recipe.start or name} projects into {start.config.dim} dimensions, the shared space has "
                f'{dim}. Give it a new projection: model.{side}.projection = "linear"'
            )
        return resized(tower, config, dim) if side == "image" else tower
    if side == "image":
        tower = resized(tower, sized(tower.config, config.image_px), start.config.dim)
    projected = make_tower(config, dim)
    missing, unexpected = projected.load_state_dict(tower.body_state(), strict=False)
    if unexpected or set(missing) - names_in(projected, projected.projection_group()):
        faults = ", ".join([*missing, *unexpected][:5])
        raise ModelError(f"the {side} tower of {name} cannot take a new projection: {faults}")
    initialise_projection(projected)
    return projected


def _projected(config: Any, kind: Literal["kept", "linear", "mlp"], tower: str) -> Any:
    """The configuration with a projection of this kind."""
    if kind == "kept":
        return config
    try:
        return config.with_projection(kind)
    except InputError as error:
        raise InputError(f"model.{tower}.projection: {error}") from None


def _image_spec(recipe: ImageTowerRecipe, start: Clip | None, config: ImageConfig) -> ImageSpec:
    own = start.config.image_spec if start is not None else None
    if own is not None and recipe.image_px is not None:
        own = own.at(recipe.image_px)
    spec = recipe.spec or own or preset("openai", config.image_px)
    if spec.size_px != config.image_px:
        raise InputError(f"model.image.spec.size_px: expected the tower's {config.image_px}, got {spec.size_px}")
    return spec


def _tokenizer(recipe: TextTowerRecipe, start_models: StartModels, config: TextConfig) -> tuple[bytes, TokenizerSpec]:
    """The content of the tokenizer.json, and the spec."""
    name = recipe.tokenizer or _start_name(recipe, start_models.recipe.model)
    if name is None:
        name = architecture(recipe.architecture).vocabulary if recipe.architecture else "clip"
    if name in SPECS:
        content, spec = vocabulary(name), SPECS[name]  # type: ignore[arg-type]
    else:
        checkpoint = start_models.checkpoint(name)
        own_content, own_spec = checkpoint.tokenizer(), checkpoint.description.tokenizer_spec
        if own_content is None or own_spec is None:
            raise InputError(f"model.text.tokenizer: {name} has no tokenizer")
        content, spec = own_content, own_spec
    spec = shortened(recipe.tokenizer_spec or spec, recipe.length, config)
    _check_tokenizer(content, spec, config)
    return content, spec


def _check_tokenizer(content: bytes, spec: TokenizerSpec, config: TextConfig) -> None:
    """Raises InputError if the tower cannot take the tokenizer's ids."""
    import tokenizers

    backend = tokenizers.Tokenizer.from_str(content.decode())
    # After its 49,408 pieces CLIP's packaged vocabulary has spellings that never occur in cleaned text.
    pieces = PIECES["clip"] if spec.cleaning == "clip" else max(backend.get_vocab().values()) + 1
    if pieces > config.vocabulary:
        raise InputError(f"model.text: the tokenizer has {pieces} pieces, the tower takes {config.vocabulary}")
    ids = backend.encode("").ids
    if config.end_id is not None and (not ids or ids[-1] != config.end_id):
        raise InputError(f"model.text.config.eos_id: expected {ids[-1] if ids else 'none'}, which ends this tokenizer's texts")
    if config.pad_id is not None and config.pad_id != spec.pad_id:
        raise InputError(f"model.text.config.pad_id: expected the tokenizer's {spec.pad_id}, got {config.pad_id}")
