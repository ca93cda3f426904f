"""Blocks that keep no activations and compute them again for the gradients (Chen et al. 2016): slower, in less memory."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from seesay.models.families.efficientnet_lite import tower as efficientnet_lite
from seesay.models.families.modified_resnet import tower as modified_resnet
from seesay.models.layers import transformer
from seesay.models.layers.buffers import unchanged_buffers

BLOCKS = (transformer.Block, modified_resnet.Bottleneck, efficientnet_lite.Block)


def recompute_blocks(tower: nn.Module) -> None:
    """From now on, while training. Numbers stay the same, batch norms' running ones too."""
    for module in tower.modules():
        if isinstance(module, BLOCKS):
            module.forward = partial(_forward, module, module.forward)  # type: ignore[method-assign]


def _forward(block: nn.Module, forward: Any, *inputs: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled() or not block.training:
        return forward(*inputs, **options)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), unchanged_buffers()

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **options)
