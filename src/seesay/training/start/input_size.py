"""The sizes of what towers are trained on: another side of pictures, shorter texts.

After CLIPA (Li, Wang & Xie 2023, arXiv 2305.07017): most of a training needs only small pictures and short texts, which cost a
fraction of the time, and a short second run at full size adapts the model to it.
"""

from dataclasses import replace
from typing import Any

from seesay.errors import InputError
from seesay.models.clip import make_tower
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.layers.positions import resize_grid
from seesay.models.layers.tower import Tower
from seesay.tokenizers.spec import TokenizerSpec

TABLES = ("position_embedding", "pool.position_embedding")  # positions of a grid, by their names in image towers


def sized(config: ImageConfig, image_px: int | None) -> ImageConfig:
    """The configuration of the tower for pictures of another side. Raises InputError where the tower has one size, or cells
    of which this side is no multiple."""
    if image_px is None or image_px == config.image_px:
        return config
    if "image_px" not in config.overridable:
        raise InputError(
            f"model.image.image_px: expected {config.image_px}, the only size of this tower ({config.kind}), got {image_px}; "
            "vit, siglip-vit, eva and modified-resnet take others"
        )
    if image_px % config.cell_px:
        near = max(1, round(image_px / config.cell_px)) * config.cell_px
        raise InputError(
            f"model.image.image_px: expected a multiple of {config.cell_px}, the side of this tower's patches, got {image_px}; "
            f"the nearest is {near}"
        )
    return config.overridden(image_px=image_px)


def resized(tower: Tower, config: ImageConfig, dim: int) -> Tower:
    """The image tower with its weights at the size of this configuration, the positions of its grid interpolated; the tower
    itself where it has that size already."""
    if tower.config == config:
        return tower
    state = tower.state_dict()
    for name in state.keys() & set(TABLES):
        state[name] = resize_grid(state[name], config.grid)
    other = make_tower(config, dim)
    other.load_state_dict(state, assign=True)
    return other.requires_grad_()


def shortened(spec: TokenizerSpec, length: int | None, config: TextConfig) -> TokenizerSpec:
    """The tokenizer's settings for texts of at most so many tokens, their beginning and end among them; without a length, as
    many as both allow. The tower's table of positions stays as it is: a text that fits has the vector that it had.

    Raises InputError for a length that the tower does not take.
    """
    most = config.max_tokens
    if length is None:
        return spec if most is None or spec.context_length <= most else replace(spec, context_length=most)
    if most is not None and length > most:
        raise InputError(
            f"model.text.length: expected at most {most}, the positions of this tower ({config.kind}), got {length}; "
            "model.text.config.positions of a tower from scratch may be more"
        )
    if config.needs_full_length and length != most:
        raise InputError(
            f"model.text.length: expected {most}, the length to which all texts of this tower are padded, because it pools at "
            f"the last position, got {length}"
        )
    return replace(spec, context_length=length)


def set_patch_dropout(tower: Any, share: float) -> None:
    """Makes an image tower leave out a share of its patches in training. Raises InputError for a tower without patches."""
    if not share:
        return
    if not hasattr(tower, "patch_dropout"):
        raise InputError(
            "model.image.patch_dropout: expected a tower of patches (vit, siglip-vit, eva), of which some can be left out, "
            f"got {tower.config.kind}; leave patch_dropout out"
        )
    tower.patch_dropout = share
