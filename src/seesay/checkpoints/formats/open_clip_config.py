"""Reads OpenCLIP's open_clip_config.json: towers, preprocessing and tokenizer."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import siglip
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence
from seesay.checkpoints.formats.transformers_config import LARGE, ROBERTA, XLM_ROBERTA, bert_config
from seesay.checkpoints.formats.trunks import trunk_by_model
from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.checkpoints.preprocessing import CLIP_MEAN, CLIP_STD
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import AttentionPoolConfig, VitConfig
from seesay.models.fields import Activation
from seesay.system.schema import read_object
from seesay.tokenizers.spec import Cleaning, TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES

CUSTOM = "OpenCLIP's experimental attention blocks are not known here, and no published model uses them"
CUSTOM_KEYS = ("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc")
MODEL = {
    *("embed_dim", "vision_cfg", "text_cfg", "multimodal_cfg", "custom_text", "quick_gelu", "output_dict", "cast_dtype"),
    *("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale"),  # the weights hold what training made of them
}
VISION = {
    *("layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "ls_init_value", "patch_dropout", "no_ln_pre"),
    *("pos_embed_type", "final_ln_after_pool", "pool_type", "output_tokens", "act_kwargs", "norm_kwargs", "block_type"),
    *("attentional_pool", "attn_pooler_queries", "attn_pooler_heads", *CUSTOM_KEYS),
}
TEXT = {
    *("context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs", "width", "heads", "layers"),
    *("mlp_ratio", "ls_init_value", "embed_cls", "pad_id", "eos_id", "no_causal_mask", "final_ln_after_pool", "pool_type"),
    *("proj_bias", "proj_type", "output_tokens", "act_kwargs", "norm_kwargs", "block_type", "hf_model_name"),
    *("hf_model_pretrained", "hf_proj_type", "hf_pooler_type", *CUSTOM_KEYS),
}
HF_CLEANINGS: dict[str, Cleaning] = {"whitespace": "whitespace", "lower": "lower", "canonicalize": "canonicalize"}
POOLERS = {"mean_pooler": "mean", "cls_pooler": "tanh", "cls_last_hidden_state_pooler": "cls"}
# OpenCLIP names a Hugging Face text model without its sizes; these are the ones that its own configurations use.
HF_TEXT_MODELS: dict[str, dict[str, Any]] = {
    "roberta-base": ROBERTA | {"model_type": "roberta"},
    "roberta-large": ROBERTA | LARGE | {"model_type": "roberta"},
    "xlm-roberta-base": XLM_ROBERTA,
    "xlm-roberta-large": XLM_ROBERTA | LARGE,
    "bert-base-uncased": {"model_type": "bert"},
    "bert-base-chinese": {"model_type": "bert", "vocab_size": 21128},
}


def describe(config: Mapping[str, Any], hf_text: Mapping[str, Any] | None, name: str) -> Description:
    """The model in an open_clip_config.json. Raises CheckpointError with every fault.

    hf_text: the config.json of a Hugging Face text tower, if there is one beside. name: the file, for messages.
    """
    faults: list[str] = []
    s = ForeignConfig(config.get("model_cfg", config), "model_cfg", faults)
    quick = bool(s.values.get("quick_gelu", False))
    _refuse_unknown(s, MODEL)
    dim, text = s.integer("embed_dim"), s.part("text_cfg")
    image = _image(s.part("vision_cfg"), dim, quick)
    text_config = _hf_text(text, hf_text) if text.values.get("hf_model_name") else _clip_text(text, quick)
    tokenizer_spec = _tokenizer_spec(text, text_config)
    image_spec = image_spec_of(config, image.image_px, faults)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=image,
        text=text_config,
        image_spec=image_spec,
        tokenizer_spec=tokenizer_spec,
        tokenizer=_vocabulary(text.values, text_config),
        source=name,
        biased=s.values.get("init_logit_bias") is not None,
        traits=siglip.TRAITS if _is_siglip(text_config) else None,
    )


def _is_siglip(text: TextConfig) -> bool:
    """Whether the text tower is SigLIP's, which takes any ids and was trained with one kind of vocabulary."""
    return isinstance(text, ClipTextConfig) and text.pooling == "last" and text.projection == "affine"


def _vocabulary(text_cfg: Mapping[str, Any], text: TextConfig) -> Literal["open_clip", "folder"]:
    named = text_cfg.get("hf_tokenizer_name") or text_cfg.get("hf_model_name")
    return "folder" if named or text.vocabulary < PIECES["open_clip"] else "open_clip"


