"""Images that clients send: from a data: URI, base64 or URL to the image tower's pixels, within limits."""

import base64
import binascii
import ipaddress
import re

import numpy as np

from seesay.errors import InputError, UnreadableImage
from seesay.images.clip import HEAD_BYTES, clip_frames, may_move
from seesay.images.fetch import Address, Limits, fetch
from seesay.images.preprocess import load_pixels
from seesay.images.read import ImageInput
from seesay.model import Model
from seesay.serving import limits
from seesay.serving.settings import Settings
from seesay.system.paths import is_url

DATA_URI = re.compile(r"data:(image/[a-z0-9.+-]+)?(;[a-z0-9=.+-]+)*,", re.IGNORECASE)
URL_SAFE = str.maketrans("-_", "+/")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def pixels(model: Model, sent: str | bytes, name: str, settings: Settings, frames: int = 1) -> np.ndarray:
    """sent: a data: URI or base64, or the bytes that were fetched -> pixels (N, 3, H, W) float32, of an animation those of N <=
    `frames` frames. Raises UnreadableImage."""
    data = sent if isinstance(sent, bytes) else content(sent, name, settings)
    spec, most = model.image_spec, settings.pixels
    shown: list[ImageInput] = []
    if frames > 1:
        shown += clip_frames(data, frames, alpha=spec.alpha, most_pixels=most)
    rows = [load_pixels(each, spec, decode=model.decode, name=name, most_pixels=most)[0] for each in shown or [data]]
    return np.stack(rows)


def may_be_clip(sent: str) -> bool:
    """Whether what was sent may be an animation: its head says so, or it is a URL, of which nobody knows yet."""
    if is_url(sent):
        return True
    start = sent.find(",", 0, 200) + 1 if sent[:5].lower() == "data:" else 0
    head = re.sub(r"\s+", "", sent[start : start + HEAD_BYTES * 4 // 3 // 4 * 4])
    try:
        return may_move(_decoded(head[: len(head) // 4 * 4]))
    except (binascii.Error, ValueError):
        return False  # it is refused when it is decoded


def content(sent: str, name: str, settings: Settings) -> bytes:
    """The bytes of an image file. Nothing that a client sends is used as a path. Raises UnreadableImage."""
    header = DATA_URI.match(sent[:200])
    if sent[:5].lower() == "data:":
        if header is None or ";base64" not in header[0].lower():
            raise UnreadableImage(name, "expected a data: URI such as data:image/jpeg;base64,...")
        sent = sent[header.end() :]
    if len(sent) > settings.picture_bytes * 4 / 3 + 4:
        raise UnreadableImage(name, f"is larger than {settings.picture_bytes / 2**20:g} MB, the most that is taken")
    try:
        return _decoded(re.sub(r"\s+", "", sent) if re.search(r"\s", sent) else sent)
    except (binascii.Error, ValueError):
        raise UnreadableImage(name, "is neither a data: URI nor base64; the server reads no files") from None


def _decoded(sent: str) -> bytes:
    """base64 in either of its two alphabets, with or without its padding (RFC 4648, 3.2 and 5)."""
    if "-" in sent or "_" in sent:
        sent = sent.translate(URL_SAFE)
    return base64.b64decode(sent + "=" * (-len(sent) % 4), validate=True)


def fetched(url: str, name: str, settings: Settings) -> bytes:
    """The bytes behind a URL, if the settings allow it. The reason of a failure is not reported: it would show which names and
    ports exist in the server's network. Raises UnreadableImage."""
    if not settings.allow_urls:
        raise UnreadableImage(
            name,
            "is a URL, which this server does not fetch (--allow-urls); send the picture itself, as a data: URI or base64",
        )
    try:
        return fetch(url, Limits(bytes=settings.picture_bytes, seconds=limits.URL_FETCH_S), allow=public)
    except UnreadableImage:
        most = f"{settings.picture_bytes / 2**20:g} MB"
        raise UnreadableImage(
            name, f"cannot be fetched; a URL is of a picture of at most {most} that anybody may see"
        ) from None


def public(address: Address) -> bool:
    """True for an address of the public internet, in whatever form it is written; false for this machine and its network."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if embedded is None and address in NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            return public(embedded)
        if address.is_site_local:  # deprecated (RFC 3879, 2004), but still routed in some networks
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_count(what: str, count: int, most: int) -> None:
    """Raises InputError for more than a request may have. what: the plural noun in the message."""
    if count > most:
        raise InputError(f"a request takes at most {most} {what}, got {count}; send several requests")
