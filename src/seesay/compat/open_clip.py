"""OpenCLIP's `open_clip`: create_model_and_transforms, create_model_from_pretrained, get_tokenizer, list_pretrained.

    from seesay.compat import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained="laion2b_s34b_b79k")
    tokenizer = open_clip.get_tokenizer("ViT-B-32")

Two things differ, both on purpose. Weights are never random: without `pretrained` there is an error, not a model. And a tag
brings the activation that its weights were trained with, whatever the architecture's name: "ViT-B-32" with "laion400m_e32" is
the QuickGELU model that it has to be. Models come in eval mode.
"""

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.catalog import CatalogModel, architecture, catalog, find
from seesay.compat.inputs import Preprocess, Words, listed, padded
from seesay.compat.sources import Source, described, opened
from seesay.compat.towers import Towers
from seesay.config import ImageSpec
from seesay.engines.cores import checked_threads
from seesay.errors import InputError, ModelError, TruncatedText
from seesay.images.preprocess import preprocess
from seesay.images.read import read
from seesay.location import HUB
from seesay.tokenizers import SPECS, tokenizer_json, vocabulary

if TYPE_CHECKING:
    from seesay.images.read import ImageInput

__all__ = [
    "CLIP",
    "create_model",
    "create_model_and_transforms",
    "create_model_from_pretrained",
    "get_tokenizer",
    "list_models",
    "list_pretrained",
]

LOCAL = "local-dir:"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
AREA, SHAPE = (0.9, 1.0), (3 / 4, 4 / 3)  # of the part that a training picture is cut to


