"""Descriptions of weights that come without a configuration: their shapes, and a rule for what shapes cannot show."""

from dataclasses import dataclass, replace

from seesay.checkpoints import shapes
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.format import Evidence
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import Preprocessing, preset
from seesay.tokenizers import SPECS
from seesay.tokenizers.vocabulary import PIECES, VocabularyName


@dataclass(frozen=True)
class ShapeRule:
    """The facts that shapes cannot show, where all models of a format's authors share them.

    source: for messages. defaults: what the caller need not pass. image_head_width, text_head_width: in features, None where
    the caller must pass the number of heads. image_head_widths: exceptions by width of the image tower.
    """

    source: str
    vocabulary: VocabularyName
    defaults: Overrides | None = None
    image_head_width: int | None = None
    image_head_widths: tuple[tuple[int, int], ...] = ()
    text_head_width: int | None = None
    preprocessing: Preprocessing | None = None


def describe_by_shapes(evidence: Evidence, rule: ShapeRule) -> Description:
    """The description by shapes and rule; preprocessing stays None where the rule has none. Raises CheckpointError."""
    overrides = evidence.overrides if rule.defaults is None else evidence.overrides.or_else(rule.defaults)
    image_width = next(iter(evidence.shapes.get("image.class_embedding", ())), 0)
    image_head_width = dict(rule.image_head_widths).get(image_width, rule.image_head_width)
    image = shapes.image_config(evidence.shapes, overrides, image_head_width)
    text = shapes.text_config(evidence.shapes, overrides, rule.text_head_width)
    packaged, spec = False, None
    if text is not None:
        packaged = text.vocabulary >= PIECES[rule.vocabulary]  # a smaller table belongs to a vocabulary of its own
        spec = SPECS[rule.vocabulary] if packaged else replace(SPECS[rule.vocabulary], cleaning="none")
        if (positions := evidence.shapes.get("text.position_embedding")) is not None:  # CLIP's; BERT has more than it uses
            spec = replace(spec, context_length=positions[0])
    return Description(
        dim=shapes.dimension(evidence.shapes),
        image=image,
        text=text,
        image_spec=preset(rule.preprocessing, image.image_px) if image is not None and rule.preprocessing else None,
        tokenizer_spec=spec,
        tokenizer=None if text is None else rule.vocabulary if packaged else "folder",
        source=rule.source,
    )
