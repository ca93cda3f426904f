"""Modules looked through twice, as if once: what they count stays as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook


@contextmanager
def unchanged_buffers() -> Iterator[None]:
    """Whatever modules run inside, their buffers are afterwards as they were before."""
    kept: dict[nn.Module, dict[str, tuple[Tensor, Tensor]]] = {}  # a buffer may be written to, or replaced

    def keep(module: nn.Module, _given: Any) -> None:
        if module not in kept:
            kept[module] = {name: (buffer, buffer.clone()) for name, buffer in module.named_buffers(recurse=False)}

    hook = register_module_forward_pre_hook(keep)
    try:
        yield
    finally:
        hook.remove()
        for module, buffers in kept.items():
            for name, (buffer, before) in buffers.items():
                with torch.no_grad():
                    buffer.copy_(before)
                setattr(module, name, buffer)
