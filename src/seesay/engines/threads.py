"""How many threads torch computes with."""

import os
import threading

import torch

from seesay.system.cpu import FreeCores, check_threads

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Threads:
    """What one model says about torch's threads: a number, or as many as there are free cores, looked at again as it runs.

    Threads of OpenMP, which torch's are, wait for the slowest of them at the end of every operation, in loops that take whole
    cores. Where others want those cores too, two threads on two cores took 2 to 4 times as long as one, and 3 to 5 times its
    processor time (benchmarks/beside_others.py).

    torch has one number for the whole process, so a model sets its own before it runs. Without a number it changes only what
    torch began with or a model set, and never what OMP_NUM_THREADS or torch.set_num_threads said.
    """

    def __init__(self, said: int | None = None) -> None:
        """Raises InputError for a number below 1."""
        self.said = check_threads(said)

    def apply(self) -> None:
        """Before a run."""
        now = torch.get_num_threads()
        if self.said is not None:
            wanted = self.said
        elif any(os.environ.get(name) for name in VARIABLES) or now != _last.threads:
            return
        else:
            wanted = min(_MOST, _free.count())
        if wanted != now:
            torch.set_num_threads(wanted)
        _last.threads = _Last.anywhere = wanted


def restore() -> None:
    """Gives torch back the number that it began with, where a model has set another, so that training is always the same."""
    if torch.get_num_threads() == _last.threads != _MOST:
        torch.set_num_threads(_MOST)
        _last.threads = _Last.anywhere = _MOST


class _Last(threading.local):
    """The number that a model set last: in this thread, else in another one. OpenMP keeps it by thread, and a thread that is
    new to torch begins with the last one anywhere."""

    anywhere = torch.get_num_threads()

    def __init__(self) -> None:
        self.threads = _Last.anywhere


_MOST = torch.get_num_threads()  # one a core, without hyper-threading, where torch knows
_last = _Last()
_free = FreeCores()
