"""Builds every architecture that the original libraries name, on torch's "meta" device: shapes and settings, no numbers.

One generator per library gives `Built`s: the original's module, the files that would lie beside its weights, and what the
original says of itself where its modules do not show it.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import nn

from seesay.checkpoints.overrides import Overrides

Facts = dict[str, Any]


@dataclass
class Built:
    """`facts`: by the names that `by_name.stated_facts` uses. `architecture`: its name in SeeSay's catalogue, if it has one."""

    name: str
    model: nn.Module
    facts: Facts
    files: dict[str, str] = field(default_factory=dict)
    kind: str = "safetensors"
    overrides: Overrides = field(default_factory=Overrides)
    architecture: str = ""


# OpenCLIP ----------------------------------------------------------------------------------------------------------------

ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
# Their published config.json, where it differs from the defaults of transformers' classes. (Class, settings)
PUBLISHED_TEXT: dict[str, tuple[str, dict[str, Any]]] = {
    "roberta-base": ("RobertaConfig", ROBERTA | {"vocab_size": 50265}),
    "xlm-roberta-base": ("XLMRobertaConfig", ROBERTA | {"vocab_size": 250002}),
    "xlm-roberta-large": ("XLMRobertaConfig", ROBERTA | LARGE | {"vocab_size": 250002}),
}
POOLERS = {"MeanPooler": "mean", "ClsLastHiddenStatePooler": "cls"}
# What SeeSay does not read of OpenCLIP: (what the refusal must say, whether a model_cfg is of that kind)
REFUSED = {
    "mT5 text tower": ("mt5", lambda cfg: "mt5" in cfg["text_cfg"].get("hf_model_name", "")),
    "NLLB text tower": ("nllb", lambda cfg: "nllb" in cfg["text_cfg"].get("hf_model_name", "")),
}


def refused_kind(cfg: Facts) -> str | None:
    return next((kind for kind, (_, is_of) in REFUSED.items() if is_of(cfg)), None)


def open_clip_configs() -> dict[str, Facts]:
    """model_cfg by name."""
    import open_clip

    return {name: open_clip.get_model_config(name) for name in open_clip.list_models()}


def open_clip() -> Iterator[Built]:
    import open_clip
    import transformers
    from open_clip import hf_model

    def offline(name: str) -> Any:
        kind, settings = PUBLISHED_TEXT[name]
        return getattr(transformers, kind)(**settings)

    hf_model.AutoConfig = SimpleNamespace(from_pretrained=offline)
    for name, cfg in open_clip_configs().items():
        if refused_kind(cfg):
            continue
        with torch.device("meta"):
            model = open_clip.create_model(name, device="meta", pretrained_text=False)
        config = json.dumps({"model_cfg": cfg, "preprocess_cfg": {}})
        yield Built(name, model, _of_open_clip(model), {"open_clip_config.json": config}, architecture=name)


