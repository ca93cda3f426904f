"""Reading `open_clip_config.json` (OpenCLIP 2.x to 4.x): native towers, custom text towers, and BERT-like Hugging Face ones."""

from collections.abc import Mapping
from typing import Any, Literal

from seesay.checkpoints.formats import hugging_face
from seesay.checkpoints.overrides import CLIP_MEAN, CLIP_STD, Description, Settings, check
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.fields import Activation
from seesay.tokenizers.spec import Cleaning, TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES

NATIVE_ONLY = "this tower is not one that SeeSay reads from OpenCLIP (only its own ViT and ResNet)"
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
# OpenCLIP names a Hugging Face text model and does not write down its shape, so that of the models that it uses stands here.
ROBERTA = {"model_type": "roberta", "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
HF_TEXT: dict[str, dict[str, Any]] = {
    "roberta-base": ROBERTA,
    "roberta-large": ROBERTA | LARGE,
    "xlm-roberta-base": ROBERTA | {"model_type": "xlm-roberta", "vocab_size": 250002},
    "xlm-roberta-large": ROBERTA | LARGE | {"model_type": "xlm-roberta", "vocab_size": 250002},
    "bert-base-uncased": {"model_type": "bert"},
    "bert-base-chinese": {"model_type": "bert", "vocab_size": 21128},
}


def describe(config: Mapping[str, Any], hf_text: Mapping[str, Any] | None, name: str) -> Description:
    """`hf_text`: the Hugging Face configuration of the text tower, where it lies beside."""
    faults: list[str] = []
    s = Settings(config.get("model_cfg", config), "model_cfg", faults)
    quick = bool(s.values.get("quick_gelu", False))
    s.refuse("multimodal_cfg", lambda v: v is None, "CoCa models are not read")
    _refuse_unknown(s, MODEL)
    image, text = _image(s.part("vision_cfg"), quick), s.part("text_cfg")
    text_config = _hf_text(text, hf_text) if text.values.get("hf_model_name") else _clip_text(text, quick)
    tokenizer_spec = _tokenizer_spec(text, text_config)
    dim = s.integer("embed_dim")
    image_spec = image_spec_of(config, image.image_px, faults)
    check(faults, name)
    return Description(
        dim=dim,
        image=image,
        text=text_config,
        image_spec=image_spec,
        tokenizer_spec=tokenizer_spec,
        tokenizer=_vocabulary(text.values, text_config),
        source=name,
    )


def _vocabulary(cfg: Mapping[str, Any], text: TextConfig) -> Literal["open_clip", "folder"]:
    named = cfg.get("hf_tokenizer_name") or cfg.get("hf_model_name")
    return "folder" if named or text.vocabulary < PIECES["open_clip"] else "open_clip"


def _image(s: Settings, quick: bool) -> ImageConfig:
    s.refuse("timm_model_name", lambda v: not v, NATIVE_ONLY)
    s.refuse("attentional_pool", lambda v: not v, "attentional pooling is CoCa's, which is not read")
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
    )


def _clip_text(s: Settings, quick: bool) -> TextConfig:
    _refuse_custom(s, TEXT)
    s.refuse("embed_cls", lambda v: not v, "an appended class token is CoCa's, which is not read")
    s.refuse("ls_init_value", lambda v: v is None, "layer scale in a text tower is not known here")
    s.refuse("proj_bias", lambda v: not v, "a projection with bias is SigLIP's, which is not read")
    width, vocabulary = s.integer("width", 512), s.integer("vocab_size", PIECES["open_clip"])
    pooling = s.choice("pool_type", {"argmax": "argmax", "eos": "eos", "last": "last"}, "argmax")
    if pooling == "argmax" and s.values.get("hf_tokenizer_name") and vocabulary != PIECES["open_clip"]:
        s.faults.append("text_cfg.pool_type 'argmax': the highest id of a text is its end in OpenAI's vocabulary only")
    return ClipTextConfig(
        kind="clip-text",
        width=width,
        depth=s.integer("layers", 12),
        heads=s.integer("heads", 8),
        mlp_width=int(width * s.number("mlp_ratio", 4.0)),
        vocabulary=vocabulary,
        positions=s.integer("context_length", 77),
        activation=_activation(s, quick),
        layer_norm_eps=_eps(s),
        causal=not s.values.get("no_causal_mask", False),
        pooling="last" if pooling == "last" else "eos",
        # argmax takes the highest id of a text, which in OpenAI's vocabulary is its end
        eos_id=s.integer("eos_id", 2, least=0, most=vocabulary - 1) if pooling == "eos" else vocabulary - 1,
        projection=s.choice("proj_type", {"linear": "linear", "none": "none"}, "linear"),
    )


