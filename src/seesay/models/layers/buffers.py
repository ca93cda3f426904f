"""Restores module buffers (such as BatchNorm statistics) after an extra forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook


@contextmanager
def unchanged_buffers(*modules: nn.Module) -> Iterator[None]:
    """Restores the buffers of these modules and of all that run inside, with everything in them: compiled code runs the modules
    in it without a word."""
    saved: dict[nn.Module, dict[str, tuple[Tensor, Tensor]]] = {}  # a buffer may be written to, or replaced

    def save(module: nn.Module, _inputs: Any) -> None:
        if module not in saved:
            for part in module.modules():
                if part not in saved:
                    saved[part] = {name: (buffer, buffer.clone()) for name, buffer in part.named_buffers(recurse=False)}

    for module in modules:
        save(module, None)
    hook = register_module_forward_pre_hook(save)
    try:
        yield
    finally:
        hook.remove()
        for module, buffers in saved.items():
            for name, (buffer, before) in buffers.items():
                with torch.no_grad():
                    buffer.copy_(before)
                setattr(module, name, buffer)
