"""The accelerators that a plan can name, with their peak speed from the vendors' data sheets."""

import difflib
import re
from dataclasses import dataclass

from seesay.errors import InputError


@dataclass(frozen=True)
class Accelerator:
    """One kind of accelerator. peak_flops: operations a second of dense matrix products in bfloat16, or float16 where it has no
    bfloat16, summed in float32; sparsity, which vendors like to count, is left out. per_machine: how many one machine has."""

    name: str
    peak_flops: float
    memory_gb: int
    per_machine: int


def _table(*rows: tuple[str, float, int, int]) -> dict[str, Accelerator]:
    return {name: Accelerator(name, peak * 1e12, memory, per_machine) for name, peak, memory, per_machine in rows}


ACCELERATORS = _table(
    ("v100", 125, 32, 8),  # NVIDIA V100 data sheet, SXM2, float16
    ("t4", 65, 16, 4),  # NVIDIA T4 data sheet, float16
    ("a10", 125, 24, 4),  # NVIDIA A10 data sheet
    ("a40", 149.7, 48, 8),  # NVIDIA A40 data sheet
    ("a100", 312, 80, 8),  # NVIDIA A100 data sheet; the 40 GB part computes as fast
    ("l4", 121, 24, 8),  # NVIDIA L4 data sheet, 242 with sparsity
    ("l40s", 362, 48, 8),  # NVIDIA L40S data sheet
    ("h100", 989, 80, 8),  # NVIDIA H100 data sheet, SXM, 1979 with sparsity
    ("h100-pcie", 756, 80, 8),  # NVIDIA H100 data sheet, PCIe, 1513 with sparsity
    ("h200", 989, 141, 8),  # NVIDIA H200 data sheet, SXM
    ("b200", 2250, 180, 8),  # NVIDIA HGX B200 data sheet, a half of the figure with sparsity
    ("rtx-3090", 71, 24, 1),  # NVIDIA Ampere GA102 whitepaper, float32 sums
    ("rtx-4090", 165.2, 24, 1),  # NVIDIA Ada whitepaper, float32 sums
    ("rtx-5090", 209.5, 32, 1),  # NVIDIA RTX Blackwell whitepaper, float32 sums
    ("mi250x", 383, 128, 4),  # AMD Instinct MI250X data sheet, both dies
    ("mi300x", 1307.4, 192, 8),  # AMD Instinct MI300X data sheet
    ("tpu-v3", 123, 32, 4),  # Google Cloud TPU documentation, a chip
    ("tpu-v4", 275, 32, 4),  # Google Cloud TPU documentation, a chip
    ("tpu-v5e", 197, 16, 8),  # Google Cloud TPU documentation, a chip
    ("tpu-v5p", 459, 95, 4),  # Google Cloud TPU documentation, a chip
    ("tpu-v6e", 918, 32, 8),  # Google Cloud TPU documentation, a chip
)


@dataclass(frozen=True)
class Fleet:
    """Accelerators of one kind that work together."""

    accelerator: Accelerator
    count: int

    @property
    def machines(self) -> int:
        """Machines that hold them."""
        return -(-self.count // self.accelerator.per_machine)


def read_fleet(text: str) -> Fleet:
    """The accelerators of a text such as "a100:256"; one, where no number is given. Raises InputError."""
    name, separator, number = text.strip().lower().replace("_", "-").partition(":")
    if name not in ACCELERATORS:
        near, known = difflib.get_close_matches(name, ACCELERATORS, n=1), ", ".join(ACCELERATORS)
        raise InputError(
            f"no accelerator {name!r} is known; near: {near[0]}. All of them: {known}. Write one with a number, like a100:256"
            if near
            else f"no accelerator {name!r} is known. All of them: {known}. Write one with a number, like a100:256"
        )
    if separator and not re.fullmatch(r"[1-9]\d{0,6}", number):
        raise InputError(f"expected a number of accelerators above 0 after the colon, as in {name}:8, got {number!r}")
    return Fleet(ACCELERATORS[name], int(number) if separator else 1)
