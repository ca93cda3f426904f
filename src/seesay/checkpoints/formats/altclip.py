"""AltCLIP in Hugging Face transformers (4.x and 5.x): CLIP's image tower with XLM-R for texts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import hugging_face
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Format, has_any
from seesay.checkpoints.formats.hugging_face import BLOCK_NAMES, CLIP_VISION_DEFAULTS, IMAGE_NAMES, tower_values, vit_config
from seesay.checkpoints.formats.tables import BERT, BERT_BLOCK, SCALE
from seesay.checkpoints.formats.transformers_config import LARGE, XLM_ROBERTA, bert_config
from seesay.checkpoints.names import Table, layer, nested, row
from seesay.tokenizers.spec import TokenizerSpec

NAMES: Table = (
    *IMAGE_NAMES,
    *nested(BERT, "text_model.roberta.", "text."),
    # In transformers 5 the layers of both towers are called "layers", and of both "layer" in what it saves.
    *nested(BERT_BLOCK, "text_model.roberta.encoder.layers.{}.", "text.blocks.{}."),
    *nested(BLOCK_NAMES, "vision_model.encoder.layer.{}.", "image.blocks.{}."),
    *layer("text_model.pre_LN", "text.transformation.norm"),
    *layer("text_model.transformation", "text.transformation.linear"),
    row("text_projection.weight", "text.projection.weight"),
    *SCALE,
)
TEXT_DEFAULTS = XLM_ROBERTA | LARGE | {"project_dim": 768}
CONTEXT = 77  # in the authors' examples (FlagAI, examples/AltCLIP); the tower itself takes 512 tokens


def describe(config: Mapping[str, Any], processor: hugging_face.Processor | None, name: str) -> Description:
    """An AltCLIPModel. Raises CheckpointError with every fault. name: the file, for messages."""
    faults: list[str] = []
    s = ForeignConfig(config, "", faults)
    values = tower_values(s, "text", TEXT_DEFAULTS)
    text = bert_config(values | {"model_type": "xlm-roberta"}, pooling="cls", head="linear", at="text_config", faults=faults)
    text = replace(text, transformation=ForeignConfig(values, "text_config", faults).integer("project_dim"))
    image = vit_config(ForeignConfig(tower_values(s, "vision", CLIP_VISION_DEFAULTS), "vision_config", faults), True)
    dim = s.integer("projection_dim", 768)
    image_spec = None if processor is None else hugging_face.image_spec_of(processor, faults)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=image,
        text=text,
        image_spec=image_spec,
        tokenizer_spec=TokenizerSpec(min(CONTEXT, text.max_tokens), text.pad_id, "longest"),
        tokenizer="folder",
        source=name,
        languages=("en", "zh"),
    )


FORMAT = Format(
    name="hf_altclip",
    title="Hugging Face AltCLIPModel",
    recognises=has_any("text_model.roberta.embeddings.word_embeddings.weight"),
    table=lambda names: NAMES,
    rule=hugging_face.without_configuration,
    configuration=hugging_face.described_by(describe),
    model_types=frozenset({"altclip"}),
)
