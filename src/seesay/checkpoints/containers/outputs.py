"""Safetensors files that SeeSay writes for image generators, told from checkpoints by a word in their header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from seesay.checkpoints.containers.weights import read_header
from seesay.errors import CheckpointError, InputError
from seesay.system.paths import printable

KIND = "seesay"  # the name in the header
Kind = Literal["conditioning", "embedding"]
TITLES: dict[str, str] = {
    "conditioning": "Conditioning that SeeSay made of a prompt, for an image generator",
    "embedding": "Embeddings that SeeSay made of pictures and texts, for an image generator",
}


def header(kind: Kind, facts: Mapping[str, Any]) -> dict[str, str]:
    """The header's metadata: what the file is, and facts as strings, those that are no strings as JSON."""
    texts = {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for name, value in facts.items()}
    return {"format": "pt", KIND: kind, **texts}


def stated(file: Path) -> dict[str, str] | None:
    """The metadata of a file that SeeSay wrote for a generator; None for any other file."""
    try:
        with file.open("rb") as stream:
            if stream.read(9)[8:] != b"{":  # other files would be read far as if they were a header
                return None
        metadata = read_header(file).get("__metadata__")
    except (CheckpointError, OSError):
        return None
    return metadata if isinstance(metadata, dict) and isinstance(metadata.get(KIND), str) else None


def title(metadata: Mapping[str, str]) -> str:
    """What such a file is, in words."""
    return TITLES.get(metadata[KIND], "A file that a newer SeeSay made for an image generator")


def check_replaceable(file: Path) -> None:
    """Raises InputError for a file that is there and was not written as such an output: it may be a checkpoint."""
    if file.exists() and stated(file) is None:
        raise InputError(
            f"{printable(str(file))} is there already and was not written by this command: it may be a checkpoint, and SeeSay "
            "writes over none. Name another file"
        )
