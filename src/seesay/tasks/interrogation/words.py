"""The words of a phrase, for comparing phrases."""

import re
from functools import cache

from seesay.system.chinese import is_ideograph
from seesay.tasks.phrasing import singular


@cache
def phrase_words(text: str) -> frozenset[str]:
    """Its words in lower case and in the singular; of Chinese, its characters."""
    words = map(singular, re.findall(r"[^\W_]+", text.lower()))
    return frozenset(part for word in words for part in (word if any(map(is_ideograph, word)) else [word]))
