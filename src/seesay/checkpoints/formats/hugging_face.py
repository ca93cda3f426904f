"""Hugging Face transformers (4.x and 5.x): CLIPModel, MetaClip2Model, ChineseCLIPModel, and single towers of them.

Described by `config.json`, and `processor_config.json` or `preprocessor_config.json`. transformers leaves out values that
equal its classes' defaults, so those defaults are part of the format and are listed here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence, ForeignModel, Format, Writer, has_any
from seesay.checkpoints.formats.tables import BERT, POOLER_UNUSED, SCALE
from seesay.checkpoints.formats.transformers_config import BERT_DEFAULTS, bert_config, sizes
from seesay.checkpoints.formats.writing import require_expressible
from seesay.checkpoints.hub.catalog import CatalogModel, architecture
from seesay.checkpoints.names import Table, ignored, layer, nested, row
from seesay.errors import CheckpointError
from seesay.images.spec import MOST_PIXELS, ImageSpec
from seesay.models.config import ImageConfig, ModelConfig, TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.vit.config import VitConfig
from seesay.system.schema import read_object
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.to_files import transformers_files
from seesay.tokenizers.vocabulary import PIECES

# Tensor names

BLOCK_NAMES: Table = (
    *layer("layer_norm1", "norm1"),
    *layer("self_attn.q_proj", "attention.query"),
    *layer("self_attn.k_proj", "attention.key"),
    *layer("self_attn.v_proj", "attention.value"),
    *layer("self_attn.out_proj", "attention.out"),
    *layer("layer_norm2", "norm2"),
    *layer("mlp.fc1", "mlp.up"),
    *layer("mlp.fc2", "mlp.down"),
)

VISION_NAMES: Table = (
    row("embeddings.class_embedding", "class_embedding"),
    row("embeddings.patch_embedding.weight", "patch_embedding.weight"),
    row("embeddings.position_embedding.weight", "position_embedding"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    *layer("pre_layrnorm", "norm_before"),  # sic
    *nested(BLOCK_NAMES, "encoder.layers.{}.", "blocks.{}."),
    *layer("post_layernorm", "norm_after"),
)

TEXT_NAMES: Table = (
    row("embeddings.token_embedding.weight", "token_embedding.weight"),
    row("embeddings.position_embedding.weight", "position_embedding"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    *nested(BLOCK_NAMES, "encoder.layers.{}.", "blocks.{}."),
    *layer("final_layer_norm", "norm_after"),
)
IMAGE_NAMES: Table = (
    *nested(VISION_NAMES, "vision_model.", "image."),
    row("visual_projection.weight", "image.projection.weight"),
)
CLIP_NAMES: Table = (
    *IMAGE_NAMES,
    *nested(TEXT_NAMES, "text_model.", "text."),
    row("text_projection.weight", "text.projection.weight"),
    *SCALE,
)
CHINESE_CLIP_NAMES: Table = (
    *IMAGE_NAMES,
    *nested(BERT + POOLER_UNUSED, "text_model.", "text."),
    row("text_projection.weight", "text.projection.weight"),
    *SCALE,
)


# Configuration: config.json

# By `model_type`, the towers that a model has.
TOWERS = {
    "clip": ("text", "vision"),
    "chinese_clip": ("text", "vision"),
    "clip_text_model": ("text",),
    "clip_vision_model": ("vision",),
    "chinese_clip_vision_model": ("vision",),
    "altclip_vision_model": ("vision",),
    "metaclip_2": ("text", "vision"),
    "metaclip_2_text_model": ("text",),
    "metaclip_2_vision_model": ("vision",),
}
CLIP_TEXT_DEFAULTS = {
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
CLIP_VISION_DEFAULTS = {
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
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def described_by(
    describe: "Callable[[Mapping[str, Any], Processor | None, str], Description]",
) -> Callable[[Evidence], Description | None]:
    """A format's `configuration`: the config.json beside the weights and the image processor, given to `describe`."""

    def configuration(evidence: Evidence) -> Description | None:
        file = evidence.folder / "config.json"
        return describe(read_object(file), image_processor(evidence.folder), str(file)) if file.is_file() else None

    return configuration


def configuration(evidence: Evidence) -> Description | None:
    """The description in the folder's config.json; None where there is none."""
    file = evidence.folder / "config.json"
    if not file.is_file():
        return None
    projected = any(name.endswith(".projection.weight") for name in evidence.shapes)
    described = describe(read_object(file), image_processor(evidence.folder), projected=projected, name=str(file))
    entry = evidence.overrides.entry
    return described if entry is None else _as_published(described, entry)


