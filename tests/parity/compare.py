"""Freshly made fixtures against the stored ones: are these still the numbers of the original libraries?

    python -m tests.parity.compare MADE

MADE is a folder that `python -m tests.parity.fixtures MADE` has filled, with the libraries of both requirements-parity files.
Inputs must be equal; outputs and gradients may differ by rounding. On the processor that made them they come out equal to the
bit; without its vector instructions outputs differ by up to 5e-6 and gradients, which are small sums of large terms, by 1e-4.
The bytes of weights need not be equal (archives hold times and versions) and are only reported.
"""

import json
import sys
from pathlib import Path

import numpy as np

from tests.parity.test_checkpoints import DATA, NAMES

RELATIVE = 1e-5  # of outputs, against their largest value
GRADIENTS = 1e-3
INPUTS = ("pixels", "ids")


def differences(remade: Path, stored: Path) -> tuple[list[str], float]:
    """Faults of a fixture made again, and the largest relative difference of its outputs."""
    if not (remade / "expected.npz").is_file():
        return ["was not made again: is its library installed?"], 0.0
    wrong = []
    if json.loads((remade / "facts.json").read_text()) != json.loads((stored / "facts.json").read_text()):
        wrong.append("facts.json differs")
    new, old = dict(np.load(remade / "expected.npz")), dict(np.load(stored / "expected.npz"))
    if new.keys() != old.keys():
        wrong.append(f"only one of both has {', '.join(sorted(new.keys() ^ old.keys()))}")
    largest = max((float(value[0]) for name, value in old.items() if name.startswith("gradient/")), default=0.0)
    worst = 0.0
    for name in sorted(new.keys() & old.keys()):
        if new[name].shape != old[name].shape:
            wrong.append(f"{name}: shape {new[name].shape}, stored {old[name].shape}")
        elif name in INPUTS:
            if not np.array_equal(new[name], old[name]):
                wrong.append(f"{name}: other inputs than stored")
        else:
            # A key's bias gets no gradient but rounding; hence a floor at a hundredth of the largest gradient.
            gradient = name.startswith("gradient/")
            size = max(float(old[name][0]), 1e-2 * largest) if gradient else float(np.abs(old[name]).max())
            difference = float(np.abs(new[name].astype(np.float64) - old[name]).max()) / size
            worst = float(np.maximum(worst, difference))
            if not difference <= (GRADIENTS if gradient else RELATIVE):
                wrong.append(f"{name}: differs by {difference:.1e} of its size")
    return wrong, worst


def same_bytes(remade: Path, stored: Path) -> str:
    """About every file but the recorded numbers."""
    files = sorted(file.name for file in stored.iterdir() if file.name not in ("expected.npz", "facts.json"))
    other = [n for n in files if not (remade / n).is_file() or (remade / n).read_bytes() != (stored / n).read_bytes()]
    return f"other bytes in {', '.join(other)}" if other else "files equal byte by byte"


def main() -> None:
    remade = Path(sys.argv[1])
    failed = 0
    for name in NAMES:
        wrong, worst = differences(remade / name, DATA / name)
        print(f"{name}: {worst:.1e}, {same_bytes(remade / name, DATA / name)}" if not wrong else f"{name}:")
        for line in wrong:
            print(f"  {line}")
        failed += bool(wrong)
    unknown = sorted(folder.name for folder in remade.iterdir() if folder.is_dir() and folder.name not in NAMES)
    for name in unknown:
        print(f"{name}: made, but not stored in tests/parity/data")
    print(f"{len(NAMES) - failed} of {len(NAMES)} fixtures as stored, within {RELATIVE:.0e} (gradients {GRADIENTS:.0e})")
    sys.exit(1 if failed or unknown else 0)


if __name__ == "__main__":
    main()
