"""Writes models for OpenCLIP: open_clip_config.json, and the tensors by its names."""

from typing import Any

from seesay.checkpoints.formats.format import ForeignModel, Writer
from seesay.checkpoints.formats.tables import OPENAI_TEXT, RESNET_MARK, SCALE, openai_names
from seesay.checkpoints.formats.trunks import express
from seesay.checkpoints.formats.writing import require_expressible
from seesay.checkpoints.names import nested
from seesay.errors import CheckpointError
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, ModelConfig, TextConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig

TITLE = "OpenAI or OpenCLIP"


def _translate(config: ModelConfig, vocabulary: bytes | None) -> ForeignModel:
    """OpenCLIP names its tokenizers by repository or uses its own, so the vocabulary is not written."""
    image, text, spec = config.image, config.text, config.image_spec
    if image is None or text is None or spec is None:
        raise CheckpointError("OpenCLIP cannot express one tower alone; it needs both")
    require_expressible("OpenCLIP", _reasons_against(image, text, spec))
    assert isinstance(text, ClipTextConfig)
    if isinstance(image, VitConfig | ModifiedResNetConfig):
        vision_cfg, table = _vision_cfg(image), openai_names((RESNET_MARK,) if isinstance(image, ModifiedResNetConfig) else ())
        custom: dict[str, Any] = {}
    else:
        trunk = express(image)
        assert trunk is not None
        vision_cfg, table = trunk[0], (*trunk[1], *nested(OPENAI_TEXT, "text.", "text."), *SCALE)
        custom = {"custom_text": True}
    model_cfg = {"embed_dim": config.dim, **custom, "vision_cfg": vision_cfg, "text_cfg": _text_cfg(text)}
    model_cfg |= _unless(text.activation != "quick_gelu", quick_gelu=True)
    model_cfg |= _unless(config.logit_bias is None, init_logit_bias=config.logit_bias)
    preprocess_cfg = {
        "size": spec.size_px,
        "mode": "RGB",
        "mean": list(spec.mean),
        "std": list(spec.std),
        "interpolation": spec.interpolation,
        "resize_mode": spec.resize,
        "fill_color": spec.fill,
    }
    files = {"open_clip_config.json": {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}}
    return ForeignModel(TITLE, table, files)


def _reasons_against(image: ImageConfig, text: TextConfig, spec: ImageSpec) -> list[str]:
    """Why OpenCLIP cannot express this model exactly."""
    reasons = []
    if not isinstance(text, ClipTextConfig):
        reasons.append(
            f"its text tower is {text.kind}, which OpenCLIP names after a repository on the hub instead of describing it"
        )
    if not isinstance(image, VitConfig | ModifiedResNetConfig) and express(image) is None:
        reasons.append(f"its image tower is {image.kind}")
    if spec.resize == "shortest" and spec.resize_px != spec.size_px:
        reasons.append(f"its pictures are resized to {spec.resize_px} and cropped to {spec.size_px} pixels")
    if spec.interpolation not in ("bicubic", "bilinear"):
        reasons.append(f"its pictures are resized by {spec.interpolation}")
    if image is not None and image.finds is not None:
        reasons.append(f"its image tower finds {image.finds}")
    if isinstance(image, VitConfig) and image.attention_pool is not None:
        reasons.append("its image tower is CoCa's, whose decoder is not kept")
    if isinstance(text, ClipTextConfig) and text.pooling == "class":
        reasons.append("its text tower is CoCa's, whose decoder is not kept")
    if isinstance(image, VitConfig) and isinstance(text, ClipTextConfig):
        if (image.activation == "quick_gelu") != (text.activation == "quick_gelu"):
            reasons.append("only one of its towers uses QuickGELU")
        if image.projection != "linear" or text.projection != "linear":
            reasons.append("a tower's projection is not linear")
    return reasons


def _vision_cfg(image: VitConfig | ModifiedResNetConfig) -> dict[str, Any]:
    sizes: dict[str, Any] = {"image_size": image.image_px, "width": image.width}
    if isinstance(image, ModifiedResNetConfig):
        return sizes | {"layers": list(image.stages), "head_width": image.width * 32 // image.heads}
    return {
        **sizes,
        "layers": image.depth,
        "patch_size": image.patch_px,
        "head_width": image.width // image.heads,
        **_unless(image.mlp_width == 4 * image.width, mlp_ratio=image.mlp_width / image.width),
        **_unless(image.norm_before, no_ln_pre=True),
        **_unless(image.pooling == "cls", pool_type="avg"),
        **_unless(not image.norm_after_pool, final_ln_after_pool=True),
        **_unless(not image.layer_scale, ls_init_value=1e-5),
        **_block_cfg(image),
    }


def _text_cfg(text: ClipTextConfig) -> dict[str, Any]:
    cfg: dict[str, Any] = {
        "context_length": text.positions,
        "vocab_size": text.vocabulary,
        "width": text.width,
        "heads": text.heads,
        "layers": text.depth,
        **_unless(text.mlp_width == 4 * text.width, mlp_ratio=text.mlp_width / text.width),
        **_unless(text.causal, no_causal_mask=True),
        **_unless(text.pooling == "eos", pool_type="last"),
        **_block_cfg(text),
    }
    if text.pooling == "eos" and text.eos_id != text.vocabulary - 1:
        cfg |= {"pool_type": "eos", "eos_id": text.eos_id}
    return cfg


def _block_cfg(tower: VitConfig | ClipTextConfig) -> dict[str, Any]:
    return {
        **_unless(tower.layer_norm_eps == 1e-5, norm_kwargs={"eps": tower.layer_norm_eps}),
        **_unless(tower.activation != "gelu_tanh", act_kwargs={"approximate": "tanh"}),
    }


def _unless(default: bool, **value: Any) -> dict[str, Any]:
    """A setting, left out where it equals OpenCLIP's default."""
    return {} if default else value


WRITER = Writer("open_clip", "open_clip_model.safetensors", _translate)
