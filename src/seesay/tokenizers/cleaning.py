"""Cleans a text before its vocabulary splits it, exactly as the original tokenizers do, in Python.

The `tokenizers` library has normalizers for some of it, but none for ftfy's repairs, and its lower case and its Unicode tables
are not Python's, which the originals used and the models were trained with.
"""

import re
import string
import unicodedata
from collections.abc import Callable

from seesay.system.chinese import is_ideograph

# Printable ASCII without &, and the white space that ftfy leaves alone: nothing to repair in it (tests/tokenizers check that).
_plain = re.compile(r"[\t\n\r -%'-~]*").fullmatch


def as_it_is(text: str) -> str:
    """Leaves cleaning to a tokenizer.json with its own normalizer. Lone surrogates (odd file names) become "?"; they have no
    UTF-8 form."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def clip(text: str) -> str:
    """Repairs a text, resolves HTML entities, and lowers its case, as OpenAI's CLIP and OpenCLIP do."""
    return text.lower() if _plain(text) else lower(text)  # plain text needs no tidying: the vocabulary ignores white space


def whitespace(text: str) -> str:
    """Repairs a text, resolves HTML entities, and leaves one space between words: OpenCLIP's default for a Hugging Face
    tokenizer."""
    if not _plain(text):
        import html

        import ftfy  # takes 70 ms to import, and most captions never need it

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split())


def lower(text: str) -> str:
    """Cleans as `whitespace` does, then lowers the case."""
    return whitespace(text).lower()


def canonicalize(text: str) -> str:
    """Repairs a text, then cleans it as `unmarked` does: as big_vision, and OpenCLIP for mT5's vocabulary."""
    return unmarked(whitespace(text))


def unmarked(text: str) -> str:
    """Lowers the case and removes ASCII punctuation, an underscore becoming a space, as big_vision does for SigLIP."""
    text = as_it_is(text)
    return " ".join(text.translate(_UNMARKED).lower().split())


def ascii_lower(text: str) -> str:
    """Lowers the letters A to Z and no others, as TensorFlow does in big_vision's recipe of SigLIP 2."""
    return as_it_is(text).translate(_LOWERED)


def bert(text: str) -> str:
    """Puts spaces around words and punctuation marks, lowers the case and removes accents, as BERT's first tokenizer does."""
    text = text.translate(_SPACED).lower()
    if not text.isascii():
        text = unicodedata.normalize("NFD", text)
    return text.translate(_SPLIT)


class _Table(dict[int, str]):
    """A table for str.translate that calls `rule` once for every character that occurs."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        self._rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = self._rule(chr(code))
        return self[code]


def _spaced(character: str) -> str:
    """Removes control characters, unifies white space, and makes every Chinese character a word."""
    if character in "\t\n\r":
        return " "
    category = unicodedata.category(character)
    if character in "\0\ufffd" or category in ("Cc", "Cf"):
        return ""
    if category == "Cs":
        return "\ue000"  # stands for a lone surrogate, which could not be encoded; no vocabulary has either
    if category == "Zs":
        return " "
    return f" {character} " if is_ideograph(character) else character


def _split(character: str) -> str:
    """Removes accents, and makes every punctuation mark a word."""
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    ascii_mark = character.isascii() and category[0] == "S"
    return f" {character} " if category[0] == "P" or ascii_mark else character


_UNMARKED = str.maketrans(dict.fromkeys(string.punctuation) | {"_": " "})
_LOWERED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SPACED = _Table(_spaced)
_SPLIT = _Table(_split)

CLEANINGS: dict[str, Callable[[str], str]] = {
    "none": as_it_is,
    "clip": clip,
    "bert": bert,
    "whitespace": whitespace,
    "lower": lower,
    "canonicalize": canonicalize,
    "unmarked": unmarked,
    "ascii-lower": ascii_lower,
}
