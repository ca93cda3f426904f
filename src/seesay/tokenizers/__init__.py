"""Tokenizers: texts to token ids, on the `tokenizers` library."""

from seesay.tokenizers.from_files import has_vocabulary, pad_id, tokenizer_json
from seesay.tokenizers.tokenizer import LazyTokenizer, Tokenizer, Tokens, surroundings
from seesay.tokenizers.vocabulary import SPECS, vocabulary

__all__ = [
    "SPECS",
    "LazyTokenizer",
    "Tokenizer",
    "Tokens",
    "has_vocabulary",
    "pad_id",
    "surroundings",
    "tokenizer_json",
    "vocabulary",
]