def describe(config: Mapping[str, Any], processor: "Processor | None", *, projected: bool, name: str) -> Description:
    """A CLIPModel, MetaClip2Model, ChineseCLIPModel or one tower of them. Raises CheckpointError with every fault.

    projected: the weights hold a projection. name: the file, for messages.
    """
    faults: list[str] = []
    s = ForeignConfig(config, "", faults)
    kind = s.choice("model_type", {kind: kind for kind in TOWERS})
    raise_faults(faults, name)
    whole = len(TOWERS[kind]) == 2
    chinese = kind == "chinese_clip"
    text: TextConfig | None = None
    image: ImageConfig | None = None
    tokenizer_spec = None
    if chinese:
        values = tower_values(s, "text", BERT_DEFAULTS) | {"model_type": "chinese_clip_text_model"}
        text = bert_config(values, pooling="cls", head="linear", at="text_config", faults=faults)
        tokenizer_spec = TokenizerSpec(context_length=52, pad_id=text.pad_id, padding="longest")
    elif "text" in TOWERS[kind]:
        values = tower_values(s, "text", CLIP_TEXT_DEFAULTS) if whole else CLIP_TEXT_DEFAULTS | dict(config)
        settings = ForeignConfig(values, "text_config", faults)
        text = clip_text_config(settings, projected or whole, eos_given=kind.startswith("metaclip_2"))
        pad_id = 0 if values["pad_token_id"] is None else settings.integer("pad_token_id", least=0)
        tokenizer_spec = TokenizerSpec(context_length=text.positions, pad_id=pad_id, padding="longest")
    if "vision" in TOWERS[kind]:
        values = tower_values(s, "vision", CLIP_VISION_DEFAULTS) if whole else CLIP_VISION_DEFAULTS | dict(config)
        image = vit_config(ForeignConfig(values, "vision_config", faults), projected or whole)
    dim = s.integer("projection_dim", 512)
    image_spec = None if processor is None else image_spec_of(processor, faults)
    raise_faults(faults, name)
    if not (projected or whole):
        tower = image if text is None else text
        dim = 0 if tower is None else tower.feature_width
    return Description(
        dim=dim,
        image=image,
        text=text,
        image_spec=image_spec,
        tokenizer_spec=tokenizer_spec,
        tokenizer=None if text is None else "folder",
        source=name,
        languages=("zh",) if chinese else (),
    )


def _as_published(described: Description, entry: CatalogModel) -> Description:
    """Inputs as the authors of these weights prepare them, so that a conversion and the original are one space."""
    published, spec = architecture(entry.architecture), entry.preprocess
    if described.image is not None and described.image.image_px == spec.size_px:
        described = replace(described, image_spec=spec)
    same_vocabulary = described.text is not None and described.text.vocabulary == published.text.vocabulary
    if same_vocabulary and published.vocabulary != "folder":
        described = replace(described, tokenizer=published.vocabulary, tokenizer_spec=published.tokenizer_spec)
    return described


def tower_values(s: ForeignConfig, part: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a part, "text" or "vision", with the defaults of its class.

    The older `*_config_dict` replaces `*_config` altogether, as in transformers.
    """
    values, old = s.part(f"{part}_config").values, s.part(f"{part}_config_dict").values
    return dict(values) | dict(defaults) | dict(old) if old else dict(defaults) | dict(values)


def clip_text_config(s: ForeignConfig, projected: bool, *, eos_given: bool) -> ClipTextConfig:
    """The text tower of CLIPModel and its relatives. eos_given: the end of a text is the configuration's."""
    vocabulary = s.integer("vocab_size")
    # Published configurations of CLIPModel say 2, which is wrong: transformers then pools at the highest id.
    if not eos_given and s.values.get("eos_token_id") in (None, 2):
        eos = min(vocabulary, PIECES["clip"]) - 1
    else:
        eos = s.integer("eos_token_id", least=0, most=vocabulary - 1)
    return ClipTextConfig(
        kind="clip-text",
        **sizes(s),
        vocabulary=vocabulary,
        positions=s.integer("max_position_embeddings"),
        causal=True,
        pooling="eos",
        eos_id=eos,
        projection="linear" if projected else "none",
    )


def vit_config(s: ForeignConfig, projected: bool) -> VitConfig:
    """The image tower of CLIPModel and its relatives. projected: the weights hold a projection."""
    s.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    return VitConfig(
        kind="vit",
        **sizes(s),
        image_px=s.side("image_size"),
        patch_px=s.side("patch_size"),
        projection="linear" if projected else "none",
    )


# Preprocessing: processor_config.json or preprocessor_config.json


@dataclass(frozen=True)
class Processor:
    """An image processor's settings and the file that they are from."""

    file: Path
    settings: object


def image_processor(folder: Path) -> Processor | None:
    """The folder's image processor. processor_config.json comes first, as transformers 5 writes and reads it.

    That of a pipeline's image_encoder is in its folder feature_extractor, as diffusers writes it.
    """
    if (file := folder / "processor_config.json").is_file() and "image_processor" in (values := read_object(file)):
        return Processor(file, values["image_processor"])
    for home in (folder, folder.parent / "feature_extractor") if folder.name == "image_encoder" else (folder,):
        if (file := home / "preprocessor_config.json").is_file():
            return Processor(file, read_object(file))
    return None


def preprocessing_file(folder: Path, image_px: int) -> ImageSpec | None:
    """Preprocessing from the folder's image processor; None where there is none."""
    if (processor := image_processor(folder)) is None:
        return None
    faults: list[str] = []
    spec = image_spec_of(processor, faults)
    raise_faults(faults, str(processor.file))
    return spec


def image_spec_of(processor: Processor, faults: list[str]) -> ImageSpec:
    """The settings of a CLIPImageProcessor, a ChineseCLIPImageProcessor or the older feature extractors."""
    at = processor.file.stem
    s = ForeignConfig(processor.settings, at, faults)
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
        resize_px = ForeignConfig(size, f"{at}.size", faults).integer("shortest_edge", most=MOST_PIXELS)
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
        alpha="white",  # since transformers 5
        crop="floored",
    )


