"""Batch norms over the rows of all processes, as one process with the whole batch would compute them.

torch's SyncBatchNorm needs GPUs. This one needs a sum over all processes, forward and backward.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from seesay.errors import InputError
from seesay.training.processes import Processes

KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def share_norms(module: nn.Module, processes: Processes) -> None:
    """Replaces the batch norms in a module that learn, in place; their weights and statistics stay the same tensors.

    Raises InputError for a kind of batch norm that it does not know.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if not isinstance(child, _BatchNorm) or not child.training:
                continue
            if type(child) not in KINDS or child.running_mean is None:
                raise InputError(
                    f"model: its {type(child).__name__} cannot take statistics over {processes.count} processes; keep those of "
                    "the start with model.image.keep_statistics = true"
                )
            setattr(parent, name, SharedBatchNorm(child, processes))


class SharedBatchNorm(_BatchNorm):
    """A batch norm whose statistics in training mode are those of all processes' rows, of which each has as many."""

    def __init__(self, norm: _BatchNorm, processes: Processes) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine)
        self._parameters, self._buffers = norm._parameters, norm._buffers
        self.processes = processes

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) -> the same shape and dtype."""
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        precise = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        others = [0, *range(2, x.ndim)]
        each = (1, -1, *(1 for _ in others[1:]))
        mean = self._mean(precise.mean(others))
        centred = precise - mean.view(each)
        variance = self._mean(centred.square().mean(others))
        self._count(mean, variance, x.numel() // x.shape[1] * self.processes.count)
        scale = (variance + self.eps).rsqrt()
        if self.weight is None:
            return (centred * scale.view(each)).to(x.dtype)
        return (centred * (scale * self.weight).view(each) + self.bias.view(each)).to(x.dtype)

    def _mean(self, own: Tensor) -> Tensor:
        """Of all processes' values."""
        total: Tensor = _Sum.apply(own, self.processes)  # type: ignore[no-untyped-call]
        return total / self.processes.count

    @torch.no_grad()
    def _count(self, mean: Tensor, variance: Tensor, rows: int) -> None:
        """Moves the running statistics, as torch's batch norms do."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_((variance * rows / max(1, rows - 1)).to(self.running_var), share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any; the norm in whose place this one stands has been called before."""


class _Sum(torch.autograd.Function):
    """The sum over all processes, and of its gradients, since the losses of all depend on it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes
        return processes.sum(own)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return ctx.processes.sum(upstream), None