def _of_open_clip(model: Any) -> Facts:
    """Facts of a model made by `create_model`, which sets `preprocess_cfg` on the image tower."""
    visual, preprocess = model.visual, model.visual.preprocess_cfg
    facts = {
        "image size": _one(visual.image_size),
        "image spec size": _one(preprocess["size"]),
        "image mean": tuple(preprocess["mean"]),
        "image std": tuple(preprocess["std"]),
        "image resize": preprocess["resize_mode"],
        "image interpolation": preprocess["interpolation"],
    }
    if hasattr(visual, "pool_type"):
        pool = visual.attn_pool
        assert getattr(visual, "attn_pool_contrastive", None) is None
        facts |= {
            "image pooling": {"tok": "cls", "avg": "mean"}[visual.pool_type],
            "image norm after pool": visual.final_ln_after_pool,
            "image norm before": not isinstance(visual.ln_pre, nn.Identity),
            "image patch": _one(visual.patch_size),
            "image pool": None if pool is None else (len(pool.query), pool.attn.num_heads, pool.attn.embed_dim),
        }
    if hasattr(visual, "trunk"):
        facts |= _of_trunk(visual)
    if hasattr(model, "text") and hasattr(model.text, "pooler"):
        text = model.text
        assert text.transformer.pooler is None
        facts |= {"text pooling": POOLERS[type(text.pooler).__name__], "text pad id": text.config.pad_token_id}
        facts |= {"text head": {nn.Identity: "none", nn.Linear: "linear", nn.Sequential: "mlp"}[type(text.proj)]}
        facts |= {"text position ids": "after-padding", "text context": 77}  # RoBERTa's rule; the tokenizer's default
        return facts
    native = not hasattr(model, "text")
    text = model if native else model.text
    pooling, end = (model.text_pool_type, model.text_eos_id) if native else (text.pool_type, text.eos_id)
    if not native and text.cls_emb is not None:  # whatever its pool_type says
        assert not text.correct_cls_mask
        facts |= {"text padding": text.pad_id}
        pooling = "class"
    return facts | {
        "text causal": text.attn_mask is not None,
        "text context": text.context_length,
        "text pooling": {"argmax": "eos"}.get(pooling, pooling),
        # OpenAI's tokenizer gives its end the highest id, at which argmax points
        "text end": {"argmax": text.vocab_size - 1, "eos": end}.get(pooling),
        "text head": _head(text.text_projection),
    }


def _of_trunk(visual: Any) -> Facts:
    """Facts of a trunk of timm's that SeeSay computes itself; others timm builds here as well as there."""
    trunk = visual.trunk
    match type(trunk).__name__, getattr(trunk, "global_pool", None):
        case "VisionTransformer", "map":
            assert len(visual.head) == 0
            facts: Facts = {}
        case "Eva", "token":
            facts = _of_eva(trunk)
        case _:
            return {}
    return facts | {"image patch": _one(trunk.patch_embed.patch_size)}


def _head(projection: Any) -> str:
    return "none" if projection is None else "affine" if isinstance(projection, nn.Linear) else "linear"


def _of_eva(tower: Any) -> Facts:
    """Facts of EVA's image tower, the authors' or timm's."""
    block = tower.blocks[0]
    post = getattr(block, "postnorm", type(block).__name__ == "EvaBlockPostNorm")
    return {
        "image norm place": "post" if post else "pre",
        "image rotary": tower.rope is not None,
        "image biases": any(name.endswith(("q_bias", "q_proj.bias")) for name, _ in block.named_parameters()),
    }


def _one(sides: Any) -> Any:
    if isinstance(sides, int):
        return sides
    first, second = sides
    assert first == second
    return first


# OpenAI ------------------------------------------------------------------------------------------------------------------

# embed_dim, image_resolution, layers, width, patch, then of the text tower: width, heads. As in the published checkpoints.
OPENAI: dict[str, tuple[Any, ...]] = {
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 512, 8),
    "RN101": (512, 224, (3, 4, 23, 3), 64, None, 512, 8),
    "RN50x4": (640, 288, (4, 6, 10, 6), 80, None, 640, 10),
    "RN50x16": (768, 384, (6, 8, 18, 8), 96, None, 768, 12),
    "RN50x64": (1024, 448, (3, 15, 36, 10), 128, None, 1024, 16),
    "ViT-B/32": (512, 224, 12, 768, 32, 512, 8),
    "ViT-B/16": (512, 224, 12, 768, 16, 512, 8),
    "ViT-L/14": (768, 224, 24, 1024, 14, 768, 12),
    "ViT-L/14@336px": (768, 336, 24, 1024, 14, 768, 12),
}


def openai() -> Iterator[Built]:
    import clip

    assert set(OPENAI) == set(clip.available_models())
    for name, (dim, px, layers, width, patch, text_width, text_heads) in OPENAI.items():
        with torch.device("meta"):
            model = clip.model.CLIP(dim, px, layers, width, patch, 77, 49408, text_width, text_heads, 12)
            for number, value in (("input_resolution", px), ("context_length", 77), ("vocab_size", 49408)):
                delattr(model, number) if hasattr(model, number) else None
                model.register_buffer(number, torch.tensor(value))
        architecture = name.replace("/", "-").replace("@336px", "-336") + "-quickgelu"  # as OpenCLIP calls it
        yield Built(name, model, _of_openai(model, px), kind="TorchScript archive", architecture=architecture)