# Writing

ACTIVATION_NAMES = {"gelu": "gelu", "quick_gelu": "quick_gelu", "gelu_tanh": "gelu_pytorch_tanh"}
RESAMPLE_NUMBERS = {name: number for number, name in RESAMPLE.items()}


def model_config(config: ModelConfig) -> dict[str, Any]:
    """transformers' config.json for this model. Raises CheckpointError with every reason why there can be none."""
    require_expressible("Hugging Face transformers", _reasons_against(config))
    shared: dict[str, Any] = {"projection_dim": config.dim, "torch_dtype": "float32"}
    text = None if config.text is None else _text_config(config.text, config.dim)
    image = None if config.image is None else _vision_config(config.image, config.dim, chinese=_is_chinese(config))
    if image is not None and text is not None:
        chinese = _is_chinese(config)
        return {
            "model_type": "chinese_clip" if chinese else "clip",
            "architectures": ["ChineseCLIPModel" if chinese else "CLIPModel"],
            **shared,
            "logit_scale_init_value": config.logit_scale,
            "text_config": text,
            "vision_config": image,
        }
    tower, values = (config.image, image) if text is None else (config.text, text)
    projected = getattr(tower, "projection", None) == "linear"
    kind = ("CLIPVisionModel" if text is None else "CLIPTextModel") + ("WithProjection" if projected else "")
    return {"architectures": [kind], **shared, **(values or {})}


def _translate(config: ModelConfig, vocabulary: bytes | None) -> ForeignModel:
    chinese = _is_chinese(config)
    files = {"config.json": model_config(config)}
    if config.image_spec is not None:
        kind = "ChineseCLIPImageProcessor" if chinese else "CLIPImageProcessor"
        files["preprocessor_config.json"] = processor_config(config.image_spec, kind)
    if vocabulary is not None:
        assert config.tokenizer_spec
        files |= transformers_files(vocabulary, config.tokenizer_spec.context_length)
    written = CHINESE_CLIP if chinese else CLIP
    return ForeignModel(written.title, written.table(()), files)


def _is_chinese(config: ModelConfig) -> bool:
    return isinstance(config.text, BertConfig)


def _reasons_against(config: ModelConfig) -> list[str]:
    """Why transformers cannot express this model exactly."""
    image, text, reasons = config.image, config.text, list[str]()
    if config.logit_bias is not None:
        reasons.append("it has a logit bias, which CLIPModel has not")
    if image is not None and not isinstance(image, VitConfig):
        reasons.append(f"its image tower is {image.kind}; CLIPModel has a ViT only")
    elif image is not None:
        reasons += _vit_reasons(image)
    if isinstance(text, BertConfig):
        reasons += _bert_reasons(text, alone=image is None)
    elif text is not None and not (isinstance(text, ClipTextConfig) and text.causal and text.pooling == "eos"):
        reasons.append("its text tower is not causal and pooled at the end of text")
    if config.image_spec is not None and config.image_spec.resize == "longest":
        reasons.append("its pictures are padded, which CLIPImageProcessor does not do")
    return reasons


