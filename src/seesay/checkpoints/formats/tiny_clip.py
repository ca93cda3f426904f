"""TinyCLIP's own checkpoints: OpenAI's towers under other names, without a configuration (Wu and others 2023).

Those that were pruned while they were trained ("auto") have masks, and blocks of different widths: they are refused.
"""

from collections.abc import Collection

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.bare_weights import ShapeRule, describe_by_shapes
from seesay.checkpoints.formats.format import Evidence, Format, has_any
from seesay.checkpoints.formats.tables import OPENAI_RESNET, OPENAI_TEXT, OPENAI_VIT
from seesay.checkpoints.names import Table, ignored, nested, row
from seesay.checkpoints.overrides import Overrides

DISTRIBUTED = ("", "module.")  # as saved from one process, and from several
RESNET_MARK = "visual.attnpool.positional_embedding"
RULE = ShapeRule(
    source="TinyCLIP's rules",
    vocabulary="open_clip",
    defaults=Overrides(activation="gelu"),
    image_head_width=64,
    text_head_width=64,
    preprocessing="openai",
)


def _table(names: Collection[str]) -> Table:
    image = OPENAI_RESNET if any(name.endswith(RESNET_MARK) for name in names) else OPENAI_VIT
    return tuple(
        each
        for module in DISTRIBUTED
        for each in (
            *nested(image, f"_image_encoder.{module}visual.", "image."),
            *nested(OPENAI_TEXT, f"_text_encoder.{module}", "text."),
            ignored(f"_text_encoder.{module}attn_mask", "the causal mask"),
            row(f"_logit_scale.{module}logit_scale", "logit_scale", how="scalar"),
        )
    )


def _rule(evidence: Evidence) -> Description:
    return describe_by_shapes(evidence, RULE)


FORMAT = Format(
    name="tiny_clip",
    title="TinyCLIP, original",
    recognises=has_any(*(f"_image_encoder.{module}visual.conv1.weight" for module in DISTRIBUTED)),
    table=_table,
    rule=_rule,
    preprocessing="openai",
)
