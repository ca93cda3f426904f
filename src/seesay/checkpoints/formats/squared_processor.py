"""Image processors of Hugging Face transformers that bring any picture to a square: those of OWL-ViT and of CLIPSeg."""

from collections.abc import Mapping
from typing import Any

from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.checkpoints.formats.hugging_face import Processor, image_spec_of
from seesay.images.spec import ImageSpec


def squared(processor: Processor, defaults: Mapping[str, Any], faults: list[str]) -> ImageSpec:
    """The settings of a processor with its class's defaults, which say `size`, mean and std. Older files have `size` as a
    number or a pair."""
    given = ForeignConfig(processor.settings, processor.file.stem, faults)
    settings = dict(defaults) | dict(given.values)
    side = ForeignConfig(settings, processor.file.stem, faults).side("size")
    settings["size"] = {"height": side, "width": side}
    return image_spec_of(Processor(processor.file, settings), faults)
