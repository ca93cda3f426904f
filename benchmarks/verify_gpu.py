"""Verifies on a GPU what SeeSay computes there: engines, attention, and training with every setting, beside the CPU in float32.

    python benchmarks/verify_gpu.py                         # on the GPU that torch finds (cuda or mps), in ten minutes
    python benchmarks/verify_gpu.py --json verified.json    # and writes the table to a file
    python benchmarks/verify_gpu.py --device cpu --quick    # exercises the script itself, without a GPU

It needs pip install 'seesay[train]', and a torch that is built for the GPU (pytorch.org). Each line says what was checked, how
large the difference from the reference may be and was, and how many samples a second the device did. "absent": not offered
here, with the reason. Exit code 0: all passed, or are absent; 1: something failed; 2: there is no such device.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch
from benchmark import Table
from device_check import Check, Outcome, outcomes
from device_engines import attention_checks, engine_checks
from device_processes import process_checks
from device_training import LARGE, SMALL, training_checks
from machine import Machine

from seesay.errors import InputError
from seesay.training.device import prepare_device

HEADER = ("", "tolerance", "difference", "per second", "")
SECONDS = 3.0  # of each measured rate


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="cuda, mps or cpu; default: the GPU")
    parser.add_argument("--quick", action="store_true", help="smaller towers and shorter measurements")
    parser.add_argument("--only", metavar="PART", help="only checks whose name has this in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to a file")
    options = parser.parse_args(arguments)
    try:
        device = gpu(options.device)
    except InputError as error:
        print(f"verify_gpu: {error}", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")  # of torch about itself; faults are errors
    chosen = [check for check in checks(device, quick=options.quick) if (options.only or "") in check.name]
    if not chosen:
        parser.error(f"no check's name has {options.only!r} in it")
    print(f"{title(device)}, torch {torch.__version__}; {len(chosen)} checks", flush=True)
    done = []
    for outcome in outcomes(chosen):
        done.append(outcome)
        print(f"{outcome.verdict:>7}  {outcome.name}  ({outcome.seconds:.1f} s)  {outcome.note}", flush=True)
    print(f"\n{table(done)}\n\n{summary(done)}")
    if options.json:
        options.json.write_text(json.dumps(report(device, done, options.quick), indent=1) + "\n", encoding="utf-8")
    return 1 if any(outcome.verdict == "failed" for outcome in done) else 0


def gpu(name: str | None) -> torch.device:
    """The device of this name, or the GPU. Raises InputError where there is none."""
    device = prepare_device(name, None)
    if name is None and device.type == "cpu":
        raise InputError("torch finds no GPU here (cuda or mps). --device cpu exercises the script without one")
    return device


def checks(device: torch.device, *, quick: bool) -> list[Check]:
    """Everything that is verified, in the order in which it is."""
    seconds, size = (0.1, SMALL) if quick else (SECONDS, LARGE)
    return [
        *engine_checks(device, seconds),
        *attention_checks(device, seconds),
        *training_checks(device, seconds, size),
        *process_checks(device),
    ]


def title(device: torch.device) -> str:
    return f"{torch.cuda.get_device_name(device)} ({device})" if device.type == "cuda" else str(device)


def table(done: Sequence[Outcome]) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            one.name,
            f"{one.tolerance:.0e}",
            "-" if one.difference is None else f"{one.difference:.1e}",
            "-" if one.rate is None else f"{one.rate:,.1f}",
            one.verdict,
        )
        for one in done
    ]
    return Table("Differences from the CPU in float32", HEADER, rows)


def summary(done: Sequence[Outcome]) -> str:
    counts = {verdict: sum(one.verdict == verdict for one in done) for verdict in ("passed", "failed", "absent")}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def report(device: torch.device, done: Sequence[Outcome], quick: bool) -> dict[str, Any]:
    """Everything, as JSON; a difference that is no finite number is null."""
    rows = [asdict(one) for one in done]
    for row in rows:
        if row["difference"] is not None and row["difference"] - row["difference"] != 0:
            row["difference"] = None
    return {
        "device": str(device),
        "name": title(device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "date": date.today().isoformat(),
        "quick": quick,
        "machine": Machine.here().to_json(),
        "failed": sum(one.verdict == "failed" for one in done),
        "checks": rows,
    }


if __name__ == "__main__":
    raise SystemExit(main())
