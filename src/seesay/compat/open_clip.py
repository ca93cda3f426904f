"""OpenCLIP's `open_clip`: create_model_and_transforms, get_tokenizer, tokenize, build_zero_shot_classifier, list_pretrained.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.checkpoints.hub.catalog import CatalogModel, architecture, catalog, find
from seesay.checkpoints.hub.locate import HUB
from seesay.checkpoints.overrides import CLIP_MEAN, CLIP_STD
from seesay.compat.absent import absent
from seesay.compat.inputs import CONTEXT, Preprocess, Words, listed, padded
from seesay.compat.sources import Source, described, opened
from seesay.compat.towers import Towers
from seesay.errors import InputError, ModelError, TruncatedText
from seesay.images.preprocess import preprocess
from seesay.images.read import read
from seesay.images.spec import ImageSpec
from seesay.system.cpu import checked_threads
from seesay.tasks.prompts import imagenet_classes, named_templates
from seesay.tokenizers import SPECS, tokenizer_json, vocabulary

if TYPE_CHECKING:
    from seesay.images.read import ImageInput

__all__ = [
    "CLIP",
    "IMAGENET_CLASSNAMES",
    "OPENAI_DATASET_MEAN",
    "OPENAI_DATASET_STD",
    "OPENAI_IMAGENET_TEMPLATES",
    "SIMPLE_IMAGENET_TEMPLATES",
    "SimpleTokenizer",
    "build_zero_shot_classifier",
    "create_model",
    "create_model_and_transforms",
    "create_model_from_pretrained",
    "get_cast_dtype",
    "get_input_dtype",
    "get_tokenizer",
    "image_transform",
    "list_models",
    "list_openai_models",
    "list_pretrained",
    "list_pretrained_models_by_tag",
    "list_pretrained_tags_by_model",
    "tokenize",
]
__getattr__ = absent(__name__, "open_clip", __all__)

LOCAL = "local-dir:"
INTERPOLATIONS, RESIZE_MODES = ("bicubic", "bilinear"), ("shortest", "longest", "squash")
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
SIMPLE = (73, 7, 44, 69, 35, 67, 64)  # of the 80 templates, the seven that Radford et al. found to do nearly as well
OPENAI_DATASET_MEAN, OPENAI_DATASET_STD = CLIP_MEAN, CLIP_STD
AREA, SHAPE = (0.9, 1.0), (3 / 4, 4 / 3)  # of the part that a training picture is cut to


class Template(str):
    """A prompt with {} where the label goes, which is called with the label, or formatted."""

    def __call__(self, label: str) -> str:
        return self.format(label)


OPENAI_IMAGENET_TEMPLATES = tuple(map(Template, named_templates("imagenet")))
SIMPLE_IMAGENET_TEMPLATES = tuple(OPENAI_IMAGENET_TEMPLATES[number] for number in SIMPLE)
IMAGENET_CLASSNAMES = imagenet_classes()


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
    force_image_size: int | None = None,
    force_context_length: int | None = None,
    image_mean: Sequence[float] | None = None,
    image_std: Sequence[float] | None = None,
    image_interpolation: Literal["bicubic", "bilinear"] | None = None,
    image_resize_mode: Literal["shortest", "longest", "squash"] | None = None,
    cache_dir: str | None = None,
    weights_only: bool = True,
    *,
    threads: int | None = None,
) -> tuple[CLIP, TrainPreprocess, Preprocess]:
    """-> model, preprocessing for training (random parts), preprocessing for everything else.

    `model_name`: an architecture, with `pretrained` a tag or a file of weights; or what says everything itself:
    hf-hub:OWNER/NAME, local-dir:FOLDER, any other path, "bundled". `force_image_size`, `force_context_length`: positions are
    resized. `jit` changes nothing, nor does `weights_only`: nothing else is ever loaded. `threads`: of torch on a CPU, by
    default as many as there are free cores.
    Raises InputError, ModelError, DownloadError.
    """
    sizes = {"force_image_size": force_image_size, "force_context_length": force_context_length}
    model = create_model(model_name, pretrained, precision, device, jit, force_quick_gelu, cache_dir, threads=threads, **sizes)
    spec = model.preprocess.spec
    spec = replace(
        spec,
        mean=_three(image_mean or spec.mean),
        std=_three(image_std or spec.std),
        interpolation=_one_of("image_interpolation", image_interpolation, INTERPOLATIONS) or spec.interpolation,
        resize=_one_of("image_resize_mode", image_resize_mode, RESIZE_MODES) or spec.resize,
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
    """-> model, preprocessing, or the model alone; options as in `create_model_and_transforms`"""
    model, _, after = create_model_and_transforms(model_name, pretrained, **options)
    return (model, after) if return_transform else model


def create_model(
    model_name: str,
    pretrained: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    jit: bool = False,
    force_quick_gelu: bool = False,
    cache_dir: str | None = None,
    *,
    force_image_size: int | None = None,
    force_context_length: int | None = None,
    threads: int | None = None,
) -> CLIP:
    checked_threads(threads)
    if precision not in DTYPES:
        raise InputError(f"precision is one of {', '.join(DTYPES)}, got {precision!r}")
    if cache_dir is not None:
        warnings.warn("cache_dir is not used: set SEESAY_CACHE to say where models are kept", stacklevel=2)
    said: dict[str, Any] = {"activation": "quick_gelu"} if force_quick_gelu else {}
    sizes = {"image_px": force_image_size, "context_length": force_context_length}
    said |= {name: value for name, value in sizes.items() if value is not None}
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


def tokenize(texts: str | Sequence[str], context_length: int = CONTEXT) -> Tensor:
    """One text or a list -> ids (N, context_length) int64 of OpenAI's vocabulary, padded with 0 (others: `get_tokenizer`)."""
    return get_tokenizer()(texts, context_length)