def _image(s: ForeignConfig, dim: int, quick: bool) -> ImageConfig:
    if (name := s.values.get("timm_model_name")) is not None:
        if (trunk := trunk_by_model(str(name))) is not None:
            return trunk.configure(s)
        s.faults.append(f"{s.at}.timm_model_name: {name!r} is a tower of timm that SeeSay does not read")
    s.refuse("attentional_pool", lambda v: v in (None, False, True), "no published model pools so")
    _refuse_custom(s, VISION)
    head_width, width = s.integer("head_width", 64), s.integer("width", 768)
    layers = s.values.get("layers", 12)
    if isinstance(layers, list | tuple):
        if len(layers) != 4 or not all(isinstance(n, int) and n >= 1 for n in layers):
            s.faults.append(f"{s.at}.layers: expected a number, or four, got {layers!r}")
            layers = (1, 1, 1, 1)
        return ModifiedResNetConfig(
            kind="modified-resnet",
            image_px=s.side("image_size", 224),
            width=width,
            stages=tuple(layers),
            heads=width * 32 // head_width,
        )
    return VitConfig(
        kind="vit",
        image_px=s.side("image_size", 224),
        patch_px=s.side("patch_size", 16),
        width=width,
        depth=s.integer("layers", 12),
        heads=width // head_width,
        mlp_width=int(width * s.number("mlp_ratio", 4.0)),
        activation=_activation(s, quick),
        layer_norm_eps=_eps(s),
        pooling=s.choice("pool_type", {"tok": "cls", "avg": "mean"}, "tok"),
        norm_before=not s.values.get("no_ln_pre", False),
        norm_after_pool=bool(s.values.get("final_ln_after_pool", False)),
        layer_scale=s.values.get("ls_init_value") is not None,
        attention_pool=_attention_pool(s, dim) if s.values.get("attentional_pool") else None,
    )


def _attention_pool(s: ForeignConfig, dim: int) -> AttentionPoolConfig:
    return AttentionPoolConfig(s.integer("attn_pooler_queries", 256), s.integer("attn_pooler_heads", 8), dim)


def _clip_text(s: ForeignConfig, quick: bool) -> TextConfig:
    _refuse_custom(s, TEXT)
    s.refuse("ls_init_value", lambda v: v is None, "layer scale in a text tower is not known here")
    width, vocabulary = s.integer("width", 512), s.integer("vocab_size", PIECES["open_clip"])
    pooling = s.choice("pool_type", {"argmax": "argmax", "eos": "eos", "last": "last"}, "argmax")
    if s.values.get("embed_cls"):
        pooling = "class"  # whatever pool_type says
    if pooling == "argmax" and s.values.get("hf_tokenizer_name") and vocabulary != PIECES["open_clip"]:
        s.faults.append("text_cfg.pool_type 'argmax': the highest id of a text is its end in OpenAI's vocabulary only")
    linear = "affine" if s.values.get("proj_bias") else "linear"
    ends = {  # argmax takes the highest id of a text, which in OpenAI's vocabulary is its end
        "argmax": vocabulary - 1,
        "eos": s.integer("eos_id", 2, least=0, most=vocabulary - 1),
        "last": siglip.END if linear == "affine" else vocabulary - 1,
        "class": vocabulary - 1,
    }
    return ClipTextConfig(
        kind="clip-text",
        width=width,
        depth=s.integer("layers", 12),
        heads=s.integer("heads", 8),
        mlp_width=int(width * s.number("mlp_ratio", 4.0)),
        vocabulary=vocabulary,
        positions=s.integer("context_length", 77) + (pooling == "class"),
        activation=_activation(s, quick),
        layer_norm_eps=_eps(s),
        causal=not s.values.get("no_causal_mask", False),
        pooling="eos" if pooling == "argmax" else pooling,
        eos_id=ends[pooling],
        projection=s.choice("proj_type", {"linear": linear, "none": "none"}, "linear"),
        pad_id=s.integer("pad_id", 0, least=0, most=vocabulary - 1) if pooling == "class" else None,
    )


def _hf_text(s: ForeignConfig, beside: Mapping[str, Any] | None) -> BertConfig:
    _refuse_custom(s, TEXT)
    name = str(s.values["hf_model_name"])
    values = HF_TEXT_MODELS.get(name.removeprefix("FacebookAI/"), beside)
    if values is None:
        s.faults.append(
            f"text_cfg.hf_model_name: {name!r} is not known here ({', '.join(HF_TEXT_MODELS)}); "
            "put that model's config.json beside"
        )
        values = HF_TEXT_MODELS["roberta-base"]
    return bert_config(
        values,
        pooling=s.choice("hf_pooler_type", POOLERS, "mean_pooler"),
        head=s.choice("hf_proj_type", {"mlp": "mlp", "linear": "linear", None: "none"}, "mlp"),
        at="config.json",
        faults=s.faults,
    )


