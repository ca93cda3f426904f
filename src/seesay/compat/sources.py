"""What a name stands for: weights with their description, or the description alone where that needs no download."""

import os
from dataclasses import dataclass
from typing import Any

from seesay.checkpoints.hub.catalog import architecture, find
from seesay.checkpoints.hub.locate import HUB, locate
from seesay.checkpoints.overrides import Said
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.compat.inputs import Words
from seesay.errors import MissingCapability
from seesay.images.spec import ImageSpec
from seesay.models.config import TextConfig
from seesay.tokenizers import vocabulary
from seesay.tokenizers.spec import TokenizerSpec


@dataclass(frozen=True)
class Source:
    """A model without its weights."""

    name: str
    image_spec: ImageSpec | None
    text: TextConfig | None
    tokenizer_spec: TokenizerSpec | None
    vocabulary: bytes | None

    @property
    def words(self) -> Words:
        if self.tokenizer_spec is None:
            raise MissingCapability(f"model {self.name!r} has no text tower: it encodes pictures only")
        return Words(self.vocabulary, self.tokenizer_spec, self.name)

    @property
    def pictures(self) -> ImageSpec:
        if self.image_spec is None:
            raise MissingCapability(f"model {self.name!r} has no image tower: it encodes texts only")
        return self.image_spec


def opened(name: str | os.PathLike[str], **said: Any) -> Checkpoint:
    """By any name that `seesay.load` takes; `said`: what its files leave open (see `checkpoints.Said`)."""
    path, entry = locate(name)
    return open_checkpoint(path, Said(**said, entry=entry))


def described(name: str | os.PathLike[str]) -> Source:
    """Downloads nothing where the catalogue knows preprocessing and vocabulary."""
    entry = None if os.path.exists(name) else find(os.fspath(name).removeprefix(HUB))
    if entry is not None and (known := architecture(entry.architecture)).vocabulary != "folder":
        words = vocabulary(known.vocabulary)
        return Source(os.fspath(name), entry.preprocess, known.text, known.tokenizer_spec, words)
    checkpoint = opened(name)
    found = checkpoint.description
    return Source(os.fspath(name), found.image_spec, found.text, found.tokenizer_spec, checkpoint.tokenizer())
