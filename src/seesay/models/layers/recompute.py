"""Gradient checkpointing: blocks compute activations again instead of keeping them.

Chen et al. 2016.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from seesay.models.layers.buffers import unchanged_buffers
from seesay.models.layers.tower import Tower


def recompute_blocks(tower: Tower) -> None:
    """Makes a tower recompute its blocks while it trains. All numbers stay the same, batch norms' statistics too."""
    for module in tower.modules():
        if isinstance(module, tower.block_types):
            module.forward = partial(_forward, module, module.forward)


def _forward(block: nn.Module, forward: Any, *inputs: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled() or not block.training:
        return forward(*inputs, **options)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), unchanged_buffers(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **options)
