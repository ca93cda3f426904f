"""OpenCLIP (2.x to 4.x): native towers, towers of timm, custom and BERT-like text towers, and CoCa without its decoder.

Described by `open_clip_config.json`; bare weights, such as training checkpoints, by the catalogue or the caller.
"""

from collections.abc import Collection
from dataclasses import replace

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.bare_weights import ShapeRule, describe_by_shapes
from seesay.checkpoints.formats.format import Evidence, Format, has_any
from seesay.checkpoints.formats.open_clip_config import configuration, preprocessing_file
from seesay.checkpoints.formats.open_clip_writing import TITLE, WRITER
from seesay.checkpoints.formats.tables import (
    BERT,
    BERT_POOLER,
    DECODER_UNUSED,
    MASKS,
    OPENAI_BOTH,
    OPENAI_TEXT,
    SCALE,
    openai_image,
)
from seesay.checkpoints.formats.trunks import has_trunk, trunk_table
from seesay.checkpoints.names import Table, nested, row
from seesay.errors import CheckpointError

HF_TEXT_NAMES: Table = (
    *nested(BERT + BERT_POOLER, "text.transformer.", "text."),
    row("text.proj.weight", "text.projection.weight"),
    row("text.proj.0.weight", "text.projection.up.weight"),
    row("text.proj.2.weight", "text.projection.down.weight"),
    *SCALE,
    *DECODER_UNUSED,
)
CUSTOM_TEXT_NAMES: Table = (*nested(OPENAI_TEXT, "text.", "text."), *MASKS, *SCALE, *DECODER_UNUSED)


def _image_table(names: Collection[str]) -> Table:
    return trunk_table(names) if has_trunk(names) else openai_image(names)


def _native_table(names: Collection[str]) -> Table:
    return OPENAI_BOTH + _image_table(names)


def _is_native(weights: Weights) -> bool:
    return "visual.conv1.weight" in weights.names or has_trunk(weights.names)


def _hf_text_table(names: Collection[str]) -> Table:
    return HF_TEXT_NAMES + _image_table(names)


def _custom_text_table(names: Collection[str]) -> Table:
    return CUSTOM_TEXT_NAMES + _image_table(names)


RULE = ShapeRule(source="what the caller says", vocabulary="clip")


def _rule(evidence: Evidence) -> Description:
    if has_trunk(evidence.weights.names):
        raise CheckpointError(
            f"{evidence.folder} has no open_clip_config.json, which says which of timm's towers {evidence.weights.path.name} "
            "holds. Put it there, or pass architecture=NAME, the name of its architecture in the catalogue "
            "(seesay models architectures)"
        )
    evidence.overrides.require("activation", "image_heads", "text_heads", "preprocessing")
    return describe_by_shapes(evidence, RULE)


def _hf_text_rule(evidence: Evidence) -> Description:
    raise CheckpointError(
        f"{evidence.folder} has no open_clip_config.json, which says how {evidence.weights.path.name} pools its texts. Put it "
        "there, or pass architecture=NAME, the name of its architecture in the catalogue (seesay models architectures)"
    )


NATIVE = Format(
    name="open_clip",
    title=TITLE,
    recognises=_is_native,
    table=_native_table,
    rule=_rule,
    configuration=configuration,
    preprocessing_file=preprocessing_file,
    writer=WRITER,
)
CUSTOM_TEXT = replace(
    NATIVE,
    name="open_clip_custom_text",
    title="OpenCLIP with a custom text tower, or CoCa",
    recognises=has_any("text.token_embedding.weight"),
    table=_custom_text_table,
)
HF_TEXT = replace(
    NATIVE,
    name="open_clip_hf_text",
    title="OpenCLIP with a Hugging Face text tower",
    recognises=has_any("text.transformer.embeddings.word_embeddings.weight"),
    table=_hf_text_table,
    rule=_hf_text_rule,
)
