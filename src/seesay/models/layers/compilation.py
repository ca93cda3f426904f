"""Compilation of a tower's blocks by torch.compile, for training."""

import warnings
from functools import partial
from typing import Any

import torch
from torch import nn

from seesay.errors import InputError, first_sentence
from seesay.models.layers.tower import Tower

# Of one block's code: both towers, the last block, with and without gradients, fixed and changing lengths. Beyond torch's
# default of 8 it would silently compile no more.
MOST_VARIANTS = 64
COMPILERS = {
    "cpu": "a C++ compiler (Debian, Ubuntu: apt install g++; macOS: xcode-select --install) and Python's headers",
    "cuda": "triton, which torch for CUDA brings on Linux (pip install triton), and a C compiler (gcc)",
}


def compile_blocks(tower: Tower, backend: str = "inductor") -> None:
    """Compiles each block of a tower, or a tower without blocks as a whole; only while it trains, since evaluation sees too few
    batches to pay for it. Names of weights stay as they are. Goes before `recompute_blocks`, which wraps the result.

    Blocks of one shape share their machine code, so a deep tower compiles as fast as a shallow one. What is computed is the
    same but for rounding. backend: of torch.compile.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MOST_VARIANTS)
    blocks = [module for module in tower.modules() if isinstance(module, tower.block_types)]
    for block in blocks or [tower]:
        block.forward = partial(_forward, block, torch.compile(block.forward, backend=backend), block.forward)


def _forward(block: nn.Module, compiled: Any, plain: Any, *inputs: Any, **options: Any) -> Any:
    return (compiled if block.training else plain)(*inputs, **options)


def check_compiler(device: torch.device) -> None:
    """Compiles a sum, which finds out whether anything can be compiled. Raises InputError that says what is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about itself
            torch.compile(_sum)(torch.zeros(2, device=device))
    except Exception as error:  # of torch's compilers, of which each has its own
        need = COMPILERS.get(device.type, f"a backend of torch.compile for {device.type}")
        raise InputError(
            f"compile: expected a compiler for {device.type}, found none ({first_sentence(error)}). It needs {need}. "
            "Without compile the run computes the same"
        ) from None


def _sum(x: torch.Tensor) -> torch.Tensor:
    return x + x
