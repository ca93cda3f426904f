"""Selects fonts of this system that have the letters of a figure."""

import os

# Sans-serif families with Chinese on common systems, the likeliest first; all others are tried after them.
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
    """(font families that together have the letters of a text, in order of use; the letters that no font here has)."""
    from matplotlib.font_manager import fontManager, get_font

    families, missing = ["DejaVu Sans"], {letter for letter in text if not letter.isspace()}
    plain = (entry for entry in fontManager.ttflist if entry.weight in (400, "normal", "regular"))
    fonts = {entry.name: entry.fname for entry in plain if not entry.name.startswith("Last Resort")}  # which has boxes only
    order = [*families, *(name for name in CHINESE if name in fonts), *sorted(fonts)]
    for name in dict.fromkeys(order):
        if not missing:
            break
        try:
            letters = {chr(code) for code in get_font(os.fspath(fonts[name])).get_charmap()}
        except (KeyError, OSError, RuntimeError):  # absent or unreadable
            continue
        if missing & letters and name not in families:
            families.append(name)
        missing -= letters
    return families, "".join(dict.fromkeys(letter for letter in text if letter in missing))


def file_for(text: str) -> tuple[str, str]:
    """(the file of the font of this system that has most letters of a text; the letters that it lacks)."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    wanted = dict.fromkeys(letter for letter in text if not letter.isspace())
    lacking = {}
    for family in families_for(text)[0]:
        file = fontManager.findfont(FontProperties(family=family))
        letters = {chr(code) for code in get_font(file).get_charmap()}
        lacking[file] = "".join(letter for letter in wanted if letter not in letters)
    file = min(lacking, key=lambda file: len(lacking[file]))
    return file, lacking[file]
