"""Writes docs/open-clip.md: which of OpenCLIP's architectures are read, by which family of towers, and why the others are not.

    python -m recipes.catalog.names

reads OpenCLIP's configurations as tests/parity/by_name.py stored them, and needs no other library.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from seesay.checkpoints.formats.open_clip_config import describe
from seesay.errors import CheckpointError

PROJECT = Path(__file__).parents[2]
CONFIGURATIONS = PROJECT / "tests" / "parity" / "data" / "by_name.json"
PAGE = PROJECT / "docs" / "open-clip.md"
TIMM = "timm"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page's text."""
    read: dict[str, list[str]] = defaultdict(list)
    refused: dict[str, list[str]] = defaultdict(list)
    stored = json.loads(CONFIGURATIONS.read_text(encoding="utf-8"))
    for name, entry in stored.items():
        try:
            read[_kind(entry["model_cfg"], name)].append(name)
        except CheckpointError:
            refused[entry["refused"]].append(name)
    own, timm = sum(len(names) for kind, names in read.items() if kind != TIMM), len(read[TIMM])
    return "\n".join(
        [
            "# OpenCLIP's architectures",
            "",
            f"Of the {len(stored)} architectures of OpenCLIP 3.3.0, {own + timm} are read: {own} by SeeSay's own towers,",
            f"{timm} with image towers that the library timm builds ([checkpoints.md](checkpoints.md#towers-of-timm)).",
            "`python -m recipes.catalog.names` writes this page.",
            "",
            "| image tower | architectures | names |",
            "|---|--:|---|",
            *(_row(f"`{kind}`", read[kind]) for kind in sorted(read, key=lambda kind: (kind == TIMM, kind))),
            "",
            "The others are refused with the key of their configuration that is not read:",
            "",
            "| because of | architectures | names |",
            "|---|--:|---|",
            *(_row(kind, names) for kind, names in sorted(refused.items())),
            "",
        ]
    )


def _kind(model_cfg: dict[str, Any], name: str) -> str:
    image = describe({"model_cfg": model_cfg}, None, name).image
    assert image is not None
    return image.kind


def _row(first: str, names: list[str]) -> str:
    return f"| {first} | {len(names)} | {', '.join(sorted(names, key=str.lower))} |"


if __name__ == "__main__":
    main()
