"""Processes that torchrun has started, joined into one group: gloo for tensors of a CPU, NCCL for those of GPUs."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor

from seesay.errors import InputError, TrainingError, first_sentence
from seesay.system.cpu import available_cores
from seesay.training.processes import ALONE, Processes

T = TypeVar("T")
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
BUCKET = 32 << 20  # bytes of gradients that travel together
POLL_S = 0.2
MEET_S = 300  # for all processes to start
FAREWELL_S = 3  # which the first to fail has to say why, before torchrun sees that another has ended


class ProcessGroup(Processes):
    """The processes of a run, which know each other by a store; `begin` lets them exchange tensors.

    Every method raises TrainingError where another process has ended, or does not answer within the timeout.
    """

    def __init__(self, store: Store, rank: int, count: int) -> None:
        self.rank, self.count, self._store = rank, count, store
        self.local_rank = int(os.environ.get("LOCAL_RANK") or 0)
        self._turns = 0

    def begin(self, timeout_s: float) -> None:
        """Connects the processes. timeout_s: how long one waits for the others' part of an exchange."""
        with _contact():
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo",
                store=PrefixStore("seesay", self._store),
                rank=self.rank,
                world_size=self.count,
                timeout=timedelta(seconds=timeout_s),
            )

    @property
    def cores(self) -> int:
        return max(1, available_cores() // int(os.environ.get("LOCAL_WORLD_SIZE") or self.count))

    def end(self) -> None:
        """Disconnects, after a run that went well."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def gather(self, rows: Tensor) -> Tensor:
        rows = rows.detach().contiguous()
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        with _contact():
            dist.all_gather(parts, rows)
        return torch.cat(parts)

    def scatter_sum(self, rows: Tensor) -> Tensor:
        parts = [part.contiguous() for part in rows.detach().chunk(self.count)]
        own = torch.empty_like(parts[0])
        with _contact():
            dist.reduce_scatter(own, parts)
        return own

    def sum(self, values: Tensor) -> Tensor:
        total = values.detach().clone(memory_format=torch.contiguous_format)
        with _contact():
            dist.all_reduce(total)
        return total

    def pass_on(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        sent = [tensor.detach().contiguous() for tensor in tensors]
        received = [torch.empty_like(tensor) for tensor in sent]
        after, before = (self.rank + 1) % self.count, (self.rank - 1) % self.count
        with _contact():
            operations = [dist.P2POp(dist.isend, tensor, after) for tensor in sent]
            operations += [dist.P2POp(dist.irecv, tensor, before) for tensor in received]
            for work in dist.batch_isend_irecv(operations):
                work.wait()
        return tuple(received)

    def any(self, flag: bool) -> bool:
        return bool(self.sum(torch.tensor(int(flag))))

    def gather_json(self, value: Any) -> list[Any]:
        content = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)
        return [json.loads(part.tobytes()) for part in self.gather_arrays(content)]

    def gather_arrays(self, rows: np.ndarray) -> list[np.ndarray]:
        sizes = self.gather(torch.tensor([len(rows)])).tolist()
        padded = np.zeros((max(sizes), *rows.shape[1:]), dtype=rows.dtype)
        padded[: len(rows)] = rows
        parts = self.gather(torch.from_numpy(padded)[None]).numpy()
        return [part[:size] for part, size in zip(parts, sizes, strict=True)]

    def of_lead(self, value: Any) -> Any:
        return self.gather_json(value if self.lead else None)[0]

    def copy_lead(self, tensors: Iterable[Tensor]) -> None:
        with _contact(), torch.no_grad():
            for tensor in tensors:
                content = tensor.detach().contiguous()
                dist.broadcast(content, 0)
                tensor.copy_(content)

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None and not isinstance(p.grad, DTensor)]
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            with _contact():
                dist.all_reduce(flat)
            parts = torch.split(flat, [gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def first(self, work: Callable[[], T]) -> T:
        self._turns += 1
        key = f"turn-{self._turns}"
        if self.lead:
            result = work()
            self._store.set(key, "done")
            return result
        with _contact():  # without a limit: the work may take hours, and torchrun ends the others where the lead ends
            while not self._store.check([key]):
                time.sleep(POLL_S)
        return work()

    def speaks(self) -> bool:
        """Whether this process, which has failed, is the first that has, and so the one to say why."""
        try:
            return bool(self._store.add("failures", 1) == 1)
        except RuntimeError:  # there is no store any more, hence nobody else to say it
            return True


@contextmanager
def processes_here() -> Iterator[Processes]:
    """The processes that torchrun has started, of which this is one, for as long as the block runs; alone without torchrun.

    Where the block fails, in several processes at once or in one after the other, the error of the first is raised, and the
    others end without a word. Raises InputError, TrainingError.
    """
    if not all(os.environ.get(name) for name in VARIABLES) or os.environ["WORLD_SIZE"] == "1":
        yield ALONE
        return
    group = _met()
    try:
        yield group
    except BaseException as error:
        if group.speaks():
            if lost_contact(error):
                raise lost(error) from None
            raise
        time.sleep(FAREWELL_S)
        raise SystemExit(2) from None
    group.end()


def _met() -> ProcessGroup:
    try:
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except ValueError:
        raise InputError(
            f"expected numbers in the environment's RANK and WORLD_SIZE, got {os.environ['RANK']!r} and "
            f"{os.environ['WORLD_SIZE']!r}; start the processes with torchrun"
        ) from None
    with _contact():
        store, rank, count = next(rendezvous("env://", rank, count, timeout=timedelta(seconds=MEET_S)))
    return ProcessGroup(store, rank, count)


def lost_contact(error: BaseException) -> bool:
    """Whether an error means that another process has ended or does not answer."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "Gloo", "NCCL", "ProcessGroup"))
    )


@contextmanager
def _contact() -> Iterator[None]:
    """Raises TrainingError for errors of torch that mean that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise lost(error) from None


def lost(error: BaseException) -> TrainingError:
    """The error for people."""
    return TrainingError(
        "another process of this run has ended, or did not answer in time (distributed.timeout_s). The newest checkpoint is "
        f"whole: start again with --resume. What was met: {_cause(error)}"
    )


def _cause(error: BaseException) -> str:
    """Without the place in torch's source that its messages begin with."""
    return first_sentence(error).rpartition("] ")[2]


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one dtype, as many as travel together."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and (size >= BUCKET or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel() * gradient.element_size()
    if bucket:
        yield bucket
