"""Time of one search as a new process.

    python benchmarks/cold_start.py [--quick] [--json]

Us: `seesay search "a dog on grass" --library L --json`, where L is a library of examples/photos that is made once. Peer:
`python -c "import numpy, onnxruntime"` in the same interpreter, the least that any program pays that runs this model. They
start in turns, with modules compiled and files in the system's cache. For information: `seesay --version`, and `import seesay`.

Goal: a search takes at most 2.3 times as long as the peer.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pictures
from benchmark import Goal, Result, Table, run
from rounds import interleave

GOAL = 2.3
SEARCH, PEER = "seesay search", "import numpy, onnxruntime"
BARE = "python, nothing imported"


def measure(quick: bool) -> Result:
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as folder:
        library = Path(folder) / "library"
        count = _make(library)
        times = interleave(_contenders(library, _environment(Path(folder) / "compiled")), 5 if quick else 25, warm_ups=2)
    search, peer = times[SEARCH], times[PEER]
    ratio = search.over(peer)
    rows: list[tuple[str, ...]] = [
        (name, f"{1e3 * t.median:.0f}", f"{1e3 * t.best:.0f}", f"{t.over(peer):.2f}", f"{t.best / peer.best:.2f}")
        for name, t in times.items()
    ]
    return Result(
        figures={
            "ratio": round(ratio, 3),
            "ratio_of_bests": round(search.best / peer.best, 3),
            "pictures": count,
            "milliseconds": {name: t.to_json(1e3) for name, t in times.items()},
        },
        tables=[
            Table(
                f"One process, {len(search.seconds)} rounds in turns, library of {count} pictures",
                ("process", "median ms", "best ms", "ratio of medians", "ratio of bests"),
                rows,
            )
        ],
        goals=[Goal("one search as a process, times `import numpy, onnxruntime`", round(ratio, 3), GOAL)],
    )


def _make(library: Path) -> int:
    import seesay

    with seesay.Library(library) as opened:
        return opened.index(pictures.EXAMPLES).encoded


def _environment(compiled: Path) -> dict[str, str]:
    """An environment in which modules get compiled, as an installation does; a shell may forbid it for a checkout."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(compiled)}


def _contenders(library: Path, environment: dict[str, str]) -> dict[str, Callable[[], object]]:
    python = [sys.executable]
    script = Path(sys.executable).with_name("seesay.exe" if os.name == "nt" else "seesay")
    seesay = [str(script)] if script.is_file() else [*python, "-m", "seesay"]
    commands = {
        SEARCH: [*seesay, "search", "a dog on grass", "--library", str(library), "--json"],
        PEER: [*python, "-c", "import numpy, onnxruntime"],
        "seesay --version": [*seesay, "--version"],
        "import seesay": [*python, "-c", "import seesay"],
        BARE: [*python, "-c", "pass"],
    }
    return {name: _Process(command, environment) for name, command in commands.items()}


class _Process:
    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command, self._environment = command, environment

    def __call__(self) -> None:
        subprocess.run(self._command, check=True, stdout=subprocess.DEVNULL, env=self._environment)


if __name__ == "__main__":
    run("cold_start", __doc__ or "", measure)
