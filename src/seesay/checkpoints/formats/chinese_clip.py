"""Chinese-CLIP's own checkpoints (cn_clip): OpenAI's image towers with a BERT text tower, no configuration beside."""

from collections.abc import Collection
from dataclasses import replace

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.bare_weights import ShapeRule, describe_by_shapes
from seesay.checkpoints.formats.format import Evidence, Format, has_any
from seesay.checkpoints.formats.tables import BERT, POOLER_UNUSED, SCALE, TEXT_LINEAR, openai_image
from seesay.checkpoints.names import Table, nested
from seesay.checkpoints.overrides import Overrides

TEXT: Table = (*nested(BERT + POOLER_UNUSED, "bert.", "text."), TEXT_LINEAR, *SCALE)
RULE = ShapeRule(
    source="Chinese-CLIP's rules",
    vocabulary="chinese_clip",
    defaults=Overrides(activation="quick_gelu", text_activation="gelu"),
    image_head_width=64,
    image_head_widths=((1280, 80),),  # ViT-H
    text_head_width=64,
    preprocessing="chinese-clip",
)


def _table(names: Collection[str]) -> Table:
    return TEXT + openai_image(names)


def _rule(evidence: Evidence) -> Description:
    description = describe_by_shapes(evidence, RULE)
    return replace(description, languages=("zh",) if description.text is not None else ())


FORMAT = Format(
    name="chinese_clip",
    title="Chinese-CLIP, original",
    recognises=has_any(
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.0.attention.self.Wqkv.weight",  # trained with flash attention
    ),
    table=_table,
    rule=_rule,
    preprocessing="chinese-clip",
)
