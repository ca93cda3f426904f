"""Where the text encoders lie in single files of generators, by the beginnings of tensor names, and how they are read.

The places are those of CompVis' and Stability AI's training code (`cond_stage_model`, `conditioner.embedders`) and of
ComfyUI's combined files (`text_encoders`).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from seesay.checkpoints import shapes
from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.diffusion.text_encoder import Family, Name
from seesay.checkpoints.formats.format import Evidence, Format, has_any
from seesay.checkpoints.formats.hugging_face import TEXT_NAMES
from seesay.checkpoints.formats.tables import OPENAI_TEXT
from seesay.checkpoints.names import Table, account, ignored, nested, row
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, native_shapes
from seesay.errors import CheckpointError, InputError
from seesay.models.families.clip_text.config import ClipTextConfig

HEAD_WIDTH = 64  # of every text tower of OpenAI's CLIP and of OpenCLIP's H, g and bigG
OPEN_CLIP_WIDTHS = (1024, 1280)  # of ViT-H/14 and ViT-bigG/14; OpenAI's are narrower
SCALE_UNUSED = ignored("logit_scale", "the scale of cosines with pictures, which no generator needs")

HF_NAMES: Table = (
    *nested(TEXT_NAMES, "text_model.", "text."),
    *nested(TEXT_NAMES, "", "text."),  # some merges leave out that level
    row("text_projection.weight", "text.projection.weight"),
    row("text_projection", "text.projection.weight", how="transpose"),
    SCALE_UNUSED,
)
OPEN_CLIP_NAMES: Table = (
    *nested(OPENAI_TEXT, "", "text."),
    ignored("attn_mask", "the causal mask"),
    SCALE_UNUSED,
)


@dataclass(frozen=True)
class Place:
    """A place of a text encoder. prefix: before its tensors' names. mark: one of these names, which only it has."""

    prefix: str
    mark: str
    name: Name
    family: Family
    format: Format


def _described(evidence: Evidence, activation: str | None) -> Description:
    """A text tower by its shapes: heads of 64, and the activation of its width where none is stated."""
    overrides = evidence.overrides
    tensors = evidence.shapes
    width = shapes.shape(tensors, "text.token_embedding.weight", 2)[1]
    if width % HEAD_WIDTH and not overrides.text_heads:
        raise CheckpointError(f"its text encoder is {width} wide, no multiple of {HEAD_WIDTH}, the width of a head of CLIP's")
    activation = activation or ("gelu" if width in OPEN_CLIP_WIDTHS else "quick_gelu")
    known = overrides.or_else(Overrides(activation=activation))  # type: ignore[arg-type]
    text = shapes.text_config(tensors, known, HEAD_WIDTH)
    assert isinstance(text, ClipTextConfig)
    dim = shapes.shape(tensors, "text.projection.weight", 2)[0] if text.projects else text.width
    return Description(
        dim=dim, image=None, text=text, image_spec=None, tokenizer_spec=None, tokenizer=None, source="a CLIP text tower"
    )


HUGGING_FACE = Format(
    name="generator_hf_text",
    title="a CLIP text tower in transformers' layout",
    recognises=has_any("text_model.final_layer_norm.weight", "final_layer_norm.weight"),
    table=lambda names: HF_NAMES,
    rule=lambda evidence: _described(evidence, None),
)
OPEN_CLIP = replace(
    HUGGING_FACE,
    name="generator_open_clip_text",
    title="a text tower in OpenCLIP's layout",
    recognises=has_any("ln_final.weight"),
    table=lambda names: OPEN_CLIP_NAMES,
    rule=lambda evidence: _described(evidence, "gelu"),
)
_WORDS, _WORDS_OPEN = "embeddings.token_embedding.weight", "token_embedding.weight"
PLACES = (
    Place("cond_stage_model.transformer.", _WORDS, "text_encoder", "sd1", HUGGING_FACE),
    Place("cond_stage_model.model.", _WORDS_OPEN, "text_encoder", "sd2", OPEN_CLIP),
    Place("conditioner.embedders.0.transformer.", _WORDS, "text_encoder", "sdxl", HUGGING_FACE),
    Place("conditioner.embedders.1.model.", _WORDS_OPEN, "text_encoder_2", "sdxl", OPEN_CLIP),
    Place("conditioner.embedders.0.model.", _WORDS_OPEN, "text_encoder_2", "sdxl-refiner", OPEN_CLIP),
    Place("text_encoders.clip_l.transformer.", _WORDS, "text_encoder", "sd3", HUGGING_FACE),
    Place("text_encoders.clip_g.transformer.", _WORDS, "text_encoder_2", "sd3", HUGGING_FACE),
)


def places_in(names: Collection[str]) -> list[Place]:
    """The places at which a file has text encoders."""
    found = []
    for place in PLACES:
        marks = (place.prefix + place.mark, f"{place.prefix}text_model.{place.mark}")
        if any(mark in names for mark in marks):
            found.append(place)
    return found


def read_tower(path: Path, weights: Weights, format: Format, overrides: Overrides) -> Checkpoint:
    """The text tower of these weights, by its names and shapes. Raises CheckpointError."""
    accounted = account(weights.names, format.table(weights.names))
    try:
        description = format.rule(Evidence(weights, native_shapes(weights, accounted), overrides))
    except (CheckpointError, InputError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    return Checkpoint(path, format, weights, accounted, description, overrides)