def _text_config(text: TextConfig, dim: int) -> dict[str, Any]:
    if isinstance(text, BertConfig):
        return {
            "model_type": "chinese_clip_text_model",
            "vocab_size": text.vocabulary,
            "max_position_embeddings": text.positions,
            "type_vocab_size": text.types,
            "pad_token_id": text.pad_id,
            **tower_config(text),
            "projection_dim": dim,
        }
    assert isinstance(text, ClipTextConfig)
    return {
        "model_type": "clip_text_model",
        "vocab_size": text.vocabulary,
        "max_position_embeddings": text.positions,
        "eos_token_id": text.eos_id,
        "bos_token_id": text.eos_id - 1,
        "pad_token_id": text.eos_id,
        **tower_config(text),
        "projection_dim": dim,
    }


def _vision_config(image: ImageConfig, dim: int, *, chinese: bool) -> dict[str, Any]:
    assert isinstance(image, VitConfig)
    kind = "chinese_clip_vision_model" if chinese else "clip_vision_model"
    sizes = {"image_size": image.image_px, "patch_size": image.patch_px}
    return {"model_type": kind, **sizes, **tower_config(image), "projection_dim": dim}


def _vit_reasons(image: VitConfig) -> list[str]:
    wrong = {
        f"finds {image.finds}": image.finds is not None,
        "pools the mean of its patches": image.pooling != "cls",
        "has no norm before its blocks": not image.norm_before,
        "scales its layers": image.layer_scale,
        "pools by attention": image.attention_pool is not None,
    }
    return [f"its image tower {what}, which CLIPVisionModel does not" for what, is_so in wrong.items() if is_so]


def _bert_reasons(text: BertConfig, *, alone: bool) -> list[str]:
    right = text.pooling == "cls" and text.head == "linear" and text.position_ids == "from-zero" and text.types > 0
    right = right and text.gate is None and not text.transformation
    reasons = [] if right else ["its BERT text tower is not pooled and projected as ChineseCLIPModel's"]
    return [*reasons, "ChineseCLIPModel has no text tower alone"] if alone else reasons


def tower_config(tower: Any) -> dict[str, Any]:
    """The settings that all transformers have under the same keys."""
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.mlp_width,
        "num_hidden_layers": tower.depth,
        "num_attention_heads": tower.heads,
        "hidden_act": ACTIVATION_NAMES[tower.activation],
        "layer_norm_eps": tower.layer_norm_eps,
    }


def processor_config(spec: ImageSpec, kind: str) -> dict[str, Any]:
    """transformers' preprocessor_config.json for an image processor of this class."""
    squashed = spec.resize == "squash"
    return {
        "image_processor_type": kind,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": spec.size_px, "width": spec.size_px} if squashed else {"shortest_edge": spec.resize_px},
        "resample": RESAMPLE_NUMBERS[spec.interpolation],
        "do_center_crop": not squashed,
        "crop_size": {"height": spec.size_px, "width": spec.size_px},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(spec.mean),
        "image_std": list(spec.std),
    }


# The formats


def without_configuration(evidence: Evidence) -> Description:
    """Raises CheckpointError: nothing beside the weights describes them."""
    raise CheckpointError(
        f"{evidence.folder} has no config.json, which says heads, activation and more that {evidence.weights.path.name} "
        "cannot show. Put it there, or pass architecture=NAME (seesay models architectures)"
    )


WRITER = Writer("transformers", "model.safetensors", _translate)

CLIP = Format(
    name="hf_clip",
    title="Hugging Face CLIPModel or MetaClip2Model, or one tower of it",
    recognises=has_any("vision_model.pre_layrnorm.weight", "text_model.final_layer_norm.weight"),
    table=lambda names: CLIP_NAMES,
    rule=without_configuration,
    configuration=configuration,
    model_types=frozenset(TOWERS),
    preprocessing_file=preprocessing_file,
    writer=WRITER,
)
CHINESE_CLIP = replace(
    CLIP,
    name="hf_chinese_clip",
    title="Hugging Face ChineseCLIPModel",
    recognises=has_any("text_model.embeddings.word_embeddings.weight"),
    table=lambda names: CHINESE_CLIP_NAMES,
)
VISION = replace(
    CLIP,
    name="hf_clip_vision",
    title="Hugging Face CLIPVisionModel",
    recognises=has_any("pre_layrnorm.weight"),
    table=lambda names: nested(VISION_NAMES, "", "image."),
)
TEXT = replace(
    CLIP,
    name="hf_clip_text",
    title="Hugging Face CLIPTextModel",
    recognises=has_any("final_layer_norm.weight"),
    table=lambda names: nested(TEXT_NAMES, "", "text."),
)
