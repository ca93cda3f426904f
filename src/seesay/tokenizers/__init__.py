"""Texts to token ids, on the `tokenizers` library."""

from seesay.tokenizers.from_files import tokenizer_json
from seesay.tokenizers.tokenizer import Tokenizer, Tokens
from seesay.tokenizers.vocabulary import SPECS, vocabulary

__all__ = ["SPECS", "Tokenizer", "Tokens", "tokenizer_json", "vocabulary"]