def _refuse_custom(s: ForeignConfig, supported: set[str]) -> None:
    for key in CUSTOM_KEYS:
        s.refuse(key, lambda v: not v, CUSTOM)
    s.refuse("block_type", lambda v: v in (None, "default"), CUSTOM)
    _refuse_unknown(s, supported)


def _refuse_unknown(s: ForeignConfig, supported: set[str]) -> None:
    unknown = sorted(key for key in s.values if key not in supported and not key.startswith("timm_"))
    s.faults.extend(f"{s.at}.{key}: unknown key, which might change what the model computes" for key in unknown)


def _activation(s: ForeignConfig, quick: bool) -> Activation:
    approximate: Activation = s.part("act_kwargs").choice("approximate", {"none": "gelu", "tanh": "gelu_tanh"}, "none")
    return "quick_gelu" if quick else approximate


def _eps(s: ForeignConfig) -> float:
    return s.part("norm_kwargs").number("eps", 1e-5)


def image_spec_of(config: Mapping[str, Any], image_px: int, faults: list[str]) -> ImageSpec:
    """The `preprocess_cfg` of an open_clip_config.json; `image_px`: where it has no size."""
    s = ForeignConfig(config, "", faults).part("preprocess_cfg")
    s.refuse("mode", lambda v: v == "RGB", "only RGB is known")
    size = s.side("size", image_px)
    return ImageSpec(
        size_px=size,
        resize=s.choice("resize_mode", {"shortest": "shortest", "longest": "longest", "squash": "squash"}, "shortest"),
        resize_px=size,
        interpolation=s.choice("interpolation", {"bicubic": "bicubic", "bilinear": "bilinear"}, "bicubic"),
        mean=s.three("mean", CLIP_MEAN),
        std=s.three("std", CLIP_STD),
        fill=s.integer("fill_color", 0, least=0, most=255),
    )


def _tokenizer_spec(s: ForeignConfig, text: TextConfig) -> TokenizerSpec:
    """Padding is "longest" where it changes no vector: BERT-like towers mask it, causal ones pool before it."""
    s.refuse("tokenizer_mode", lambda v: not v, "the order of special tokens in CLIPS is not known here")
    options = s.part("tokenizer_kwargs")
    if s.values.get("hf_tokenizer_name") or s.values.get("hf_model_name"):
        cleaning = options.choice("clean", HF_CLEANINGS, "whitespace")
        options.refuse("language", lambda v: v is None, "vocabularies with a token for each language are not known here")
        supported = {"clean", "strip_sep_token", "language"}
    else:  # OpenCLIP's own tokenizer
        cleaning = options.choice("clean", {"lower": "clip"}, "lower")
        supported = {"clean"}
    unknown = sorted(options.values.keys() - supported)
    s.faults.extend(f"{options.at}.{key}: unknown key, which might change the ids of a text" for key in unknown)
    exact = isinstance(text, BertConfig) or (isinstance(text, ClipTextConfig) and text.causal and text.pooling == "eos")
    return TokenizerSpec(
        context_length=s.integer("context_length", 77),
        pad_id=_pad_id(s.values, text),
        padding="longest" if exact else "context",
        cleaning=cleaning,
        end=options.choice("strip_sep_token", {False: "kept", True: "zeroed"}, False),
    )


def _pad_id(text_cfg: Mapping[str, Any], text: TextConfig) -> int:
    """The padding of the named tokenizer: RoBERTa, XLM-R and XLM-V use 1. Tokenizer files beside the weights win over it."""
    if isinstance(text, BertConfig):
        return text.pad_id
    name = str(text_cfg.get("hf_tokenizer_name", "")).lower()
    return 1 if "xlm" in name or "roberta" in name else 0


def configuration(evidence: Evidence) -> Description | None:
    """The description in the folder's open_clip_config.json; None where there is none."""
    file, text_file = evidence.folder / "open_clip_config.json", evidence.folder / "config.json"
    if not file.is_file():
        return None
    described = describe(read_object(file), read_object(text_file) if text_file.is_file() else None, str(file))
    entry = evidence.overrides.entry
    return described if entry is None or described.traits is None else _as_published(described, entry)


def _as_published(described: Description, entry: CatalogModel) -> Description:
    """SigLIP as its authors computed it: timm and OpenCLIP take the exact GELU for some of their weights, flax has the tanh
    form."""
    assert described.image is not None
    assert described.text is not None
    image = described.image.overridden(activation=entry.activation)
    return replace(described, image=image, text=described.text.overridden(activation=entry.activation))


def preprocessing_file(folder: Path, image_px: int) -> ImageSpec | None:
    """Preprocessing from the folder's open_clip_config.json; None where there is none."""
    file, faults = folder / "open_clip_config.json", list[str]()
    if not file.is_file():
        return None
    spec = image_spec_of(read_object(file), image_px, faults)
    raise_faults(faults, str(file))
    return spec
