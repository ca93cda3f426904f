"""`Processes`: those that train one model together, and what they tell each other; one alone has nobody to tell.

A batch is cut into equal shares, one for each process. A loss returns the share of its own process, and the shares of all add
up to the loss of the batch; so do the gradients.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from seesay.system.cpu import available_cores

if TYPE_CHECKING:  # sources of samples need no torch
    from torch import Tensor

T = TypeVar("T")


class Processes:
    """A process that trains alone; the base of `process_group.ProcessGroup`, whose processes train together.

    rank: of this process, from 0; local_rank: among those of its machine. count: how many there are. All of them call the same
    methods in the same order.
    """

    rank = 0
    count = 1
    local_rank = 0

    @property
    def cores(self) -> int:
        """The cores of the machine that are this process's share."""
        return available_cores()

    @property
    def lead(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    def gather(self, rows: "Tensor") -> "Tensor":
        """(N, ...) of every process -> (count * N, ...), in order of rank, without gradients."""
        return rows

    def scatter_sum(self, rows: "Tensor") -> "Tensor":
        """(count * N, ...) of every process -> this process's (N, ...) of their sum."""
        return rows

    def sum(self, values: "Tensor") -> "Tensor":
        """The sum over all processes."""
        return values

    def pass_on(self, *tensors: "Tensor") -> "tuple[Tensor, ...]":
        """Gives tensors to the next process, and returns those of the one before, of the same shapes."""
        return tensors

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return flag

    def gather_json(self, value: Any) -> list[Any]:
        """The values of all processes, in order of rank; what JSON can hold."""
        return [value]

    def gather_arrays(self, rows: np.ndarray) -> list[np.ndarray]:
        """(N, ...) of every process, in order of rank; each may have another number of rows."""
        return [rows]

    def of_lead(self, value: Any) -> Any:
        """The value of the lead; what JSON can hold."""
        return value

    def copy_lead(self, tensors: "Iterable[Tensor]") -> None:
        """Overwrites tensors with those of the lead."""

    def sum_gradients(self, parameters: "Sequence[Tensor]") -> None:
        """Replaces the gradients of replicated parameters by their sums over all processes."""

    def begin(self, timeout_s: float) -> None:
        """Connects the processes. timeout_s: how long one waits for the others' part of an exchange."""

    def first(self, work: Callable[[], T]) -> T:
        """Runs some long work in the lead, then in the others, which find its results on the disk."""
        return work()


ALONE = Processes()
