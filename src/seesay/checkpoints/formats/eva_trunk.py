"""EVA-CLIP's image towers as timm names them, in OpenCLIP's checkpoints."""

from collections.abc import Collection
from typing import Any

from seesay.checkpoints.formats.eva_clip import EVA
from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.checkpoints.formats.trunk import Trunk
from seesay.checkpoints.names import Table, layer, nested
from seesay.models.config import ImageConfig
from seesay.models.families.eva.config import EvaConfig

BLOCK: Table = (
    *layer("attn.norm", "attention.norm"),
    *layer("mlp.fc1_g", "mlp.gate"),
    *layer("mlp.fc1_x", "mlp.up"),
    *layer("mlp.norm", "mlp.norm"),
)
NAMES: Table = nested((*EVA, *nested(BLOCK, "blocks.{}.", "blocks.{}.")), "visual.trunk.", "image.")

# timm's names say all of a tower. EVA-01's has one for other uses, under which OpenCLIP publishes it, too.
GIANT = EvaConfig("eva", 224, 14, 1408, 40, 16, 6144, "gelu", None, inner_norm=False)
LARGE = EvaConfig("eva", 224, 14, 1024, 24, 16, 2730, "swiglu", 16, inner_norm=True)
MODELS = {
    "eva_giant_patch14_224": GIANT,
    "eva_giant_patch14_clip_224": GIANT,
    "eva02_base_patch16_clip_224": EvaConfig("eva", 224, 16, 768, 12, 12, 2048, "swiglu", 16, inner_norm=True),
    "eva02_large_patch14_clip_224": LARGE,
    "eva02_large_patch14_clip_336": LARGE.overridden(image_px=336),
    "eva02_enormous_patch14_clip_224": EvaConfig("eva", 224, 14, 1792, 64, 16, 15360, "gelu", None, False, "post"),
}
SETTINGS = {
    *("timm_model_name", "image_size", "timm_pool", "timm_proj", "timm_proj_bias"),
    *("timm_model_pretrained", "timm_drop", "timm_drop_path", "patch_dropout"),  # of training
}


def _configure(s: ForeignConfig) -> EvaConfig:
    config = MODELS[s.values["timm_model_name"]]
    s.faults.extend(
        f"{s.at}.{key}: unknown key, which might change what the model computes" for key in sorted(s.values.keys() - SETTINGS)
    )
    s.choice("timm_pool", {"token": "token"}, "avg")  # OpenCLIP's default is another
    s.choice("timm_proj", {None: None, "": None}, "linear")
    if s.side("image_size", 224) != config.image_px:
        s.faults.append(
            f"{s.at}.image_size: expected {config.image_px}, as the tower's name says, got {s.values['image_size']!r}"
        )
    return config


def _recognises(names: Collection[str]) -> bool:
    return any(f"visual.trunk.blocks.0.attn.{name}" in names for name in ("q_bias", "norm.weight"))


FUSED = ("attn.qkv.", "attn.q_bias", "attn.v_bias", "mlp.fc1.")  # names of towers without inner norms,
SPLIT = ("attn.q_proj.", "attn.k_proj.", "attn.v_proj.", "mlp.fc1_g.", "mlp.fc1_x.")  # and of those with them


def _express(image: ImageConfig) -> tuple[dict[str, Any], Table] | None:
    name = next((name for name, config in MODELS.items() if config == image), None)
    if name is None:
        return None
    assert isinstance(image, EvaConfig)
    others = FUSED if image.inner_norm else SPLIT
    cfg = {"timm_model_name": name, "timm_model_pretrained": False, "timm_pool": "token", "timm_proj": None}
    return {"image_size": image.image_px, **cfg}, tuple(r for r in NAMES if not any(part in r.foreign for part in others))


TRUNK = Trunk(
    models=lambda name: name in MODELS,
    configure=_configure,
    recognises=_recognises,
    table=lambda names: NAMES,
    express=_express,
)
