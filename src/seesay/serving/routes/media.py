"""Answers that are bytes: how OpenAPI describes them, and how long browsers may cache them."""

from typing import Any

Responses = dict[int | str, dict[str, Any]]


def _binary(media_type: str) -> Responses:
    return {200: {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}}


JPEG = _binary("image/jpeg")
FILE = _binary("application/octet-stream")
ZIP = _binary("application/zip")
FOREVER = "private, max-age=31536000, immutable"  # for what is named by an id, which is a hash of the file's bytes
