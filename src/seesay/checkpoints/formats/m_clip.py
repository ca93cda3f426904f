"""M-CLIP's text towers: XLM-R or BERT, trained into the space of another model's image tower (Carlsson and others 2022)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from seesay.checkpoints import shapes
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import hugging_face
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence, Format, has_any
from seesay.checkpoints.formats.tables import BERT
from seesay.checkpoints.formats.transformers_config import BERT_DEFAULTS, XLM_ROBERTA, bert_config
from seesay.checkpoints.names import Table, ignored, layer, nested
from seesay.checkpoints.shapes import Shapes
from seesay.system.schema import read_object
from seesay.tokenizers.spec import TokenizerSpec

NAMES: Table = (
    *nested(BERT, "transformer.", "text."),
    *(
        ignored(f"transformer.pooler.dense.{part}", "the mean of the tokens is taken, not BERT's pooler")
        for part in ("weight", "bias")
    ),
    *layer("LinearTransformation", "text.projection"),
)
HEAD_WIDTH = 64  # of all bases


class Base(NamedTuple):
    """What a base model's tensors do not show: settings of its kind in transformers."""

    model_type: str
    defaults: Mapping[str, Any]


XLM_R, PLAIN = Base("xlm-roberta", XLM_ROBERTA), Base("bert", BERT_DEFAULTS)
BASES = {  # by `modelBase`
    "xlm-roberta-base": XLM_R,
    "xlm-roberta-large": XLM_R,
    "bert-base-multilingual-cased": PLAIN,
    "sentence-transformers/LaBSE": PLAIN,
}


def describe(config: Mapping[str, Any], tensors: Shapes, heads: int | None, name: str) -> Description:
    """A text tower by its config.json and its tensors' shapes. Raises CheckpointError.

    heads: where they are not as wide as those of the published bases. name: the file, for messages.
    """
    faults: list[str] = []
    base: Base = ForeignConfig(config, "", faults).choice("modelBase", BASES)
    raise_faults(faults, name)
    dim, width = shapes.shape(tensors, "text.projection.weight", 2)
    sizes = {
        "model_type": base.model_type,
        "vocab_size": shapes.shape(tensors, "text.embeddings.word.weight", 2)[0],
        "max_position_embeddings": shapes.shape(tensors, "text.embeddings.position.weight", 2)[0],
        "type_vocab_size": shapes.shape(tensors, "text.embeddings.token_type.weight", 2)[0],
        "hidden_size": width,
        "num_hidden_layers": shapes.depth(tensors, "text"),
        "num_attention_heads": heads or max(width // HEAD_WIDTH, 1),
        "intermediate_size": shapes.shape(tensors, "text.blocks.0.mlp.up.weight", 2)[0],
    }
    text = bert_config({**base.defaults, **sizes}, pooling="mean", head="affine", at="modelBase", faults=faults)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=None,
        text=text,
        image_spec=None,
        tokenizer_spec=TokenizerSpec(text.max_tokens, text.pad_id, "longest"),
        tokenizer="folder",
        source=name,
        languages=("multilingual",),
    )


def _configuration(evidence: Evidence) -> Description | None:
    file = evidence.folder / "config.json"
    if not file.is_file():
        return None
    return describe(read_object(file), evidence.shapes, evidence.overrides.text_heads, str(file))


FORMAT = Format(
    name="m_clip",
    title="M-CLIP, a text tower for another model's images",
    recognises=has_any("LinearTransformation.weight"),
    table=lambda names: NAMES,
    rule=hugging_face.without_configuration,
    configuration=_configuration,
    model_types=frozenset({"M-CLIP"}),
)
