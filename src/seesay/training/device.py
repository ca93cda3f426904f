"""The device that a run computes on."""

import torch

from seesay.engines.threads import restore
from seesay.errors import InputError, first_sentence
from seesay.training.memory import keep_freed_memory


def prepare_device(name: str | None, threads: int | None) -> torch.device:
    """The device of this name, by default the fastest; also sets torch's `threads` of a CPU. Raises InputError."""
    try:
        device = torch.device(name or _fastest())
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = first_sentence(error)
        raise InputError(f"device: expected one that torch has here, such as 'cpu', got {name!r} ({cause})") from None
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # torch's default for convolutions, which keeps 10 bits of their factors
    if threads is not None:
        torch.set_num_threads(threads)
    else:
        restore()
    return device


def _fastest() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
