"""Reading `config.json` and `preprocessor_config.json` as Hugging Face transformers writes them (4.x and 5.x).

transformers leaves out what equals its classes' defaults, so those defaults are part of the format and stand here.
"""

from collections.abc import Mapping
from typing import Any

from seesay.checkpoints.description import Description, Settings, check
from seesay.config import Activation, BertConfig, ClipTextConfig, ImageSpec, TextConfig, TokenizerSpec, VitConfig
from seesay.errors import CheckpointError

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
CLIP_TEXT = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "projection_dim": 512,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "eos_token_id": 49407,
}
CLIP_VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "projection_dim": 512,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
BERT = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
ROBERTA = BERT | {"vocab_size": 50265, "pad_token_id": 1}
BERT_KINDS = {
    "bert": (BERT, "from-zero"),
    "roberta": (ROBERTA, "after-padding"),
    "xlm-roberta": (ROBERTA, "after-padding"),
    "chinese_clip_text_model": (BERT, "from-zero"),
}
LAST_CLIP_ID = 49407  # end of text in OpenAI's vocabulary of 49,408
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def describe(config: Mapping[str, Any], preprocessor: Mapping[str, Any] | None, *, projected: bool, name: str) -> Description:
    """A CLIPModel, ChineseCLIPModel or one tower of a CLIPModel. `projected`: the weights hold a projection."""
    faults: list[str] = []
    kind = config.get("model_type")
    parts = {
        "clip": ("text", "vision"),
        "chinese_clip": ("text", "vision"),
        "clip_text_model": ("text",),
        "clip_vision_model": ("vision",),
    }
    if kind not in parts:
        raise CheckpointError(f"{name}: model_type {kind!r} is not one of {', '.join(parts)}")
    whole = len(parts[kind]) == 2
    chinese = kind == "chinese_clip"
    text: TextConfig | None = None
    vision: VitConfig | None = None
    if "text" in parts[kind]:
        values = _part(config, "text", BERT if chinese else CLIP_TEXT) if whole else CLIP_TEXT | dict(config)
        if chinese:
            text = bert_config(
                values | {"model_type": "chinese_clip_text_model"},
                pooling="cls",
                head="linear",
                at="text_config",
                faults=faults,
            )
        else:
            text = _clip_text(values, projected or whole, faults)
    if "vision" in parts[kind]:
        values = _part(config, "vision", CLIP_VISION) if whole else CLIP_VISION | dict(config)
        vision = _vit(values, projected or whole, faults)
    dim = Settings({"projection_dim": 512} | dict(config), "", faults).number("projection_dim")
    image_spec = None if preprocessor is None else image_spec_of(preprocessor, faults)
    check(faults, name)
    if not (projected or whole):
        dim = text.width if text is not None else vision.width if vision is not None else 0
    tokenizer_spec = None
    if isinstance(text, ClipTextConfig):
        values = _part(config, "text", CLIP_TEXT) if whole else CLIP_TEXT | dict(config)
        tokenizer_spec = TokenizerSpec(
            context_length=text.positions, pad_id=int(str(values["pad_token_id"])), padding="longest"
        )
    elif isinstance(text, BertConfig):
        tokenizer_spec = TokenizerSpec(context_length=52, pad_id=text.pad_id, padding="longest")
    return Description(
        dim=dim,
        image=vision,
        text=text,
        image_spec=image_spec,
        tokenizer_spec=tokenizer_spec,
        tokenizer=None if text is None else "folder",
        source=name,
        languages=("zh",) if chinese else (),
    )


