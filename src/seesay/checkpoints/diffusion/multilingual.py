"""Text encoders of Taiyi (BERT) and AltDiffusion (XLM-R), which read Chinese, as towers of SeeSay's BERT family.

Taiyi Stable Diffusion (Fengshenbang, 2022) has a BertModel; diffusers gives it no attention mask, so padding is seen like any
token. AltDiffusion (FlagAI, 2022) has XLM-R with a linear layer for each token: after the last block, or in its later models
(`has_pre_transformation`) after the last but one and a norm.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.diffusion.layouts import SCALE_UNUSED
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence, Format, has_any
from seesay.checkpoints.formats.tables import BERT, BERT_POOLER
from seesay.checkpoints.formats.transformers_config import bert_config
from seesay.checkpoints.names import Table, account, ignored, layer, nested
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint
from seesay.errors import CheckpointError, InputError

UNMASKED = -1  # an id that no text has, so that no padding is masked
ROBERTA_SERIES = "RobertaSeriesModelWithTransformation"

TAIYI_NAMES: Table = (
    *nested(BERT + BERT_POOLER, "", "text."),
    *nested(BERT + BERT_POOLER, "bert.", "text."),
)
ALT_NAMES: Table = (
    *nested(BERT + BERT_POOLER, "roberta.", "text."),
    *layer("transformation", "text.projection"),
    SCALE_UNUSED,
)
_UNREAD = "of the last block, which this generator does not look at"
_LAST_BLOCK = tuple(
    f"{name}.{part}"
    for name in (
        *(f"attention.self.{kind}" for kind in ("query", "key", "value")),
        *("attention.output.dense", "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
    )
    for part in ("weight", "bias")
)


def multilingual_format(config: Mapping[str, Any]) -> Callable[[Path, Mapping[str, Any], Weights], Checkpoint] | None:
    """Reads a text encoder with this config.json; None for one that is neither Taiyi's nor AltDiffusion's."""
    classes = config.get("architectures")
    if isinstance(classes, list) and ROBERTA_SERIES in classes:
        return _read_altdiffusion
    return _read_taiyi if config.get("model_type") == "bert" else None


def _read_taiyi(folder: Path, config: Mapping[str, Any], weights: Weights) -> Checkpoint:
    faults: list[str] = []
    text = bert_config(config, pooling="cls", head="none", at="", faults=faults)
    raise_faults(faults, str(folder / "config.json"))
    masked = config.get("use_attention_mask") is True
    return _read(folder, weights, TAIYI_NAMES, replace(text, pad_id=text.pad_id if masked else UNMASKED), text.width)


def _read_altdiffusion(folder: Path, config: Mapping[str, Any], weights: Weights) -> Checkpoint:
    name = str(folder / "config.json")
    if config.get("use_attention_mask", True) is not True:
        raise CheckpointError(f"{name} cannot be followed: use_attention_mask is off, and SeeSay's XLM-R always masks padding")
    faults: list[str] = []
    values = {**config, "model_type": "xlm-roberta"}
    text = bert_config(values, pooling="cls", head="affine", at="", faults=faults)
    dim = ForeignConfig(config, "", faults).integer("project_dim", 512)
    raise_faults(faults, name)
    if not config.get("has_pre_transformation"):
        return _read(folder, weights, ALT_NAMES, text, dim)
    last = f"roberta.encoder.layer.{text.depth - 1}."
    names: Table = (
        *(ignored(last + each, _UNREAD) for each in _LAST_BLOCK),
        *nested(BERT + BERT_POOLER, "roberta.", "text."),
        *layer("pre_LN", "text.transformation.norm"),
        *layer("transformation_pre", "text.transformation.linear"),
        *(ignored(f"transformation.{part}", "of the last block's output, " + _UNREAD) for part in ("weight", "bias")),
        SCALE_UNUSED,
    )
    try:
        text = replace(text, depth=text.depth - 1, head="none", transformation=dim)
    except InputError as error:
        raise CheckpointError(f"{name} cannot be followed: {error}") from None
    return _read(folder, weights, names, text, dim)


def _read(folder: Path, weights: Weights, names: Table, text: Any, dim: int) -> Checkpoint:
    def described(evidence: Evidence) -> Description:
        raise AssertionError("it is described by its config.json")

    read = Format(
        name="generator_bert_text",
        title="a BERT text encoder of a generator",
        recognises=has_any("embeddings.word_embeddings.weight"),
        table=lambda _: names,
        rule=described,
    )
    description = Description(
        dim=dim,
        image=None,
        text=text,
        image_spec=None,
        tokenizer_spec=None,
        tokenizer="folder",
        source=str(folder / "config.json"),
        languages=("zh", "en"),
    )
    return Checkpoint(folder, read, weights, account(weights.names, names), description, Overrides())