class CLIP(Towers):
    """Raw projections, unit vectors on request. Called, it gives unit vectors and the scale, as OpenCLIP's loss takes them."""

    ids_come_from = "get_tokenizer(name), with the model's name"

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """pixels (N, 3, side, side) -> (N, dim)"""
        vectors = self.pictures(image)
        return F.normalize(vectors, dim=-1) if normalize else vectors

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """ids (N, L) -> (N, dim)"""
        vectors = self.texts(text)
        return F.normalize(vectors, dim=-1) if normalize else vectors

    def get_logits(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.logits(self.encode_image(image), self.encode_text(text))
        return logits, logits.T

    def forward(self, image: Tensor | None = None, text: Tensor | None = None) -> tuple[Tensor | None, ...]:
        """-> unit vectors of pictures and of texts (None for what was not given), the scale, and the bias where there is one"""
        pictures = None if image is None else self.encode_image(image, normalize=True)
        texts = None if text is None else self.encode_text(text, normalize=True)
        scale = self.logit_scale.exp()
        return (pictures, texts, scale) if self.logit_bias is None else (pictures, texts, scale, self.logit_bias)


@dataclass(frozen=True)
class TrainPreprocess:
    """OpenCLIP's default augmentation: a random part, 90 to 100% of the picture, squashed to the tower's size.

    A picture longer than 3:2 or so has no such part between 3:4 and 4:3; its centre is taken, as there.
    The random numbers are torch's, so torch.manual_seed repeats them.
    """

    spec: ImageSpec

    def __call__(self, image: "ImageInput") -> Tensor:
        picture = read(image, alpha=self.spec.alpha).image
        part = picture.crop(_part(*picture.size))
        return torch.from_numpy(preprocess([part], replace(self.spec, resize="squash"))[0])


def _part(width: int, height: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom; all of the picture where no part of such a shape fits into it."""
    for _ in range(10):
        area = width * height * _between(*AREA)
        ratio = math.exp(_between(math.log(SHAPE[0]), math.log(SHAPE[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = round(_between(0, width - w)), round(_between(0, height - h))
            return left, top, left + w, top + h
    w, h = min(width, round(height * SHAPE[1])), min(height, round(width / SHAPE[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def create_model_and_transforms(
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    jit: bool = False,
    force_quick_gelu: bool = False,
    image_mean: Sequence[float] | None = None,
    image_std: Sequence[float] | None = None,
    cache_dir: str | None = None,
    *,
    threads: int | None = None,
) -> tuple[CLIP, TrainPreprocess, Preprocess]:
    """-> model, preprocessing for training (random parts), preprocessing for everything else.

    `model_name`: an architecture, with `pretrained` a tag or a file of weights; or what says everything itself:
    hf-hub:OWNER/NAME, local-dir:FOLDER, any other path, "bundled". `jit` changes nothing. `threads`: of torch on a CPU, by
    default as many as there are free cores.
    Raises InputError, ModelError, DownloadError.
    """
    model = create_model(model_name, pretrained, precision, device, jit, force_quick_gelu, cache_dir, threads=threads)
    spec = model.preprocess.spec
    spec = replace(spec, mean=_three(image_mean or spec.mean), std=_three(image_std or spec.std))
    return model, TrainPreprocess(spec), Preprocess(spec)


def create_model_from_pretrained(
    model_name: str, pretrained: str | os.PathLike[str] | None = None, **options: Any
) -> tuple[CLIP, Preprocess]:
    """-> model, preprocessing; options as in `create_model_and_transforms`"""
    model, _, after = create_model_and_transforms(model_name, pretrained, **options)
    return model, after


def create_model(
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    jit: bool = False,
    force_quick_gelu: bool = False,
    cache_dir: str | None = None,
    *,
    threads: int | None = None,
) -> CLIP:
    checked_threads(threads)
    if precision not in DTYPES:
        raise InputError(f"precision is one of {', '.join(DTYPES)}, got {precision!r}")
    if cache_dir is not None:
        warnings.warn("cache_dir is not used: set SEESAY_CACHE to say where models are kept", stacklevel=2)
    said: dict[str, Any] = {"activation": "quick_gelu"} if force_quick_gelu else {}
    if (whole := _whole(model_name)) is not None:
        checkpoint = opened(whole, **said)
    elif not pretrained:
        raise InputError(
            f"{model_name!r} without pretrained would have random weights. Pass pretrained= a file, or a tag: "
            + (_tags(model_name) or "none is known for this architecture")
        )
    elif (entry := _entry(model_name, pretrained)) is not None:
        checkpoint = opened(entry.id, **said)
    elif os.path.exists(pretrained):
        checkpoint = opened(pretrained, architecture=_plain(model_name), preprocessing="openai", **said)
    else:
        raise ModelError(
            f"no weights {os.fspath(pretrained)!r} for {model_name!r}: expected an existing file or one of the tags "
            + (_tags(model_name) or "of the catalogue, which has none for this architecture (seesay models list)")
        )
    model = CLIP(checkpoint, threads)
    _ = model.visual
    return model.to(device=device, dtype=DTYPES[precision])


class SimpleTokenizer:
    """One text or a list -> ids (N, context_length) int64, padded. Longer texts lose their end, which a warning reports."""

    def __init__(self, words: Words, context_length: int | None = None) -> None:
        self.words = words
        self.context_length = context_length or words.context

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        texts, length = listed(texts), context_length or self.context_length
        tokens = self.words(texts, length)
        if cut := int(tokens.truncated.sum()):
            warnings.warn(
                f"{cut} of {len(texts)} texts are longer than {length} tokens and lost their end", TruncatedText, stacklevel=2
            )
        return padded(tokens, length, self.words.spec.pad_id)


def get_tokenizer(model_name: str = "", context_length: int | None = None) -> SimpleTokenizer:
    """By the name given to `create_model_and_transforms`. Where a vocabulary comes with its weights, it alone is fetched."""
    return SimpleTokenizer(_source(model_name).words, context_length)


def _source(model_name: str) -> Source:
    if (whole := _whole(model_name)) is not None:
        return described(whole)
    if not model_name:
        return Source("", None, None, SPECS["open_clip"], vocabulary("open_clip"))
    known = architecture(_plain(model_name))
    words = _fetched(_plain(model_name)) if known.vocabulary == "folder" else vocabulary(known.vocabulary)
    return Source(model_name, None, known.text, known.tokenizer_spec, words)


def _fetched(name: str) -> bytes:
    """The vocabulary of an architecture whose weights bring it; all weights of one architecture have the same."""
    from seesay.download import hub_folder

    for model in catalog().models:
        if model.architecture == name and model.source.repo is not None:
            return tokenizer_json(hub_folder(model.source.repo, weights=(), revision=model.source.revision))
    raise ModelError(
        f"the vocabulary of {name!r} comes with its weights, and the catalogue has none; name them: hf-hub:OWNER/NAME"
    )


def list_pretrained() -> list[tuple[str, str]]:
    """(architecture, tag) of everything that can be created."""
    names = [(model, alias) for model in catalog().models if model.family != "chinese-clip" for alias in model.aliases]
    return sorted({(alias.split(":")[0], alias.split(":")[1]) for _, alias in names if ":" in alias})


def list_models() -> list[str]:
    """The names of architectures."""
    return sorted(name for name in catalog().architectures if "@" not in name)


def _tags(model_name: str) -> str:
    """Those of an architecture, for messages."""
    return ", ".join(tag for name, tag in list_pretrained() if name == _plain(model_name))


def _whole(model_name: str) -> str | None:
    """A name that needs no `pretrained`."""
    if model_name.startswith(LOCAL):
        return model_name.removeprefix(LOCAL)
    here = os.sep in model_name and os.path.exists(model_name)
    return model_name if here or model_name == "bundled" or model_name.startswith(HUB) else None


def _entry(model_name: str, pretrained: str | os.PathLike[str]) -> CatalogModel | None:
    return find(f"{_plain(model_name)}:{os.fspath(pretrained)}")


def _plain(model_name: str) -> str:
    return model_name.replace("/", "-")  # OpenAI's names work too


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise InputError(f"expected three numbers, one per colour, got {values!r}")
    return float(values[0]), float(values[1]), float(values[2])