def _of_openai(model: Any, px: int) -> Facts:
    assert model.visual.input_resolution == px
    return {
        "image size": px,
        "image spec size": px,
        "image resize": "shortest",
        "image interpolation": "bicubic",
        "text causal": True,  # clip.model: build_attention_mask
        "text context": 77,
        "text pooling": "eos",
        "text end": 49407,
        "text head": "linear",
    } | ({"image pooling": "cls", "image norm before": True} if hasattr(model.visual, "ln_pre") else {})


# Chinese-CLIP ------------------------------------------------------------------------------------------------------------


def chinese_clip() -> Iterator[Built]:
    from cn_clip.clip import utils

    for name, info in utils._MODEL_INFO.items():
        with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()):
            model = utils.create_model(info["struct"])
        facts = {
            "image size": info["input_resolution"],
            "image spec size": info["input_resolution"],
            "image resize": "squash",
            "image interpolation": "bicubic",
            "text pooling": "cls",
            "text pad id": 0,
            "text context": 52,
            "text head": "linear",
            "text position ids": "from-zero",
        }
        yield Built(name, model, facts, kind="torch file", architecture=info["struct"])


# EVA-CLIP ----------------------------------------------------------------------------------------------------------------


def eva_clip() -> Iterator[Built]:
    """Every configuration of the authors: with it beside the weights, and by the rules for published sizes."""
    from consisid_eva_clip import factory
    from consisid_eva_clip.model import CustomCLIP

    linspace = torch.linspace
    for name in factory.list_models():
        cfg = factory.get_model_config(name)
        kinds = {"xattn": False, "fusedLN": False}  # faster kernels, which need a GPU
        settings = {part: cfg[part] | kinds for part in ("vision_cfg", "text_cfg")}
        # The shares of dropped branches are numbers, which the meta device has none of.
        with torch.device("meta"), mock.patch("torch.linspace", partial(linspace, device="cpu")):
            model = CustomCLIP(cfg["embed_dim"], **settings)
        visual, text = model.visual, model.text
        facts = _of_eva(visual) | {
            "image size": visual.image_size,
            "image patch": _one(visual.patch_embed.patch_size),
            "image spec size": visual.image_size,
            "image resize": "shortest",
            "image interpolation": "bicubic",
            "text causal": text.attn_mask is not None,
            "text context": text.context_length,
            "text pooling": "eos",
            "text end": text.vocab_size - 1,
            "text head": "linear",
        }
        assert visual.fc_norm is None
        published = name.replace("CLIP-", "").replace("bigE", "E")
        published = "" if published == "EVA01-B-16" else published  # whose weights were not
        files = {f"{name}.json": json.dumps(cfg)}
        yield Built(name, model, facts, files, "torch file", architecture=published)
        yield Built(f"{name}, by rule", model, facts, kind="torch file", architecture=published)


# Hugging Face transformers -----------------------------------------------------------------------------------------------


def _sizes(width: int, depth: int, heads: int, mlp: int, **more: Any) -> Facts:
    return {
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "intermediate_size": mlp,
    } | more


