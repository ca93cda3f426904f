"""`Description`: what is known of a checkpoint's model before its tensors are read."""

from dataclasses import dataclass
from typing import Literal

from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import VocabularyName


@dataclass(frozen=True)
class Description:
    """The towers, their inputs and the shared space, as a configuration, the catalogue or a rule describes them.

    `tokenizer`: a packaged vocabulary, or "folder" for the tokenizer files beside the weights. `source` names the origin of
    the description in messages.
    """

    dim: int
    image: ImageConfig | None
    text: TextConfig | None
    image_spec: ImageSpec | None
    tokenizer_spec: TokenizerSpec | None
    tokenizer: VocabularyName | Literal["folder"] | None
    source: str
    languages: tuple[str, ...] = ()