def _part(config: Mapping[str, Any], part: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A tower's settings; the old `*_config_dict` wins whole, as transformers has it."""
    values = dict(defaults) | dict(config.get(f"{part}_config") or {})
    old = config.get(f"{part}_config_dict")
    return values | dict(defaults) | dict(old) if old else values


def _clip_text(values: Mapping[str, Any], projected: bool, faults: list[str]) -> ClipTextConfig:
    s = Settings(values, "text_config", faults)
    vocabulary, eos = s.number("vocab_size"), values.get("eos_token_id")
    if eos in (None, 2):  # published configurations say 2, which is wrong: transformers then pools at the highest id
        eos = LAST_CLIP_ID if vocabulary > LAST_CLIP_ID else vocabulary - 1
    return ClipTextConfig(
        kind="clip-text",
        width=s.number("hidden_size"),
        depth=s.number("num_hidden_layers"),
        heads=s.number("num_attention_heads"),
        mlp_width=s.number("intermediate_size"),
        vocabulary=vocabulary,
        positions=s.number("max_position_embeddings"),
        activation=s.choice("hidden_act", ACTIVATIONS),
        layer_norm_eps=float(s.number("layer_norm_eps")),
        causal=True,
        pooling="eos",
        eos_id=int(eos),
        projection="linear" if projected else "none",
    )


def _vit(values: Mapping[str, Any], projected: bool, faults: list[str]) -> VitConfig:
    s = Settings(values, "vision_config", faults)
    s.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    return VitConfig(
        kind="vit",
        image_px=s.side("image_size"),
        patch_px=s.side("patch_size"),
        width=s.number("hidden_size"),
        depth=s.number("num_hidden_layers"),
        heads=s.number("num_attention_heads"),
        mlp_width=s.number("intermediate_size"),
        activation=s.choice("hidden_act", ACTIVATIONS),
        layer_norm_eps=float(s.number("layer_norm_eps")),
        projection=projected,
    )


def bert_config(values: Mapping[str, Any], *, pooling: Any, head: Any, at: str, faults: list[str]) -> BertConfig:
    """A BERT, RoBERTa or XLM-R configuration, told apart by model_type."""
    kind = values.get("model_type")
    if kind not in BERT_KINDS:
        faults.append(f"{at}.model_type: {kind!r} is not one of {', '.join(BERT_KINDS)}")
        kind = "bert"
    defaults, position_ids = BERT_KINDS[kind]
    s = Settings(defaults | dict(values), at, faults)
    s.refuse("position_embedding_type", lambda v: v in (None, "absolute"), "only absolute positions are known")
    return BertConfig(
        kind="bert",
        width=s.number("hidden_size"),
        depth=s.number("num_hidden_layers"),
        heads=s.number("num_attention_heads"),
        mlp_width=s.number("intermediate_size"),
        vocabulary=s.number("vocab_size"),
        positions=s.number("max_position_embeddings"),
        activation=s.choice("hidden_act", ACTIVATIONS),
        layer_norm_eps=float(s.number("layer_norm_eps")),
        pooling=pooling,
        head=head,
        pad_id=s.number("pad_token_id"),
        types=s.number("type_vocab_size"),
        position_ids=position_ids,  # type: ignore[arg-type]
    )


def image_spec_of(values: Mapping[str, Any], faults: list[str]) -> ImageSpec:
    """`preprocessor_config.json` of CLIPImageProcessor, ChineseCLIPImageProcessor or the older feature extractors."""
    s = Settings(values, "preprocessor_config", faults)
    for step in ("do_resize", "do_normalize", "do_rescale"):
        s.refuse(step, bool, "pictures cannot be used without it")
    size = values.get("size", {"shortest_edge": 224})
    crop = values.get("do_center_crop", True)
    if isinstance(size, Mapping) and "shortest_edge" not in size:
        both = Settings(dict(size), "preprocessor_config.size", faults)
        resize_px, resize = both.number("height"), "squash"
        both.refuse("width", lambda width: width == resize_px, "only square pictures are known")
    else:
        resize_px = size["shortest_edge"] if isinstance(size, Mapping) else size
        resize = "shortest"
    cut = values.get("crop_size", resize_px) if crop else resize_px
    size_px = cut["height"] if isinstance(cut, Mapping) else cut
    if resize == "shortest" and not crop:
        faults.append("preprocessor_config.do_center_crop: false leaves pictures of several shapes")
    if resize == "squash" and size_px != resize_px:
        faults.append(f"preprocessor_config.crop_size: {size_px} differs from the squashed size {resize_px}")
    return ImageSpec(
        size_px=int(size_px),
        resize=resize,  # type: ignore[arg-type]
        resize_px=int(resize_px),
        interpolation=s.choice("resample", RESAMPLE, 3),
        mean=_three(values.get("image_mean"), "image_mean", faults),
        std=_three(values.get("image_std"), "image_std", faults),
        alpha="white",  # as its image processors have it since transformers 5
        crop="floored",
    )


def _three(value: object, key: str, faults: list[str]) -> tuple[float, float, float]:
    if isinstance(value, list | tuple) and len(value) == 3:
        return float(value[0]), float(value[1]), float(value[2])
    faults.append(f"preprocessor_config.{key}: expected three numbers, got {value!r}")
    return 0.0, 0.0, 0.0


TextOfHf = TextConfig
