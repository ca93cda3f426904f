"""Contenders in separate processes, which answer a line per task: peers in another interpreter, or ours.

Its script says in one line which libraries it has, then answers every line with one.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seesay.system.cpu import available_cores


class Worker:
    """A process that answers every line with one. Raises SystemExit with `ended` if it ends early."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], ended: str, stderr: int | None = None) -> None:
        self._ended = ended
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, encoding="utf-8", env=environment
        )
        self.greeting = self._answer()

    def run(self, *task: str | int) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, task)) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit(self._ended)
        return line


class Peer(Worker):
    """`script`: the file beside this one that the interpreter runs, with these arguments and all cores.

    The interpreter is the one that environment variable SEESAY_PEERS names, which must be set (`given` tells); with `ours`,
    this one. Raises SystemExit where the process ends early.
    """

    def __init__(self, script: str, *arguments: str | Path, ours: bool = False) -> None:
        interpreter = sys.executable if ours else os.environ["SEESAY_PEERS"]
        command = [interpreter, str(Path(__file__).parent / script), *map(str, arguments)]
        peers = "SEESAY_PEERS must name an interpreter that has open_clip and transformers"
        super().__init__(
            command,
            os.environ | {"OMP_NUM_THREADS": str(available_cores())},
            f"the process of {script} ended" + ("" if ours else f"; {peers}"),
            subprocess.DEVNULL,
        )
        self.names = self.greeting.split()

    @staticmethod
    def given() -> bool:
        return "SEESAY_PEERS" in os.environ