# Written by hand after the config.json that are published on the hub: OpenAI's say eos 2 where 49407 is meant.
WRONG_END = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
TEXT_512, TEXT_768 = _sizes(512, 12, 8, 2048, **WRONG_END), _sizes(768, 12, 12, 3072, **WRONG_END)
VIT_B, VIT_L = _sizes(768, 12, 12, 3072), _sizes(1024, 24, 16, 4096)
VIT_H = _sizes(1280, 32, 16, 5120, patch_size=14, hidden_act="gelu")
TEXT_H = _sizes(1024, 24, 16, 4096, hidden_act="gelu", **WRONG_END)
CLIPS: dict[str, tuple[int, Facts, Facts]] = {
    "openai/clip-vit-base-patch32": (512, TEXT_512, VIT_B | {"patch_size": 32}),
    "openai/clip-vit-base-patch16": (512, TEXT_512, VIT_B | {"patch_size": 16}),
    "openai/clip-vit-large-patch14": (768, TEXT_768, VIT_L | {"patch_size": 14}),
    "openai/clip-vit-large-patch14-336": (768, TEXT_768, VIT_L | {"patch_size": 14, "image_size": 336}),
    "laion/CLIP-ViT-H-14": (1024, TEXT_H, VIT_H),
    "laion/CLIP-ViT-g-14": (1024, TEXT_H, _sizes(1408, 40, 16, 6144, patch_size=14, hidden_act="gelu")),
    "laion/CLIP-ViT-bigG-14": (
        1280,
        _sizes(1280, 32, 20, 5120, hidden_act="gelu", **WRONG_END),
        _sizes(1664, 48, 16, 8192, patch_size=14, hidden_act="gelu"),
    ),
}
CHINESE_TEXT = {"vocab_size": 21128, "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12}
CHINESE_CLIPS: dict[str, tuple[int, Facts, Facts]] = {
    "OFA-Sys/chinese-clip-vit-base-patch16": (512, CHINESE_TEXT, VIT_B | {"patch_size": 16}),
    "OFA-Sys/chinese-clip-vit-large-patch14": (768, CHINESE_TEXT, VIT_L | {"patch_size": 14}),
    "OFA-Sys/chinese-clip-vit-large-patch14-336px": (768, CHINESE_TEXT, VIT_L | {"patch_size": 14, "image_size": 336}),
    "OFA-Sys/chinese-clip-vit-huge-patch14": (
        1024,
        CHINESE_TEXT | _sizes(1024, 24, 16, 4096),
        VIT_H | {"hidden_act": "quick_gelu"},
    ),
}

# After the published config.json (and OpenAI's image tower, which AltCLIP keeps).
XLM_R_LARGE = _sizes(1024, 24, 16, 4096, vocab_size=250002, max_position_embeddings=514, type_vocab_size=1, project_dim=768)
ALTCLIPS: dict[str, tuple[int, Facts, Facts]] = {
    "BAAI/AltCLIP": (768, XLM_R_LARGE, VIT_L | {"patch_size": 14, "hidden_act": "quick_gelu"})
}
# After transformers' conversion of Kakao Brain's model.
ALIGN: Facts = {"vision_config": {"image_size": 289, "hidden_dim": 640}, "projection_dim": 640}
# After OpenCLIP's configurations of the same weights.
WORLDWIDE = _sizes(1024, 24, 16, 4096, vocab_size=901629, bos_token_id=0, eos_token_id=2, pad_token_id=1)
METACLIP_2S: dict[str, tuple[int, Facts, Facts]] = {
    "facebook/metaclip-2-worldwide-huge-quickgelu": (1024, WORLDWIDE, VIT_H | {"hidden_act": "quick_gelu"}),
    "facebook/metaclip-2-worldwide-giant": (
        1280,
        WORLDWIDE | _sizes(1280, 32, 20, 5120, hidden_act="gelu"),
        _sizes(1664, 48, 16, 8192, patch_size=14, hidden_act="gelu"),
    ),
}


def hugging_face() -> Iterator[Built]:
    import transformers as t

    for name, (dim, text, vision) in ALTCLIPS.items():
        config = t.AltCLIPConfig(text_config=text, vision_config=vision | {"projection_dim": dim}, projection_dim=dim)
        yield _transformers(name, t.AltCLIPModel, config, architecture=name.split("/")[1])
    for name, (dim, text, vision) in CLIPS.items():
        text, vision = text | {"projection_dim": dim}, vision | {"projection_dim": dim}
        config = t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=dim)
        yield _transformers(name, t.CLIPModel, config)
        for kind in (t.CLIPTextModel, t.CLIPTextModelWithProjection):
            yield _transformers(f"{name} {kind.__name__}", kind, t.CLIPTextConfig(**text))
        for kind in (t.CLIPVisionModel, t.CLIPVisionModelWithProjection):
            yield _transformers(f"{name} {kind.__name__}", kind, t.CLIPVisionConfig(**vision))
    for name, (dim, text, vision) in CHINESE_CLIPS.items():
        config = t.ChineseCLIPConfig(
            text_config=text | {"projection_dim": dim}, vision_config=vision | {"projection_dim": dim}, projection_dim=dim
        )
        yield _transformers(name, t.ChineseCLIPModel, config)
    yield _transformers("kakaobrain/align-base", t.AlignModel, t.AlignConfig(**ALIGN), architecture="align-base")
    for name, (dim, text, vision) in METACLIP_2S.items():
        text, vision = text | {"projection_dim": dim}, vision | {"projection_dim": dim}
        config = t.MetaClip2Config(text_config=text, vision_config=vision, projection_dim=dim)
        yield _transformers(name, t.MetaClip2Model, config)
        yield _transformers(f"{name}, text", t.MetaClip2TextModelWithProjection, t.MetaClip2TextConfig(**text))
        yield _transformers(f"{name}, image", t.MetaClip2VisionModelWithProjection, t.MetaClip2VisionConfig(**vision))
    for kind, settings in (
        (t.CLIPModel, t.CLIPConfig()),
        (t.CLIPTextModel, t.CLIPTextConfig()),
        (t.CLIPTextModelWithProjection, t.CLIPTextConfig()),
        (t.CLIPVisionModel, t.CLIPVisionConfig()),
        (t.CLIPVisionModelWithProjection, t.CLIPVisionConfig()),
        (t.ChineseCLIPModel, t.ChineseCLIPConfig()),
        (t.AltCLIPModel, t.AltCLIPConfig()),
        (t.MetaClip2Model, t.MetaClip2Config()),
    ):
        yield _transformers(f"{kind.__name__}, defaults", kind, settings)


