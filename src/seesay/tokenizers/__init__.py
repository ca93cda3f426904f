"""Texts to token ids, on the `tokenizers` library."""

from seesay.tokenizers.from_files import pad_id, tokenizer_json
from seesay.tokenizers.tokenizer import Tokenizer, Tokens
from seesay.tokenizers.vocabulary import SPECS, vocabulary

__all__ = ["SPECS", "Tokenizer", "Tokens", "pad_id", "tokenizer_json", "vocabulary"]
