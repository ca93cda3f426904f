"""Writes tensors as safetensors; a disk that is full or read-only is a ModelError."""

from pathlib import Path
from typing import TYPE_CHECKING

from seesay.errors import ModelError
from seesay.system.files import usual_mode

if TYPE_CHECKING:
    import torch


def save_tensors(tensors: "dict[str, torch.Tensor]", file: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes contiguous tensors by name. Raises ModelError where the file cannot be written."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        with usual_mode(file):
            save_file(tensors, file, metadata=metadata)
    except (OSError, SafetensorError) as error:  # the library's own says "I/O error: No space left on device (os error 28)"
        reason = str(error).rpartition("I/O error: ")[2].partition(" (os error")[0]
        raise ModelError(
            f"cannot write {file.name} to {file.parent}: {reason}. Make room there, or name another place"
        ) from None
