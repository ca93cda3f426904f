"""The settings of a tokenizer, as values."""

from dataclasses import dataclass
from typing import Literal

from seesay.errors import InputError

Cleaning = Literal["none", "clip", "bert", "whitespace", "lower", "canonicalize", "unmarked", "ascii-lower"]


@dataclass(frozen=True)
class TokenizerSpec:
    """How texts become ids (N, L) int64; the vocabulary itself is `tokenizer.json`.

    padding "longest": L is the longest text of the batch, where pooling makes that exact; "context": always `context_length`.
    cleaning: applied to a text beforehand (`tokenizers.cleaning`). "none": the vocabulary's own normalizer does all of it;
    "clip": as OpenAI's CLIP and OpenCLIP; "bert": as BERT's first tokenizer, lower-cased, which Chinese-CLIP uses;
    "whitespace", "lower", "canonicalize": OpenCLIP's of these names, before a Hugging Face tokenizer; "unmarked": lower case
    without punctuation, as SigLIP's authors; "ascii-lower": the letters A to Z lowered, as SigLIP 2's.
    end "zeroed": the id that ends every text is replaced by 0 wherever it occurs, as CLIPA was trained.
    """

    context_length: int
    pad_id: int
    padding: Literal["longest", "context"]
    cleaning: Cleaning = "none"
    end: Literal["kept", "zeroed"] = "kept"

    def __post_init__(self) -> None:
        if self.context_length < 1:
            raise InputError(f"a context_length of at least 1 id, got {self.context_length}")
