"""Blocks that keep no activations and compute them again for the gradients (Chen et al. 2016): slower, in less memory."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from seesay.models import efficientnet_lite, modified_resnet, transformer

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
        return nullcontext(), running_numbers_at_rest(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **options)


@contextmanager
def running_numbers_at_rest(module: nn.Module) -> Iterator[None]:
    """Inside, batch norms use their batch's statistics as ever, and do not remember them: for a second look at one batch."""
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    kept = [(norm.momentum, None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, kept, strict=True):
            norm.momentum = momentum
            if batches is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(batches)
