"""File names that are valid elsewhere: in HTTP headers, and in a ZIP on any system."""

import os
import unicodedata
from urllib.parse import quote

from pathvalidate import sanitize_filename

from seesay.serving import limits

UNESCAPED = "!#$&+-.^_`|~"  # by RFC 5987, beside letters and digits


def readable(name: str) -> str:
    """Replaces control characters and bytes that are not UTF-8 by �."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("�" if unicodedata.category(letter) == "Cc" else letter for letter in text)


def portable(name: str) -> str:
    """A name that is valid on Windows, too, where `con.jpg`, `a:b.jpg` and `a.` are not."""
    text = _shortened(unicodedata.normalize("NFC", readable(name)))
    return sanitize_filename(text, replacement_text="_", platform="universal").rstrip(". ") or "picture"


def attachment(name: str) -> str:
    """A Content-Disposition header with the name in ASCII for old clients, and in full for others (RFC 6266, RFC 5987)."""
    text = readable(name)
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in text)
    full = "" if plain == text else f"; filename*=UTF-8''{quote(text, safe=UNESCAPED)}"
    return f'attachment; filename="{plain}"{full}'


def _shortened(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    room = limits.FILENAME_BYTES - len(suffix.encode())
    return (
        name if len(name.encode()) <= limits.FILENAME_BYTES else stem.encode()[: max(room, 1)].decode(errors="ignore") + suffix
    )