def _hf_text(s: Settings, beside: Mapping[str, Any] | None) -> BertConfig:
    _refuse_custom(s, TEXT)
    name = str(s.values["hf_model_name"])
    values = HF_TEXT.get(name.removeprefix("FacebookAI/"), beside)
    if values is None:
        s.faults.append(
            f"text_cfg.hf_model_name: {name!r} is not known here ({', '.join(HF_TEXT)}); put that model's config.json beside"
        )
        values = HF_TEXT["roberta-base"]
    return hugging_face.bert_config(
        values,
        pooling=s.choice("hf_pooler_type", POOLERS, "mean_pooler"),
        head=s.choice("hf_proj_type", {"mlp": "mlp", "linear": "linear", None: "none"}, "mlp"),
        at="config.json",
        faults=s.faults,
    )


def _refuse_custom(s: Settings, known: set[str]) -> None:
    for key in CUSTOM_KEYS:
        s.refuse(key, lambda v: not v, CUSTOM)
    s.refuse("block_type", lambda v: v in (None, "default"), CUSTOM)
    _refuse_unknown(s, known)


def _refuse_unknown(s: Settings, known: set[str]) -> None:
    unknown = sorted(key for key in s.values if key not in known and not key.startswith("timm_"))
    s.faults.extend(f"{s.at}.{key}: unknown key, which might change what the model computes" for key in unknown)


def _activation(s: Settings, quick: bool) -> Activation:
    approximate: Activation = s.part("act_kwargs").choice("approximate", {"none": "gelu", "tanh": "gelu_tanh"}, "none")
    return "quick_gelu" if quick else approximate


def _eps(s: Settings) -> float:
    return s.part("norm_kwargs").number("eps", 1e-5)


def image_spec_of(config: Mapping[str, Any], image_px: int, faults: list[str]) -> ImageSpec:
    """`preprocess_cfg` of an open_clip_config.json; `image_px` where it names no size."""
    s = Settings(config, "", faults).part("preprocess_cfg")
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


def _tokenizer_spec(s: Settings, text: TextConfig) -> TokenizerSpec:
    """Padding "longest" where no vector sees it: BERT-like towers mask it, causal ones pool before it."""
    s.refuse("tokenizer_mode", lambda v: not v, "the order of special tokens in CLIPS is not known here")
    options = s.part("tokenizer_kwargs")
    if s.values.get("hf_tokenizer_name") or s.values.get("hf_model_name"):
        cleaning = options.choice("clean", HF_CLEANINGS, "whitespace")
        options.refuse("language", lambda v: v is None, "vocabularies with a token for each language are not known here")
        known = {"clean", "strip_sep_token", "language"}
    else:  # OpenCLIP's own tokenizer
        cleaning = options.choice("clean", {"lower": "clip"}, "lower")
        known = {"clean"}
    unknown = sorted(options.values.keys() - known)
    s.faults.extend(f"{options.at}.{key}: unknown key, which might change the ids of a text" for key in unknown)
    exact = isinstance(text, BertConfig) or (isinstance(text, ClipTextConfig) and text.causal and text.pooling == "eos")
    return TokenizerSpec(
        context_length=s.integer("context_length", 77),
        pad_id=_pad_id(s.values, text),
        padding="longest" if exact else "context",
        cleaning=cleaning,
        end=options.choice("strip_sep_token", {False: "kept", True: "zeroed"}, False),
    )


def _pad_id(cfg: Mapping[str, Any], text: TextConfig) -> int:
    """As the tokenizer of that name pads: RoBERTa's, XLM-R's and XLM-V's with 1. Its files, where they lie beside, win."""
    if isinstance(text, BertConfig):
        return text.pad_id
    name = str(cfg.get("hf_tokenizer_name", "")).lower()
    return 1 if "xlm" in name or "roberta" in name else 0
