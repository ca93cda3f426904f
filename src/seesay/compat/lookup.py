"""Looks a model up by its name: the checkpoint itself, or what preprocesses its inputs, which often needs no download."""

import math
import os
from dataclasses import dataclass
from typing import Any

from seesay.checkpoints.hub.catalog import architecture, find
from seesay.checkpoints.hub.locate import locate
from seesay.checkpoints.hub.source import HUB
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.compat.processors import TextTokenizer
from seesay.errors import MissingCapability
from seesay.images.spec import ImageSpec
from seesay.models.config import TextConfig
from seesay.models.tower_config import check_encodes
from seesay.tokenizers import vocabulary
from seesay.tokenizers.spec import TokenizerSpec


@dataclass(frozen=True)
class InputSpec:
    """How a model's images and texts are prepared. A part is None if the model lacks that tower."""

    name: str
    image_spec: ImageSpec | None
    text: TextConfig | None
    tokenizer_spec: TokenizerSpec | None
    vocabulary: bytes | None

    def require_tokenizer(self) -> TextTokenizer:
        """Raises MissingCapability for a model without a text tower."""
        if self.tokenizer_spec is None:
            raise MissingCapability(f"model {self.name!r} has no text tower: it encodes pictures only")
        return TextTokenizer(self.vocabulary, self.tokenizer_spec, self.name)

    def require_image_spec(self) -> ImageSpec:
        """Raises MissingCapability for a model without an image tower."""
        if self.image_spec is None:
            raise MissingCapability(f"model {self.name!r} has no image tower: it encodes texts only")
        return self.image_spec


def find_checkpoint(name: str | os.PathLike[str], **overrides: Any) -> Checkpoint:
    """The checkpoint of any name that `seesay.load` takes. Raises ModelError, DownloadError.

    `overrides`: what its files do not say (see `checkpoints.overrides`). Downloads of any size are made, as by the originals.
    """
    path, entry = locate(name, download_gb=math.inf)
    checkpoint = open_checkpoint(path, Overrides(**overrides, entry=entry))
    check_encodes(checkpoint.description.image, os.fspath(name))
    return checkpoint


def find_input_spec(name: str | os.PathLike[str]) -> InputSpec:
    """How inputs of a model are prepared. Downloads nothing if the catalogue knows preprocessing and vocabulary."""
    entry = None if os.path.exists(name) else find(os.fspath(name).removeprefix(HUB))
    if entry is not None and (published := architecture(entry.architecture)).vocabulary != "folder":
        pieces = vocabulary(published.vocabulary)
        return InputSpec(os.fspath(name), entry.preprocess, published.text, published.tokenizer_spec, pieces)
    checkpoint = find_checkpoint(name)
    description = checkpoint.description
    return InputSpec(
        os.fspath(name), description.image_spec, description.text, description.tokenizer_spec, checkpoint.tokenizer()
    )
