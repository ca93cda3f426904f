"""Time of `seesay models inspect` on a generator's file of 7 GB, as a new process.

    python benchmarks/inspecting.py [--quick] [--json]

The file has the header of a Stable Diffusion XL file, with both text encoders by their names and shapes, 2515 tensors in all,
and a hole on the disk in place of its numbers (`sparse_generator.py`). The command names the encoders, checks every name and
shape, and counts the other parts. Only the header is read, so the size does not count; torch is not imported. For information:
`seesay --version`. They start in turns, by the clock.

Goal: at most two seconds.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark import Goal, Result, Table, run
from rounds import interleave
from sparse_generator import make

GOAL_S = 2.0
INSPECT, VERSION = "seesay models inspect", "seesay --version"


def measure(quick: bool) -> Result:
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
        folder = Path(place)
        make(folder / "xl.safetensors")
        size = (folder / "xl.safetensors").stat().st_size
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "SEESAY_CACHE": str(folder / "cache")}

        def start(*arguments: str) -> None:
            command = [sys.executable, "-m", "seesay", *arguments]
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)

        contenders = {
            INSPECT: lambda: start("models", "inspect", str(folder / "xl.safetensors")),
            VERSION: lambda: start("--version"),
        }
        times = interleave(contenders, 3 if quick else 15, warm_ups=2)
    rows: list[tuple[str, ...]] = [(name, f"{1e3 * t.median:.0f}", f"{1e3 * t.best:.0f}") for name, t in times.items()]
    title = f"One process, {len(times[INSPECT].seconds)} rounds in turns, a file of {size / 1e9:.1f} GB"
    return Result(
        figures={"gigabytes": round(size / 1e9, 2), "milliseconds": {name: t.to_json(1e3) for name, t in times.items()}},
        tables=[Table(title, ("process", "median ms", "best ms"), rows)],
        goals=[Goal("inspecting a file of 7 GB, seconds", round(times[INSPECT].median, 2), GOAL_S)],
    )


if __name__ == "__main__":
    run("inspecting", __doc__ or "", measure)