def _transformers(name: str, kind: Any, config: Any, architecture: str = "") -> Built:
    with torch.device("meta"):
        model = kind(config)
    with TemporaryDirectory() as folder:
        model.config.save_pretrained(folder)
        saved = (Path(folder) / "config.json").read_text(encoding="utf-8")
    chinese, masked = "Chinese" in kind.__name__, kind.__name__.startswith(("Align", "AltCLIP", "Chinese"))
    align = kind.__name__.startswith("Align")
    facts: Facts = {}
    text, vision = getattr(config, "text_config", config), getattr(config, "vision_config", config)
    if "Text" not in kind.__name__:
        facts |= {"image size": vision.image_size}
        if hasattr(vision, "patch_size"):
            facts |= {"image patch": vision.patch_size, "image pooling": "cls"}
            facts |= {"image norm before": True, "image norm after pool": False}
    if "Vision" not in kind.__name__:
        projected = kind.__name__ != "CLIPTextModel"
        facts |= {"text head": "affine" if align else "linear" if projected else "none"}
        if masked:
            positions = "from-zero" if chinese or align else "after-padding"
            facts |= {"text pooling": "cls", "text pad id": text.pad_token_id, "text position ids": positions}
        else:
            facts |= {"text pooling": "eos", "text causal": True, "text context": 77}
            facts |= {"text end": text.eos_token_id if kind.__name__.startswith("MetaClip2") else 49407}
    return Built(
        f"transformers {version('transformers').split('.')[0]}: {name}",
        model,
        facts,
        {"config.json": saved},
        overrides=Overrides(preprocessing="chinese-clip" if chinese else "openai"),
        architecture=architecture,
    )


LIBRARIES = {
    "open_clip": open_clip,
    "clip": openai,
    "cn_clip": chinese_clip,
    "transformers": hugging_face,
    "consisid_eva_clip": eva_clip,
}
