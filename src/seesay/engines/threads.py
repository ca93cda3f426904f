"""Sets how many threads torch computes with on a CPU."""

import os
import threading

import torch

from seesay.system.cpu import FreeCores, check_threads

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Threads:
    """One model's number of torch threads: fixed, or as many as there are free cores, counted again as it runs.

    OpenMP's threads, which torch uses, wait for the slowest of them at the end of every operation, in loops that occupy whole
    cores. Where other processes need those cores, two threads on two cores took 2 to 4 times as long as one, and 3 to 5 times
    its processor time (benchmarks/beside_others.py).

    torch has one number for the whole process, so a model sets its own before it runs. Without a fixed number it replaces only
    torch's default or what a model set before, never a number from OMP_NUM_THREADS or torch.set_num_threads.
    """

    def __init__(self, fixed: int | None = None) -> None:
        """Raises InputError for a number below 1."""
        self.fixed = check_threads(fixed)

    def apply(self) -> None:
        """Sets torch's threads; called before every run."""
        current = torch.get_num_threads()
        if self.fixed is not None:
            threads = self.fixed
        elif any(os.environ.get(name) for name in VARIABLES) or current != _last.threads:
            return
        else:
            threads = min(_DEFAULT, _free.count())
        if threads != current:
            torch.set_num_threads(threads)
        _last.threads = _Last.anywhere = threads


def restore() -> None:
    """Gives torch its default number of threads back, where a model has set another, so that training is reproducible."""
    if torch.get_num_threads() == _last.threads != _DEFAULT:
        torch.set_num_threads(_DEFAULT)
        _last.threads = _Last.anywhere = _DEFAULT


class _Last(threading.local):
    """The number that a model set last, in this thread or else in any. OpenMP keeps one number per thread, and a new thread
    begins with the last that any thread set."""

    anywhere = torch.get_num_threads()

    def __init__(self) -> None:
        self.threads = _Last.anywhere


_DEFAULT = torch.get_num_threads()  # one per physical core, where torch can count them
_last = _Last()
_free = FreeCores()
