"""Batches larger than memory, with the gradients of one: contrast needs every other sample, activations only a part's own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from seesay.models.recompute import running_numbers_at_rest

P = TypeVar("P")


def contrastive_step(
    module: nn.Module,
    encode: Callable[[P], tuple[Tensor, Tensor]],
    parts: Sequence[P],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Gradients of `loss` over the embeddings of all parts, in the memory of one part (GradCache, Gao et al. 2021).

    A first pass encodes every part without a graph; the loss gives the embeddings' gradients, and those of its own parameters;
    a second pass carries them into the towers, part by part. Both passes see the same random numbers, so dropout agrees, and
    `module`'s batch norms remember the second pass only. Returns the loss, detached.
    """
    states, firsts = [], []
    with torch.no_grad(), running_numbers_at_rest(module):
        for part in parts:
            states.append(_random_state())
            firsts.append(encode(part))
    images, texts = (torch.cat(side).requires_grad_() for side in zip(*firsts, strict=True))
    total = loss(images, texts)
    total.backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert texts.grad is not None
    after = _random_state()
    start = 0
    for part, state in zip(parts, states, strict=True):
        _set_random_state(state)
        again = encode(part)
        rows = slice(start, start + len(again[0]))
        learning = [(x, g) for x, g in zip(again, (images.grad[rows], texts.grad[rows]), strict=True) if x.requires_grad]
        if learning:  # towers that are locked whole have no gradients
            torch.autograd.backward([x for x, _ in learning], [g for _, g in learning])
        start = rows.stop
    _set_random_state(after)
    return total.detach()


RandomState = tuple[Tensor, Tensor | None]


def _random_state() -> RandomState:
    return torch.get_rng_state(), torch.cuda.get_rng_state() if torch.cuda.is_available() else None


def _set_random_state(state: RandomState) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1])
