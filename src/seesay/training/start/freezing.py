"""Freezes the parameters of a model that its recipe does not train."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.groups import freeze, freeze_rows, parameters_in, partly_frozen
from seesay.models.layers.lora import is_lora
from seesay.training.recipe import ImageTowerRecipe, Recipe, TextTowerRecipe


def set_training(clip: Clip, recipe: Recipe) -> None:
    """Training mode, except for frozen groups. Raises InputError for more unlocked groups or dimensions than there are."""
    clip.train()
    towers: tuple[tuple[str, Any, ImageTowerRecipe | TextTowerRecipe], ...] = (
        ("image", clip.image, recipe.model.image),
        ("text", clip.text, recipe.model.text),
    )
    for name, tower, config in towers:
        if config.unlocked_groups is not None:
            groups = tower.groups()
            if config.unlocked_groups > len(groups):
                raise InputError(
                    f"model.{name}.unlocked_groups: expected at most {len(groups)}, all groups of this tower, "
                    f"got {config.unlocked_groups}; leave it out and everything learns"
                )
            freeze(groups, config.unlocked_groups)
        if config.lora is not None:
            _freeze_all_but_lora(tower, new_projection=config.projection != "kept")
        if config.lora is not None or (isinstance(config, ImageTowerRecipe) and config.keep_statistics):
            _keep_statistics(tower)
        if config.unlocked_dims is not None:
            _freeze_dims(tower, clip.config.dim, config.unlocked_dims, name)


def _freeze_all_but_lora(tower: Any, *, new_projection: bool) -> None:
    """A new projection is trained whole: there is nothing yet that a change of low rank could be beside."""
    for name, parameter in tower.named_parameters():
        parameter.requires_grad_(is_lora(name))
    if new_projection:
        for parameter in parameters_in(tower.projection_group()):
            parameter.requires_grad_(True)


def _keep_statistics(tower: nn.Module) -> None:
    for module in tower.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def _freeze_dims(tower: Any, dim: int, unlocked: int, name: str) -> None:
    """Freezes all but the first `unlocked` dimensions of a linear projection."""
    projection = tower.groups()[-1][-1]
    if not isinstance(projection, nn.Linear):
        raise InputError(
            f"model.{name}.unlocked_dims: expected a tower with a linear projection, got a {tower.config.kind} with another"
        )
    if unlocked > dim:
        raise InputError(f"model.{name}.unlocked_dims: expected at most the space's {dim}, got {unlocked}")
    if projection.weight.requires_grad and not partly_frozen(projection.weight):
        freeze_rows(projection.weight, unlocked)
