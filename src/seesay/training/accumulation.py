"""The gradient of a large contrastive batch, computed in chunks that fit into memory.

GradCache (Gao et al. 2021, arXiv 2101.06983).

A contrastive loss is not a sum over chunks: every pair is a negative of all others. So each chunk is encoded twice: once
without gradients, for the loss over all vectors and its gradient with respect to each of them; once with gradients, through
which those are backpropagated. The sum is the gradient of the whole batch, at the cost of one more forward pass.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seesay.errors import InputError
from seesay.models.layers.buffers import unchanged_buffers


def contrastive_step(
    encode: Callable[[Any], tuple[Tensor, Tensor]], parts: Sequence[Any], loss: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Adds the gradients of `loss(images, texts)`, over the vectors of all parts, to `.grad`; returns the loss, detached.

    `encode` returns the image and text vectors of one part; one of the two may need no gradient (a frozen tower). `loss` may
    have parameters of its own, such as the scale. Both passes draw the same random numbers from torch, so that dropout masks
    and dropped patches are equal. The first pass leaves no trace in modules' buffers, so that batch norm counts every part
    once. Batch norm sees each part alone, as in any accumulation.
    """
    if not parts:
        raise InputError("contrastive_step: there must be at least one part.")
    states = []
    vectors: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad(), unchanged_buffers():
        for part in parts:
            states.append(RandomState())
            vectors.append(encode(part))
    torch.clear_autocast_cache()  # else older torch reuses the first pass's copies of the weights, without gradients
    whole = [torch.cat(side).requires_grad_() for side in zip(*vectors, strict=True)]
    with torch.enable_grad():
        value = loss(whole[0], whole[1])
    value.backward()  # type: ignore[no-untyped-call]
    afterwards = RandomState()
    begin = 0
    for part, state, (cached, _) in zip(parts, states, vectors, strict=True):
        state.restore()
        rows = slice(begin, begin + len(cached))
        begin = rows.stop
        with torch.enable_grad():
            encoded = encode(part)
        trainable = [
            (output, side.grad[rows])
            for output, side in zip(encoded, whole, strict=True)
            if output.requires_grad and side.grad is not None
        ]
        if trainable:
            torch.autograd.backward([output for output, _ in trainable], [gradient for _, gradient in trainable])
    afterwards.restore()
    return value.detach()


class RandomState:
    """Torch's random state at construction, of the CPU and of every GPU in use."""

    def __init__(self) -> None:
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        self._mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None

    def restore(self) -> None:
        """Sets torch's random state back."""
        torch.set_rng_state(self._cpu)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
        if self._mps is not None:
            torch.mps.set_rng_state(self._mps)
