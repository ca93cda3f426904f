"""Builds the trunks of timm's towers, and measures what their configuration says of them."""

import difflib
import re
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seesay.errors import MissingExtra, ModelError, first_sentence
from seesay.models.families.timm.config import TimmConfig

NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")  # others, such as hf-hub:..., are fetched from somewhere


def library() -> Any:
    """The library timm. Raises MissingExtra where it cannot be imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other libraries, about each other
            import timm
    except (ImportError, RuntimeError) as error:  # a RuntimeError where torchvision does not fit torch
        raise MissingExtra(f"an image tower of timm ({first_sentence(error)})", "timm") from None
    return timm


def make_trunk(config: TimmConfig, dim: int) -> nn.Module:
    """The trunk, its weights not initialised where the default device is "meta". Raises ModelError, MissingExtra.

    timm's classifier stays where it projects, with `dim` outputs; else it is taken off as OpenCLIP does it, after building,
    because with another pooling timm would build other norms.
    """
    timm = library()
    check_name(config.model)
    pool = {"global_pool": config.pool} if config.pool else {}
    try:
        if config.classifier:
            outputs = dim if config.projection == "linear" else 0
            trunk = timm.create_model(config.model, pretrained=False, num_classes=outputs, **pool)
        else:
            trunk = timm.create_model(config.model, pretrained=False)
            trunk.reset_classifier(0, **pool)
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"timm {timm.__version__} does not build {config.model!r} with the pooling {config.pool or 'of its own'!r}: "
            f"{first_sentence(error)}"
        ) from None
    _restore_buffers(trunk)
    return trunk  # type: ignore[no-any-return]


def check_name(model: str) -> None:
    """Raises ModelError for a name that is not of one of the installed timm's architectures."""
    timm = library()
    if NAME.fullmatch(model) and timm.is_model(model):
        return
    near = difflib.get_close_matches(model, timm.list_models(), n=3)
    raise ModelError(
        f"timm {timm.__version__} has no architecture {model[:80]!r}"
        + (f"; near: {', '.join(near)}" if near else "")
        + ". A newer timm may have it: pip install -U timm"
    )


def _restore_buffers(trunk: nn.Module) -> None:
    """Computes tables that no checkpoint holds (positions, masks), which building on the device "meta" leaves empty.

    The weights beside them leave that device too, because the tables go where these are; their memory stays untouched.
    """
    without = [module for module in trunk.modules() if any(table.is_meta for table in _tables(module))]
    for module in without:
        module.to_empty(device="cpu")
    for module in without:
        if not hasattr(module, "init_non_persistent_buffers"):
            raise ModelError(
                f"timm's {type(module).__name__} does not say how its tables are computed. A newer timm may: "
                "pip install -U timm"
            )
        with torch.device("cpu"):
            module.init_non_persistent_buffers()  # type: ignore[operator]


def _tables(module: nn.Module) -> list[Tensor]:
    return [buffer for name in module._non_persistent_buffers_set if (buffer := module._buffers.get(name)) is not None]


def last_map(trunk: nn.Module, features: Tensor) -> Tensor | None:
    """A trunk's last features (of its `forward_features`) by cell, (B, rows, columns, C); None where they are no square map."""
    if features.ndim == 4:
        cells = features if getattr(trunk, "output_fmt", "NCHW") == "NHWC" else features.permute(0, 2, 3, 1)
        return cells if cells.shape[1] == cells.shape[2] else None
    if features.ndim != 3:
        return None
    patches = features[:, getattr(trunk, "num_prefix_tokens", 0) :]
    side = round(patches.shape[1] ** 0.5)
    return patches.reshape(-1, side, side, patches.shape[2]) if side * side == patches.shape[1] else None


def alone(trunk: Any, cells: Tensor, features: Tensor) -> Tensor:
    """Each cell as the whole of a map: cells (B, rows, columns, C) -> features as `forward_features` gives them, for B * rows *
    columns images. features: those of the whole images."""
    each = cells.flatten(0, 2)
    if features.ndim == 4:
        return each[:, None, None] if getattr(trunk, "output_fmt", "NCHW") == "NHWC" else each[:, :, None, None]
    prefix = getattr(trunk, "num_prefix_tokens", 0)
    includes_prefix = getattr(trunk, "pool_include_prefix", False) or getattr(trunk, "global_pool", "") == "token"
    # Where pooling leaves out the tokens before the patches, such tokens must be there to be left out.
    return each[:, None].expand(-1, 1 if includes_prefix else 1 + prefix, -1)


def measure(config: TimmConfig) -> TimmConfig:
    """The configuration with its width, cells, weights and multiplications as timm's tower has them; takes a second or two.

    Raises ModelError, also where the tower does not take images of this size or gives no vectors; MissingExtra.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        trunk: Any = make_trunk(replace(config, projection="none"), 0).eval().requires_grad_(False).to("meta")
        pixels = torch.empty(1, 3, config.image_px, config.image_px)
    counter = FlopCounterMode(display=False)
    try:
        with counter:
            features = trunk.forward_features(pixels)
            pooled = trunk.forward_head(features)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"timm's {config.model} does not take images of {config.image_px} pixels: {first_sentence(error)}"
        ) from None
    if pooled.ndim != 2:
        raise ModelError(f"timm's {config.model} without pooling gives no vector per image, but {tuple(pooled.shape[1:])}")
    cells = last_map(trunk, features)
    return replace(
        config,
        width=pooled.shape[1],
        cells=0 if cells is None else cells.shape[1],
        weights=sum(p.numel() for p in trunk.parameters()),
        multiplications=counter.get_total_flops() // 2,
    )
