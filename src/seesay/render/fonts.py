"""Fonts of this system for figures, by the letters they have."""

import os

# Sans-serif families with Chinese on the usual systems, the likeliest first; others are looked through after them.
CHINESE = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "Heiti SC",
    "SimHei",
    "WenQuanYi Micro Hei",
)


def families_for(text: str) -> tuple[list[str], str]:
    """Families to take letters from, one after the other, and the letters that none of them has, as they
    come in the text."""
    from matplotlib.font_manager import fontManager, get_font

    families, left = ["DejaVu Sans"], {letter for letter in text if not letter.isspace()}
    plain = (entry for entry in fontManager.ttflist if entry.weight in (400, "normal", "regular"))
    fonts = {entry.name: entry.fname for entry in plain if not entry.name.startswith("Last Resort")}  # which has only boxes
    order = [*families, *(name for name in CHINESE if name in fonts), *sorted(fonts)]
    for name in dict.fromkeys(order):
        if not left:
            break
        try:
            known = {chr(code) for code in get_font(os.fspath(fonts[name])).get_charmap()}
        except (KeyError, OSError, RuntimeError):  # not there, or no font that can be read
            continue
        if left & known and name not in families:
            families.append(name)
        left -= known
    return families, "".join(dict.fromkeys(letter for letter in text if letter in left))
