"""A contender in a process of its own that works when told to, one line a task: a peer, in another interpreter, or one of ours.

Its script says in one line which libraries it has, then answers every line with one.
"""

import os
import subprocess
import sys
from pathlib import Path

from seesay.engines.cores import available_cores


class Peer:
    """`script`: the file beside this one that the interpreter runs, with these arguments and all cores.

    The interpreter is the one that environment variable SEESAY_PEERS names, which must be set (`given` tells); with `ours`,
    this one. Raises SystemExit where the process ends early.
    """

    def __init__(self, script: str, *arguments: str | Path, ours: bool = False) -> None:
        interpreter = sys.executable if ours else os.environ["SEESAY_PEERS"]
        command = [interpreter, str(Path(__file__).parent / script), *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": str(available_cores())},
        )
        peers = "SEESAY_PEERS must name an interpreter that has open_clip and transformers"
        self._ended = f"the process of {script} ended" + ("" if ours else f"; {peers}")
        self.names = self._answer().split()

    @staticmethod
    def given() -> bool:
        return "SEESAY_PEERS" in os.environ

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
