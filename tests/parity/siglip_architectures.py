"""The published SigLIP and SigLIP 2 of Hugging Face by name, on torch's "meta" device; see `architectures`."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from seesay.checkpoints.overrides import Overrides
from tests.parity.architectures import Built, Facts

# Written by hand after the config.json that are published on the hub and big_vision's table of variants.
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
SO400M = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "intermediate_size": 4304}
GIANT = {"hidden_size": 1536, "num_hidden_layers": 40, "num_attention_heads": 16, "intermediate_size": 6144}
MULTILINGUAL, GEMMA = {"vocab_size": 250_000}, {"vocab_size": 256_000}
# Text and image settings, patch, and the resolutions.
SIGLIPS: dict[str, tuple[Facts, Facts, int, tuple[int, ...]]] = {
    "siglip-base": (BASE, BASE, 16, (224, 256, 384, 512)),
    "siglip-large": (LARGE, LARGE, 16, (256, 384)),
    "siglip-so400m": (SO400M, SO400M, 14, (384,)),
    "siglip-so400m-short": (SO400M | {"max_position_embeddings": 16}, SO400M, 14, (224,)),
    "siglip-base-multilingual": (BASE | MULTILINGUAL, BASE, 16, (256,)),
    "siglip-so400m-i18n": (SO400M | MULTILINGUAL, SO400M, 16, (256,)),
    "siglip2-base-32": (BASE | GEMMA, BASE, 32, (256,)),
    "siglip2-base": (BASE | GEMMA, BASE, 16, (224, 256, 384, 512)),
    "siglip2-large": (LARGE | GEMMA, LARGE, 16, (256, 384, 512)),
    "siglip2-so400m-14": (SO400M | GEMMA, SO400M, 14, (224, 384)),
    "siglip2-so400m": (SO400M | GEMMA, SO400M, 16, (256, 384, 512)),
    "siglip2-giant-opt": (SO400M | GEMMA | {"projection_size": 1536}, GIANT, 16, (256, 384)),
}


def siglips() -> Iterator[Built]:
    import transformers as t

    for name, (text, vision, patch, resolutions) in SIGLIPS.items():
        for px in resolutions:
            settings = {"text_config": text, "vision_config": vision | {"patch_size": patch, "image_size": px}}
            yield _built(f"{name}-patch{patch}-{px}", t.SiglipModel, t.SiglipConfig(**settings))
        yield _built(f"{name} SiglipTextModel", t.SiglipTextModel, t.SiglipTextConfig(**text))
        yield _built(f"{name} SiglipVisionModel", t.SiglipVisionModel, t.SiglipVisionConfig(**vision, patch_size=patch))
    yield _built("SiglipModel, defaults", t.SiglipModel, t.SiglipConfig())


def _built(name: str, kind: Any, config: Any) -> Built:
    with torch.device("meta"):
        model = kind(config)
    with TemporaryDirectory() as folder:
        model.config.save_pretrained(folder)
        saved = (Path(folder) / "config.json").read_text(encoding="utf-8")
    facts: Facts = {}
    text, vision = getattr(config, "text_config", config), getattr(config, "vision_config", config)
    if "Text" not in kind.__name__:
        facts |= {"image size": vision.image_size, "image patch": vision.patch_size, "image spec size": vision.image_size}
        facts |= {"image mean": (0.5, 0.5, 0.5), "image std": (0.5, 0.5, 0.5)}
        facts |= {"image resize": "squash", "image interpolation": "bilinear"}
    if "Vision" not in kind.__name__:
        facts |= {"text head": "affine", "text pooling": "last", "text causal": False, "text end": None}
        facts |= {"text context": text.max_position_embeddings}
    made = f"transformers {version('transformers').split('.')[0]}: {name}"
    return Built(made, model, facts, {"config.json": saved}, overrides=Overrides(preprocessing="siglip"))
