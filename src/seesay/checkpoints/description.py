"""`Description`: what is known of a checkpoint's model before its tensors are read."""

from dataclasses import dataclass
from typing import Literal

from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import VocabularyName


@dataclass(frozen=True)
class TokenizerTraits:
    """Traits by which a tokenizer beside the weights is known to be theirs, for text towers that would take any ids.

    ends: the ids around every text. spare: pieces that it may have beyond the text tower's vocabulary.
    """

    ends: tuple[int, ...]
    spare: int = 0


@dataclass(frozen=True)
class Description:
    """The towers, their inputs and the shared space, as a configuration, the catalogue or a rule describes them.

    `tokenizer`: a packaged vocabulary, or "folder" for the tokenizer files beside the weights. `source` names the origin of
    the description in messages. `biased`: the logits have a bias, without which a checkpoint is incomplete. `traits`: where
    the tokenizer must have them; its padding is then that of `tokenizer_spec`, unless its files name another.
    """

    dim: int
    image: ImageConfig | None
    text: TextConfig | None
    image_spec: ImageSpec | None
    tokenizer_spec: TokenizerSpec | None
    tokenizer: VocabularyName | Literal["folder"] | None
    source: str
    languages: tuple[str, ...] = ()
    biased: bool = False
    traits: TokenizerTraits | None = None
