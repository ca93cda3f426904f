"""Writes a model in the format of another library, where that can express it exactly."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.checkpoints.formats.format import ForeignModel, Writer
from seesay.checkpoints.names import Row
from seesay.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models.clip import Clip


def write(clip: "Clip", vocabulary: bytes | None, folder: Path, writer: Writer) -> None:
    """Writes weights and configuration into an existing folder. Raises CheckpointError with every reason why not."""
    from seesay.checkpoints.containers.saving import save_tensors

    foreign = writer.translate(clip.config, vocabulary)
    state = clip.state_dict()
    if clip.config.image is None or clip.config.text is None:
        state.pop("logit_scale")  # a single tower has no logits
    save_tensors(foreign_state(state, foreign), folder / writer.weights_file, metadata={"format": "pt"})
    for file, content in foreign.files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / file).write_text(text, encoding="utf-8")


def foreign_state(state: "Mapping[str, Tensor]", foreign: ForeignModel) -> "dict[str, Tensor]":
    """Native tensors under foreign names: the table read backwards. Raises CheckpointError for a tensor without a row."""
    import torch

    remaining = dict(state)
    renamed: dict[str, torch.Tensor] = {}
    for row in foreign.table:
        if not row.native:
            continue
        pattern = Row(row.native[0]).pattern
        for name in list(remaining):
            if match := pattern.fullmatch(name):
                parts = [remaining.pop(native.format(*match.groups())) for native in row.native]
                value = torch.cat(parts) if len(parts) > 1 else parts[0].T if row.how == "transpose" else parts[0]
                if row.how == "single":
                    value = value.reshape(1)
                if row.how == "squeeze":  # all that are stored so have three sides
                    value = value.reshape(*[1] * (3 - value.ndim), *value.shape)
                renamed[row.foreign.format(*match.groups())] = value.detach().clone().contiguous()
    if remaining:
        raise CheckpointError(f"{foreign.title} has no name for {', '.join(sorted(remaining)[:5])}")
    return renamed


def require_expressible(library: str, reasons: list[str]) -> None:
    """Raises CheckpointError with all reasons, if there are any."""
    if reasons:
        listed = "\n".join(f"  {reason}" for reason in reasons)
        raise CheckpointError(f"{library} cannot express this model exactly:\n" + listed)
