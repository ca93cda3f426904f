"""EVA-CLIP as its authors publish it (QuanSun/EVA-CLIP, BAAI/EVA-CLIP-8B): a `.pt`, with no configuration beside.

Facts are those of the authors' repository (baaivision/EVA, EVA-CLIP and EVA-CLIP-18B).
"""

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from seesay.checkpoints import shapes
from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.bare_weights import ShapeRule, describe_by_shapes
from seesay.checkpoints.formats.eva_clip_config import check_rotation, configuration
from seesay.checkpoints.formats.format import Evidence, Format
from seesay.checkpoints.formats.tables import MASKS, OPENAI_TEXT, SCALE
from seesay.checkpoints.names import Table, ignored, layer, nested, row
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import preset
from seesay.errors import CheckpointError
from seesay.models.families.eva.config import EvaConfig

BLOCK: Table = (
    *layer("norm1", "norm1"),
    row("attn.qkv.weight", *(f"attention.{part}.weight" for part in ("query", "key", "value")), how="stack"),
    *layer("attn.q_proj", "attention.query"),
    row("attn.k_proj.weight", "attention.key.weight"),
    *layer("attn.v_proj", "attention.value"),
    row("attn.q_bias", "attention.query.bias"),
    row("attn.v_bias", "attention.value.bias"),
    *layer("attn.proj", "attention.out"),
    *layer("norm2", "norm2"),
    *layer("mlp.fc1", "mlp.up"),
    *layer("mlp.fc2", "mlp.down"),
    row("gamma_1", "scale1.weight"),
    row("gamma_2", "scale2.weight"),
)
EVA: Table = (  # names that timm's towers have, too
    row("cls_token", "class_embedding", how="squeeze"),
    row("pos_embed", "position_embedding", how="squeeze"),
    *layer("patch_embed.proj", "patch_embedding"),
    *nested(BLOCK, "blocks.{}.", "blocks.{}."),
    *layer("norm", "norm_after"),
    *layer("head", "projection"),
)
AUTHORS_BLOCK: Table = (
    *layer("attn.inner_attn_ln", "attention.norm"),
    *layer("mlp.w1", "mlp.gate"),
    *layer("mlp.w2", "mlp.up"),
    *layer("mlp.w3", "mlp.down"),
    *layer("mlp.ffn_ln", "mlp.norm"),
    *(ignored(f"attn.rope.freqs_{part}", "the same in every block") for part in ("cos", "sin")),
)
IMAGE: Table = (
    *nested(EVA, "visual.", "image."),
    *nested(AUTHORS_BLOCK, "visual.blocks.{}.", "image.blocks.{}."),
    row("visual.rope.freqs_cos", "image.rotation.cos"),
    row("visual.rope.freqs_sin", "image.rotation.sin"),
)
TEXT: Table = (*nested(OPENAI_TEXT, "text.", "text."), *nested(OPENAI_TEXT, "", "text."), *MASKS)
TEXT_SCALE = "text.logit_scale"


def _table(names: Collection[str]) -> Table:
    """As in the authors' loader, a scale among the text tower's weights wins over the one beside them."""
    if TEXT_SCALE not in names:
        return IMAGE + TEXT + SCALE
    return (
        *IMAGE,
        *TEXT,
        row(TEXT_SCALE, "logit_scale", how="scalar"),
        ignored("logit_scale", f"{TEXT_SCALE} takes its place"),
    )


def _recognises(weights: Weights) -> bool:
    return any(f"visual.blocks.0.attn.{name}.weight" in weights.names for name in ("qkv", "q_proj"))


# Bare weights


class Size(NamedTuple):
    """Facts about a published image tower that its tensors cannot show."""

    head_width: int
    post_norm: bool = False


# By width and depth: EVA01-B and EVA02-B, EVA02-L, EVA01-g, EVA02-E, 8B, 18B
SIZES = {
    (768, 12): Size(64),
    (1024, 24): Size(64),
    (1408, 40): Size(88),
    (1792, 64): Size(112, post_norm=True),
    (4096, 32): Size(128),
    (5120, 48): Size(128, post_norm=True),
}
TEXT_RULE = ShapeRule(
    source="EVA-CLIP's rules",
    vocabulary="open_clip",
    defaults=Overrides(activation="gelu"),
    text_head_width=64,
)


def _rule(evidence: Evidence) -> Description:
    """By shapes, for the sizes that the authors published: whether norms come before or after a branch is not to be seen."""
    image = _image(evidence)
    text = {name: shape for name, shape in evidence.shapes.items() if name.startswith("text.")}
    if not text:
        raise CheckpointError("this is EVA-CLIP's image tower without its text tower, which is not read alone")
    description = describe_by_shapes(replace(evidence, shapes=text), TEXT_RULE)
    return replace(description, image=image, image_spec=preset("openai", image.image_px))


def _image(evidence: Evidence) -> EvaConfig:
    tensors = evidence.shapes
    width, _, patch, _ = shapes.shape(tensors, "image.patch_embedding.weight", 4)
    depth = shapes.depth(tensors, "image")
    size = SIZES.get((width, depth))
    if size is None:
        raise CheckpointError(
            f"EVA-CLIP's authors published no image tower of width {width} with {depth} layers, so nothing says where its "
            "norms stand, how wide its heads are and whether positions are rotary. Put their configuration of the model, "
            "model_configs/EVA....json, beside the weights; or pass architecture=NAME, the name of its architecture in the "
            "catalogue (seesay models architectures)"
        )
    grid = shapes.square(shapes.shape(tensors, "image.position_embedding", 2)[0], "the image tower")
    gated = "image.blocks.0.mlp.gate.weight" in tensors
    config = EvaConfig(
        kind="eva",
        image_px=patch * grid,
        patch_px=patch,
        width=width,
        depth=depth,
        heads=evidence.overrides.image_heads or width // size.head_width,
        mlp_width=shapes.shape(tensors, "image.blocks.0.mlp.up.weight", 2)[0],
        mlp="swiglu" if gated else "gelu",
        rotary_grid=16 if gated else None,  # EVA-02's B and L have both, all others neither
        inner_norm="image.blocks.0.mlp.norm.weight" in tensors,
        norm_place="post" if size.post_norm else "pre",
        norm="layer" if "image.blocks.0.norm1.bias" in tensors else "rms",
        qkv_bias="image.blocks.0.attention.query.bias" in tensors,
        layer_scale="image.blocks.0.scale1.weight" in tensors,
    )
    check_rotation(config, tensors, TEXT_RULE.source)
    return config


FORMAT = Format(
    name="eva_clip",
    title="EVA-CLIP, original",
    recognises=_recognises,
    table=_table,
    rule=_rule,
    configuration=configuration,
    preprocessing="openai",
)
