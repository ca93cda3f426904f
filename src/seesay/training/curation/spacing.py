"""How captions and queries are written before one is looked for in the other, as MetaCLIP does it (Xu and others 2023).

A caption gets a space before and after it and around its punctuation, a query one before and after it; so a query is found only
as whole words. Chinese has no spaces between words, so a query's Chinese end gets none, as in MetaCLIP 2 (Chuang and others
2025). Where Chinese meets other letters ("一只dog") a space is put in both, which MetaCLIP does not need: it keeps one list per
language. Punctuation inside a query is treated as that of captions; in MetaCLIP such a query is never found.
"""

import re

PUNCTUATION = ",.;:?!`"
SPACES = "\t\n\r"
_TABLE = {**{ord(mark): f" {mark} " for mark in PUNCTUATION}, **{ord(space): " " for space in SPACES}}
# Characters that are written without spaces between words: Chinese ones, kana, and the punctuation and wide forms of both.
_DENSE = "\u2e80-\u2fdf\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0002fa1f"
_BORDER = re.compile(rf"(?<=[{_DENSE}])(?=[^{_DENSE}\s])|(?<=[^{_DENSE}\s])(?=[{_DENSE}])")
_IS_DENSE = re.compile(f"[{_DENSE}]")


def spaced(text: str) -> str:
    """A caption with spaces around it and around its punctuation."""
    text = f" {text} ".translate(_TABLE)
    return text if text.isascii() else _BORDER.sub(" ", text)


def pattern(query: str) -> str:
    """What is looked for in spaced captions to find a query."""
    text = spaced(query).strip()
    before = "" if _IS_DENSE.match(text[0]) else " "
    after = "" if _IS_DENSE.match(text[-1]) else " "
    return f"{before}{text}{after}"
