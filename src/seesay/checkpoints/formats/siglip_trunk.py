"""SigLIP's image towers as timm names them, in OpenCLIP's checkpoints."""

from collections.abc import Collection

from seesay.checkpoints.formats import siglip
from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.checkpoints.formats.tables import qkv
from seesay.checkpoints.formats.trunk import Trunk
from seesay.checkpoints.names import Table, layer, nested, row
from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.models.fields import Activation

BLOCK: Table = (
    *layer("norm1", "norm1"),
    *qkv("attn.qkv.", "attention"),
    *layer("attn.proj", "attention.out"),
    *layer("norm2", "norm2"),
    *layer("mlp.fc1", "mlp.up"),
    *layer("mlp.fc2", "mlp.down"),
)
POOL: Table = (
    row("latent", "query", how="squeeze"),
    *layer("q", "attention.query"),
    row("kv.weight", "attention.key.weight", "attention.value.weight", how="stack"),
    row("kv.bias", "attention.key.bias", "attention.value.bias", how="stack"),
    *layer("proj", "attention.out"),
    *layer("norm", "norm"),
    *layer("mlp.fc1", "mlp.up"),
    *layer("mlp.fc2", "mlp.down"),
)
TOWER: Table = (
    *layer("patch_embed.proj", "patch_embedding"),
    row("pos_embed", "position_embedding", how="squeeze"),
    *nested(BLOCK, "blocks.{}.", "blocks.{}."),
    *layer("norm", "norm_after"),
    *nested(POOL, "attn_pool.", "pool."),
)
NAMES: Table = nested(TOWER, "visual.trunk.", "image.")
MARK = "visual.trunk.attn_pool.latent"


def _model(image_px: int, patch_px: int, sizes: tuple[int, int, int, int], activation: Activation) -> SiglipVitConfig:
    width, depth, heads, mlp_width = sizes
    return SiglipVitConfig("siglip-vit", image_px, patch_px, width, depth, heads, mlp_width, activation, siglip.EPS)


# Width, depth, heads, MLP width.
BASE, LARGE, SO400M, GIANT = (768, 12, 12, 3072), (1024, 24, 16, 4096), (1152, 27, 16, 4304), (1536, 40, 16, 6144)
# timm computes some with the exact GELU, as published OpenCLIP configurations want it, and others as the authors did.
MODELS = {
    "vit_base_patch32_siglip_256": _model(256, 32, BASE, "gelu_tanh"),
    **{f"vit_base_patch16_siglip_{px}": _model(px, 16, BASE, "gelu") for px in (224, 256, 384, 512)},
    **{f"vit_large_patch16_siglip_{px}": _model(px, 16, LARGE, "gelu") for px in (256, 384)},
    "vit_large_patch16_siglip_512": _model(512, 16, LARGE, "gelu_tanh"),
    **{f"vit_so400m_patch14_siglip_{px}": _model(px, 14, SO400M, "gelu") for px in (224, 378, 384)},
    **{f"vit_so400m_patch16_siglip_{px}": _model(px, 16, SO400M, "gelu_tanh") for px in (256, 384, 512)},
    **{f"vit_giantopt_patch16_siglip_{px}": _model(px, 16, GIANT, "gelu_tanh") for px in (256, 384)},
}
SETTINGS = {
    *("timm_model_name", "image_size", "timm_pool", "timm_proj"),
    *("timm_model_pretrained", "timm_drop", "timm_drop_path", "patch_dropout"),  # of training
}


def _configure(s: ForeignConfig) -> SiglipVitConfig:
    config = MODELS[s.values["timm_model_name"]]
    s.faults.extend(
        f"{s.at}.{key}: unknown key, which might change what the model computes" for key in sorted(s.values.keys() - SETTINGS)
    )
    s.choice("timm_pool", {"map": "map"}, "avg")  # OpenCLIP's default is another
    s.choice("timm_proj", {"none": "none"}, "linear")
    if s.side("image_size", 224) != config.image_px:
        s.faults.append(
            f"{s.at}.image_size: expected {config.image_px}, as the tower's name says, got {s.values['image_size']!r}"
        )
    return config


def _recognises(names: Collection[str]) -> bool:
    # Perception Encoder pools so, too, with a class token or without; all of its towers have a norm before the first block.
    return MARK in names and "visual.trunk.norm_pre.weight" not in names


TRUNK = Trunk(models=lambda name: name in MODELS, configure=_configure, recognises=_recognises, table=lambda names: NAMES)
