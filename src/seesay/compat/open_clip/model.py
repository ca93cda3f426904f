"""OpenCLIP's models: `create_model` and its variants, which return `CLIP`."""

import os
import warnings
from collections.abc import Sequence
from typing import Any, Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.checkpoints.reader import Checkpoint
from seesay.compat.checked_clip import CheckedClip
from seesay.compat.lookup import find_checkpoint
from seesay.compat.open_clip.pretrained import architecture_name, catalog_entry, list_pretrained_tags_by_model, whole_model
from seesay.compat.open_clip.transform import Interpolation, ResizeMode, TrainPreprocess, changed_spec
from seesay.compat.processors import Preprocess
from seesay.errors import InputError, ModelError
from seesay.system.cpu import check_threads

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class CLIP(CheckedClip):
    """Raw projections, or unit vectors on request. A call returns unit vectors and the scale, as OpenCLIP's loss takes them."""

    ids_source = "get_tokenizer(name), with the model's name"

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """pixels (N, 3, side, side) -> (N, dim)"""
        vectors = self.project_image(image)
        return F.normalize(vectors, dim=-1) if normalize else vectors

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """ids (N, L) -> (N, dim)"""
        vectors = self.project_text(text)
        return F.normalize(vectors, dim=-1) if normalize else vectors

    def get_logits(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """-> logits per image (N, M) and per text (M, N): scaled cosines, with the bias if there is one"""
        logits = self.logits(self.encode_image(image), self.encode_text(text))
        return logits, logits.T

    def forward(self, image: Tensor | None = None, text: Tensor | None = None) -> tuple[Tensor | None, ...]:
        """-> unit vectors of images and of texts (None for an input that is None), the scale, and the bias if there is one"""
        images = None if image is None else self.encode_image(image, normalize=True)
        texts = None if text is None else self.encode_text(text, normalize=True)
        return (images, texts, self.scale) if self.logit_bias is None else (images, texts, self.scale, self.logit_bias)


def create_model(
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    jit: bool = False,
    force_quick_gelu: bool = False,
    *,
    force_image_size: int | None = None,
    force_context_length: int | None = None,
    cache_dir: str | None = None,
    weights_only: bool = True,
    threads: int | None = None,
) -> CLIP:
    """The model alone, in eval mode.

    `model_name`: an architecture, with `pretrained` a tag or a file of weights; or a whole model: hf-hub:OWNER/NAME,
    local-dir:FOLDER, any other path, "bundled". `force_image_size`, `force_context_length`: learned positions are resized.
    `jit` and `weights_only` change nothing: towers run in torch as they are, and only weights are ever loaded. `threads`: of
    torch on a CPU, by default as many as there are free cores. Raises InputError, ModelError, DownloadError.
    """
    check_threads(threads)
    if precision not in DTYPES:
        raise InputError(
            f"precision is one of {', '.join(DTYPES)}, got {precision!r}",
            parameter="precision",
            expected=f"one of {', '.join(DTYPES)}",
            got=precision,
        )
    if cache_dir is not None:
        warnings.warn("cache_dir is not used: set SEESAY_CACHE to say where models are kept", stacklevel=2)
    forced = {
        "activation": "quick_gelu" if force_quick_gelu else None,
        "image_px": force_image_size,
        "context_length": force_context_length,
    }
    overrides = {name: value for name, value in forced.items() if value is not None}
    model = CLIP(_checkpoint(model_name, pretrained, overrides), threads)
    _ = model.visual  # raises for a text tower alone
    return model.to(device=device, dtype=DTYPES[precision])


def create_model_and_transforms(
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    jit: bool = False,
    force_quick_gelu: bool = False,
    *,
    image_mean: Sequence[float] | None = None,
    image_std: Sequence[float] | None = None,
    image_interpolation: Interpolation | None = None,
    image_resize_mode: ResizeMode | None = None,
    **options: Any,
) -> tuple[CLIP, TrainPreprocess, Preprocess]:
    """-> model, preprocessing for training (random crops), preprocessing for everything else; `options` as in `create_model`"""
    model = create_model(model_name, pretrained, precision, device, jit, force_quick_gelu, **options)
    spec = changed_spec(
        model.preprocess.spec,
        mean=image_mean,
        std=image_std,
        interpolation=image_interpolation,
        resize_mode=image_resize_mode,
        prefix="image_",
    )
    return model, TrainPreprocess(spec), Preprocess(spec)


@overload
def create_model_from_pretrained(
    model_name: str, pretrained: str | os.PathLike[str] | None = None, *, return_transform: Literal[True] = True, **options: Any
) -> tuple[CLIP, Preprocess]: ...
@overload
def create_model_from_pretrained(
    model_name: str, pretrained: str | os.PathLike[str] | None = None, *, return_transform: Literal[False], **options: Any
) -> CLIP: ...
def create_model_from_pretrained(
    model_name: str, pretrained: str | os.PathLike[str] | None = None, *, return_transform: bool = True, **options: Any
) -> tuple[CLIP, Preprocess] | CLIP:
    """-> model and preprocessing, or the model alone; `options` as in `create_model_and_transforms`"""
    model, _, preprocess = create_model_and_transforms(model_name, pretrained, **options)
    return (model, preprocess) if return_transform else model


def _checkpoint(model_name: str, pretrained: str | os.PathLike[str] | None, overrides: dict[str, Any]) -> Checkpoint:
    """The checkpoint of a whole model, of an architecture with a tag, or of one with a file of weights."""
    if (whole := whole_model(model_name)) is not None:
        return find_checkpoint(whole, **overrides)
    tags = ", ".join(list_pretrained_tags_by_model(model_name))
    if not pretrained:
        raise InputError(
            f"{model_name!r} without pretrained would have random weights. Pass pretrained= a file, or a tag: "
            + (tags or "none is known for this architecture"),
            parameter="pretrained",
            expected="a file or a tag",
        )
    if (entry := catalog_entry(model_name, pretrained)) is not None:
        return find_checkpoint(entry.id, **overrides)
    if os.path.exists(pretrained):
        return find_checkpoint(pretrained, architecture=architecture_name(model_name), preprocessing="openai", **overrides)
    raise ModelError(
        f"no weights {os.fspath(pretrained)!r} for {model_name!r}: expected an existing file or one of the tags "
        + (tags or "of the catalogue, which has none for this architecture (seesay models list)")
    )
