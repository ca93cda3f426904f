"""Adds the LoRA changes that a recipe trains to the towers of its model."""

from typing import Any

import torch
from torch import nn

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.lora import add_lora, bypassed, target_names
from seesay.training.recipe import ModelRecipe


def add_changes(clip: Clip, recipe: ModelRecipe) -> None:
    """Raises InputError for a tower without the layers that the recipe wants to adapt; it names the tower that has them."""
    for side, tower, config in (("image", clip.image, recipe.image), ("text", clip.text, recipe.text)):
        if config.lora is None:
            continue
        groups = tower.groups()
        unlocked = groups if config.unlocked_groups is None else groups[len(groups) - config.unlocked_groups :]
        try:
            names = add_lora(tower, config.lora, _names(tower, unlocked))
        except InputError as error:
            raise InputError(f"model.{side}.lora: {error}{_advice(clip, side)}") from None
        if side == "image":  # towers of texts are all ours, and call their layers
            px = clip.image.config.image_px
            if unused := bypassed(tower, names, torch.zeros(1, 3, px, px)):
                raise InputError(
                    f"model.image.lora: expected layers that the tower calls, got {', '.join(unused[:3])}, whose weights it "
                    "takes itself; leave them out of targets"
                )


def scales(recipe: ModelRecipe) -> dict[str, float]:
    """By tower, the factor of its changes."""
    towers = (("image", recipe.image.lora), ("text", recipe.text.lora))
    return {side: lora.scale for side, lora in towers if lora is not None}


def _names(tower: nn.Module, groups: Any) -> set[str]:
    """Names of all modules inside some groups."""
    members = {id(module) for group in groups for part in group if isinstance(part, nn.Module) for module in part.modules()}
    return {name for name, module in tower.named_modules() if id(module) in members}


def _advice(clip: Clip, side: str) -> str:
    """Which towers have attention, where this one has none."""
    own, other = (clip.image, "text") if side == "image" else (clip.text, "image")
    if target_names(own, "attention"):
        return ""
    counterpart: Any = getattr(clip, other)
    has = len(target_names(counterpart, "attention"))
    there = f"model.{other} ({counterpart.config.kind}) has {has} layers of attention" if has else "neither tower has attention"
    return f". {there}; image towers that have some are ViTs, such as openai/ViT-B-32"
