"""What is done to a text before its vocabulary cuts it: exactly what the original tokenizers do, in Python as they do it.

The `tokenizers` library has normalizers for some of it, but none for ftfy's repairs, and its lower case and its Unicode tables
are not Python's, which the originals used and which the models were trained with.
"""

import re
import string
import unicodedata
from collections.abc import Callable

from seesay.system.chinese import is_ideograph

# Printable ASCII without &, and the white space that ftfy leaves alone: nothing to repair in it (tests/tokenizers check that).
_plain = re.compile(r"[\t\n\r -%'-~]*").fullmatch


def as_it_is(text: str) -> str:
    """For a tokenizer.json that holds its own normalizer. Lone surrogates (odd file names) have no UTF-8 form, so they go."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def clip(text: str) -> str:
    """Repaired, without HTML entities, in lower case, as OpenAI's CLIP and OpenCLIP do it."""
    return text.lower() if _plain(text) else lower(text)  # the pattern that follows takes no white space: no need to tidy


def whitespace(text: str) -> str:
    """Repaired, without HTML entities, one space between words: OpenCLIP's default for a Hugging Face tokenizer."""
    if not _plain(text):
        import html

        import ftfy  # 70 ms to import, and many a caption never needs it

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split())


def lower(text: str) -> str:
    """As `whitespace`, in lower case."""
    return whitespace(text).lower()


def canonicalize(text: str) -> str:
    """Repaired, then `unmarked`: what big_vision does, and with it OpenCLIP for mT5's vocabulary."""
    return unmarked(whitespace(text))


def unmarked(text: str) -> str:
    """Words of a repaired text in lower case, with no ASCII punctuation."""
    return " ".join(text.translate(_UNMARKED).lower().split())


def bert(text: str) -> str:
    """Words and single marks with spaces between them, in lower case without accents, as BERT's first tokenizer does it."""
    text = text.translate(_SPACED).lower()
    if not text.isascii():
        text = unicodedata.normalize("NFD", text)
    return text.translate(_SPLIT)


class _Table(dict[int, str]):
    """For str.translate: asks `rule` once for every character that occurs."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        self._rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = self._rule(chr(code))
        return self[code]


def _spaced(character: str) -> str:
    """No control characters, one kind of white space, every Chinese character a word."""
    if character in "\t\n\r":
        return " "
    category = unicodedata.category(character)
    if character in "\0\ufffd" or category in ("Cc", "Cf"):
        return ""
    if category == "Cs":
        return "\ue000"  # any other character that no vocabulary has: a lone surrogate could not be passed on
    if category == "Zs":
        return " "
    return f" {character} " if is_ideograph(character) else character


def _split(character: str) -> str:
    """No accents; every mark of punctuation a word."""
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    ascii_mark = character.isascii() and category[0] == "S"
    return f" {character} " if category[0] == "P" or ascii_mark else character


_UNMARKED = str.maketrans(dict.fromkeys(string.punctuation) | {"_": " "})
_SPACED = _Table(_spaced)
_SPLIT = _Table(_split)

CLEANINGS: dict[str, Callable[[str], str]] = {
    "none": as_it_is,
    "clip": clip,
    "bert": bert,
    "whitespace": whitespace,
    "lower": lower,
    "canonicalize": canonicalize,
}
