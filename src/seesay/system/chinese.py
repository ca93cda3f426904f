"""Recognises Chinese characters in texts."""

# CJK ideographs as BERT counts them: the unified ones, extensions A to E and the compatibility forms; no kana, no hangul. Not a
# pattern, whose compilation with so many letters costs a start 2 ms.
RANGES = (
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U0002a6df"),
    ("\U0002a700", "\U0002b73f"),
    ("\U0002b740", "\U0002b81f"),
    ("\U0002b820", "\U0002ceaf"),
    ("\U0002f800", "\U0002fa1f"),
)


def is_ideograph(character: str) -> bool:
    """Whether a single character is a Chinese one."""
    return character >= RANGES[0][0] and any(first <= character <= last for first, last in RANGES)


def is_chinese(text: str) -> bool:
    """Whether a text has a Chinese character."""
    return not text.isascii() and any(map(is_ideograph, text))
