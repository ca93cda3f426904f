"""OpenAI's CLIP: the TorchScript archives as published, and their state dicts."""

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import open_clip_config
from seesay.checkpoints.formats.bare_weights import ShapeRule, describe_by_shapes
from seesay.checkpoints.formats.format import Evidence, Format
from seesay.checkpoints.formats.tables import openai_names
from seesay.checkpoints.overrides import Overrides

RULE = ShapeRule(
    source="OpenAI's rules",
    vocabulary="clip",
    defaults=Overrides(activation="quick_gelu"),
    image_head_width=64,
    text_head_width=64,
    preprocessing="openai",
)


def _recognises(weights: Weights) -> bool:
    """OpenCLIP's native models have the same names; only OpenAI's archives carry three numbers beside the weights."""
    published = weights.kind == "TorchScript archive" or "input_resolution" in weights.names
    return published and "visual.conv1.weight" in weights.names


def _rule(evidence: Evidence) -> Description:
    return describe_by_shapes(evidence, RULE)


FORMAT = Format(
    name="openai",
    title="OpenAI or OpenCLIP",
    recognises=_recognises,
    table=openai_names,
    rule=_rule,
    configuration=open_clip_config.configuration,  # OpenCLIP republishes these weights with a configuration of its own
    preprocessing="openai",
    preprocessing_file=open_clip_config.preprocessing_file,
)