def get_input_dtype(precision: str) -> torch.dtype | None:
    """What pixels are given in; None for float32, as they come."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision.removeprefix("pure_"))


get_cast_dtype = get_input_dtype


def image_transform(
    image_size: int | tuple[int, int],
    is_train: bool,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    resize_mode: Literal["shortest", "longest", "squash"] | None = None,
    interpolation: Literal["bicubic", "bilinear"] | None = None,
    fill_color: int = 0,
) -> Preprocess | TrainPreprocess:
    """Preprocessing by itself, a picture -> pixels (3, image_size, image_size); a model's own comes with it."""
    sides = {image_size} if isinstance(image_size, int) else {*image_size}
    if len(sides) != 1:
        raise InputError(f"expected one side for both directions, got image_size {image_size}")
    (side,) = sides
    spec = ImageSpec(
        size_px=side,
        resize=_one_of("resize_mode", resize_mode, RESIZE_MODES) or "shortest",
        resize_px=side,
        interpolation=_one_of("interpolation", interpolation, INTERPOLATIONS) or "bicubic",
        mean=_three(mean or CLIP_MEAN),
        std=_three(std or CLIP_STD),
        fill=fill_color,
    )
    return TrainPreprocess(spec) if is_train else Preprocess(spec)


def build_zero_shot_classifier(
    model: CLIP,
    tokenizer: Callable[[list[str]], Tensor],
    classnames: Sequence[str],
    templates: Sequence[Callable[[str], str] | str],
    num_classes_per_batch: int | None = 10,
    device: str | torch.device = "cpu",
    use_tqdm: bool = False,
) -> Tensor:
    """-> (dim, classes): of each class the mean of its prompts' unit vectors, at unit length. `use_tqdm` shows nothing."""
    if isinstance(templates, str) or not len(templates) or isinstance(classnames, str) or not len(classnames):
        raise InputError("expected a list of at least one class name, and a list of at least one template")
    step, columns = num_classes_per_batch or len(classnames), []
    with torch.no_grad():
        for start in range(0, len(classnames), step):
            names = classnames[start : start + step]
            prompts = [
                template(name) if callable(template) else template.format(name) for name in names for template in templates
            ]
            vectors = model.encode_text(tokenizer(prompts).to(device), normalize=True)
            columns.append(F.normalize(vectors.view(len(names), len(templates), -1).mean(dim=1), dim=-1).T)
    return torch.cat(columns, dim=1)


def get_tokenizer(model_name: str = "", context_length: int | None = None, cache_dir: str | None = None) -> SimpleTokenizer:
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
    from seesay.checkpoints.hub.download import hub_folder

    for model in catalog().models:
        if model.architecture == name and model.source.repo is not None:
            return tokenizer_json(hub_folder(model.source.repo, weights=(), revision=model.source.revision))
    raise ModelError(
        f"the vocabulary of {name!r} comes with its weights, and the catalogue has none; name them: hf-hub:OWNER/NAME"
    )


@overload
def list_pretrained(as_str: Literal[False] = False) -> list[tuple[str, str]]: ...
@overload
def list_pretrained(as_str: Literal[True]) -> list[str]: ...
def list_pretrained(as_str: bool = False) -> list[tuple[str, str]] | list[str]:
    """(architecture, tag) of everything that can be created; as_str: with a colon between."""
    aliases = {alias for model in catalog().models if model.family != "chinese-clip" for alias in model.aliases if ":" in alias}
    pairs = sorted((alias.split(":")[0], alias.split(":")[1]) for alias in aliases)
    return [":".join(pair) for pair in pairs] if as_str else pairs


def list_pretrained_tags_by_model(model: str) -> list[str]:
    """The tags of an architecture; none where it has none."""
    return [tag for name, tag in list_pretrained() if name == _plain(model)]


def list_pretrained_models_by_tag(tag: str) -> list[str]:
    """The architectures that have a tag."""
    return [name for name, known in list_pretrained() if known == tag]


def list_openai_models() -> list[str]:
    """Of OpenAI's own weights."""
    return list_pretrained_models_by_tag("openai")


def list_models() -> list[str]:
    """The names of architectures."""
    return sorted(name for name in catalog().architectures if "@" not in name)


def _tags(model_name: str) -> str:
    """Those of an architecture, for messages."""
    return ", ".join(list_pretrained_tags_by_model(model_name))


def _whole(model_name: str) -> str | None:
    """A name that needs no `pretrained`."""
    if model_name.startswith(LOCAL):
        return model_name.removeprefix(LOCAL)
    here = os.path.exists(model_name) and (os.sep in model_name or _plain(model_name) not in catalog().architectures)
    return model_name if here or model_name == "bundled" or model_name.startswith(HUB) else None


def _entry(model_name: str, pretrained: str | os.PathLike[str]) -> CatalogModel | None:
    return find(f"{_plain(model_name)}:{os.fspath(pretrained)}")


def _plain(model_name: str) -> str:
    return model_name.replace("/", "-")  # OpenAI's names work too


Choice = TypeVar("Choice", bound=str)


def _one_of(name: str, value: Choice | None, known: tuple[str, ...]) -> Choice | None:
    if value is not None and value not in known:
        raise InputError(f"{name} is one of {', '.join(known)}, got {value!r}")
    return value


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise InputError(f"expected three numbers, one per colour, got {values!r}")
    return float(values[0]), float(values[1]), float(values[2])
