"""File names as other systems can take them: in a header of HTTP, in a ZIP."""

import os
import unicodedata
from urllib.parse import quote

from pathvalidate import sanitize_filename

from seesay.serving import limits

UNRESERVED = "!#$&+-.^_`|~"  # what RFC 5987 leaves as it is, beside letters and digits


def readable(name: str) -> str:
    """A name as Unicode without control characters; � for each byte that is not UTF-8."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("�" if unicodedata.category(letter) == "Cc" else letter for letter in text)


def portable(name: str) -> str:
    """A name that Windows takes too: `con.jpg`, `a:b.jpg` and `a.` are none there."""
    text = _shortened(unicodedata.normalize("NFC", readable(name)))
    return sanitize_filename(text, replacement_text="_", platform="universal").rstrip(". ") or "picture"


def attachment(name: str) -> str:
    """The Content-Disposition of a download. Old clients read an ASCII name, others the whole one (RFC 6266, RFC 5987)."""
    text = readable(name)
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in text)
    whole = "" if plain == text else f"; filename*=UTF-8''{quote(text, safe=UNRESERVED)}"
    return f'attachment; filename="{plain}"{whole}'


def _shortened(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    room = limits.FILENAME_BYTES - len(suffix.encode())
    return (
        name if len(name.encode()) <= limits.FILENAME_BYTES else stem.encode()[: max(room, 1)].decode(errors="ignore") + suffix
    )
