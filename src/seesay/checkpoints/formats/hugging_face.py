"""Reading what Hugging Face transformers (4.x and 5.x) writes about a model: `config.json`, and `processor_config.json` or
`preprocessor_config.json`.

transformers leaves out what equals its classes' defaults, so those defaults are part of the format and stand here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seesay.checkpoints.formats.unsupported import READ
from seesay.checkpoints.overrides import Description, Settings, check
from seesay.images.spec import MOST_PIXELS, ImageSpec
from seesay.models.config import TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.fields import Activation
from seesay.system.schema import read_object
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES

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
Processor = tuple[Path, object]  # the file that describes an image processor, and what it says
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def describe(config: Mapping[str, Any], processor: Processor | None, *, projected: bool, name: str) -> Description:
    """A CLIPModel, a ChineseCLIPModel or one tower of them. `projected`: the weights hold a projection."""
    faults: list[str] = []
    s = Settings(config, "", faults)
    kind = s.choice("model_type", {kind: kind for kind in READ})
    check(faults, name)
    whole = len(READ[kind]) == 2
    chinese = kind == "chinese_clip"
    text: TextConfig | None = None
    vision: VitConfig | None = None
    tokenizer_spec = None
    if "text" in READ[kind]:
        values = _part(s, "text", BERT if chinese else CLIP_TEXT) if whole else CLIP_TEXT | dict(config)
        if chinese:
            values |= {"model_type": "chinese_clip_text_model"}
            text = bert_config(values, pooling="cls", head="linear", at="text_config", faults=faults)
            tokenizer_spec = TokenizerSpec(context_length=52, pad_id=text.pad_id, padding="longest")
        else:
            settings = Settings(values, "text_config", faults)
            text = _clip_text(settings, projected or whole)
            pad_id = 0 if values["pad_token_id"] is None else settings.integer("pad_token_id", least=0)
            tokenizer_spec = TokenizerSpec(context_length=text.positions, pad_id=pad_id, padding="longest")
    if "vision" in READ[kind]:
        values = _part(s, "vision", CLIP_VISION) if whole else CLIP_VISION | dict(config)
        vision = _vit(Settings(values, "vision_config", faults), projected or whole)
    dim = s.integer("projection_dim", 512)
    image_spec = None if processor is None else image_spec_of(processor[1], processor[0].stem, faults)
    check(faults, name)
    if not (projected or whole):
        dim = text.feature_width if text is not None else vision.width if vision is not None else 0
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


def _part(s: Settings, part: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A tower's settings; the old `*_config_dict` wins whole, as transformers has it."""
    values, old = s.part(f"{part}_config").values, s.part(f"{part}_config_dict").values
    return dict(values) | dict(defaults) | dict(old) if old else dict(defaults) | dict(values)


def _sizes(s: Settings) -> dict[str, Any]:
    """What every transformer of that library says under the same keys."""
    return {
        "width": s.integer("hidden_size"),
        "depth": s.integer("num_hidden_layers"),
        "heads": s.integer("num_attention_heads"),
        "mlp_width": s.integer("intermediate_size"),
        "activation": s.choice("hidden_act", ACTIVATIONS),
        "layer_norm_eps": s.number("layer_norm_eps"),
    }


def _clip_text(s: Settings, projected: bool) -> ClipTextConfig:
    vocabulary = s.integer("vocab_size")
    # Published configurations say 2, which is wrong: transformers then pools at the highest id.
    if s.values.get("eos_token_id") in (None, 2):
        eos = min(vocabulary, PIECES["clip"]) - 1
    else:
        eos = s.integer("eos_token_id", least=0, most=vocabulary - 1)
    return ClipTextConfig(
        kind="clip-text",
        **_sizes(s),
        vocabulary=vocabulary,
        positions=s.integer("max_position_embeddings"),
        causal=True,
        pooling="eos",
        eos_id=eos,
        projection="linear" if projected else "none",
    )


def _vit(s: Settings, projected: bool) -> VitConfig:
    s.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    return VitConfig(
        kind="vit",
        **_sizes(s),
        image_px=s.side("image_size"),
        patch_px=s.side("patch_size"),
        projection="linear" if projected else "none",
    )


def bert_config(values: Mapping[str, Any], *, pooling: Any, head: Any, at: str, faults: list[str]) -> BertConfig:
    """A BERT, RoBERTa or XLM-R configuration, told apart by model_type."""
    defaults, position_ids = Settings(values, at, faults).choice("model_type", BERT_KINDS)
    s = Settings(defaults | dict(values), at, faults)
    s.refuse("position_embedding_type", lambda v: v in (None, "absolute"), "only absolute positions are known")
    vocabulary = s.integer("vocab_size")
    return BertConfig(
        kind="bert",
        **_sizes(s),
        vocabulary=vocabulary,
        positions=s.integer("max_position_embeddings"),
        pooling=pooling,
        head=head,
        pad_id=s.integer("pad_token_id", least=0, most=vocabulary - 1),
        types=s.integer("type_vocab_size", least=0),
        position_ids=position_ids,
    )


def image_processor(folder: Path) -> Processor | None:
    """What the folder says of its image processor: a whole processor's file first, as transformers 5 writes and reads it."""
    if (file := folder / "processor_config.json").is_file() and "image_processor" in (values := read_object(file)):
        return file, values["image_processor"]
    if (file := folder / "preprocessor_config.json").is_file():
        return file, read_object(file)
    return None


def image_spec_of(said: object, at: str, faults: list[str]) -> ImageSpec:
    """Of CLIPImageProcessor, ChineseCLIPImageProcessor or the older feature extractors. at: names the file for messages."""
    s = Settings(said, at, faults)
    values = s.values
    for step in ("do_resize", "do_normalize", "do_rescale"):
        s.refuse(step, bool, "pictures cannot be used without it")
    for step in ("do_pad", "use_square_size"):
        s.refuse(step, lambda value: not value, "no model of the CLIP family is prepared so, and it is not known here")
    s.refuse("rescale_factor", lambda f: isinstance(f, int | float) and abs(255 * f - 1) < 1e-3, "levels are divided by 255")
    size = values.get("size", {"shortest_edge": 224})
    crop = values.get("do_center_crop", True)
    squash = isinstance(size, Mapping) and "shortest_edge" not in size
    if isinstance(size, Mapping) and not squash:
        resize_px = Settings(size, f"{at}.size", faults).integer("shortest_edge", most=MOST_PIXELS)
    else:
        resize_px = s.side("size", 224)
    size_px = s.side("crop_size", resize_px) if crop else resize_px
    if not squash and not crop:
        faults.append(f"{at}.do_center_crop: false leaves pictures of several shapes")
    if squash and size_px != resize_px:
        faults.append(f"{at}.crop_size: {size_px} differs from the squashed size {resize_px}")
    return ImageSpec(
        size_px=size_px,
        resize="squash" if squash else "shortest",
        resize_px=resize_px,
        interpolation=s.choice("resample", RESAMPLE, 3),
        mean=s.three("image_mean"),
        std=s.three("image_std"),
        alpha="white",  # as its image processors have it since transformers 5
        crop="floored",
    )
