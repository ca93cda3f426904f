"""OpenCLIP's `open_clip`: create_model_and_transforms, get_tokenizer, tokenize, build_zero_shot_classifier, list_pretrained.

    from seesay.compat import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained="laion2b_s34b_b79k")
    tokenizer = open_clip.get_tokenizer("ViT-B-32")

Two things differ on purpose. Weights are never random: without `pretrained` there is an error, not a model. And a tag brings
the activation that its weights were trained with, whatever the architecture's name: "ViT-B-32" with "laion400m_e32" is a
QuickGELU model. Models come in eval mode.
"""

from seesay.compat.missing_names import missing_names
from seesay.compat.open_clip.model import CLIP, create_model, create_model_and_transforms, create_model_from_pretrained
from seesay.compat.open_clip.pretrained import (
    list_models,
    list_openai_models,
    list_pretrained,
    list_pretrained_models_by_tag,
    list_pretrained_tags_by_model,
)
from seesay.compat.open_clip.tokenizer import SimpleTokenizer, get_tokenizer, tokenize
from seesay.compat.open_clip.transform import (
    OPENAI_DATASET_MEAN,
    OPENAI_DATASET_STD,
    get_cast_dtype,
    get_input_dtype,
    image_transform,
)
from seesay.compat.open_clip.zero_shot_classifier import (
    IMAGENET_CLASSNAMES,
    OPENAI_IMAGENET_TEMPLATES,
    SIMPLE_IMAGENET_TEMPLATES,
    build_zero_shot_classifier,
)

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
__getattr__ = missing_names(__name__, "open_clip", __all__)
