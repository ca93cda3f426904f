"""A library from Python: index, search in words, by picture and within a folder, and read what came back."""

import sys
import tempfile
from pathlib import Path

import seesay

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "photos"

with tempfile.TemporaryDirectory() as place, seesay.Library(Path(place) / "library") as library:
    report = library.index(folder)
    print(f"{report.encoded} pictures in {report.seconds:.1f} s, {len(report.failed)} could not be read")

    for hit in library.search("a musical instrument", n=3):
        print(f"{hit.score:.3f} {hit.path} ({hit.width} x {hit.height})")

    best = library.search("a red fruit", n=1)[0]
    print("most like", Path(best.path).name, ":", [Path(hit.path).name for hit in library.search(image=best.path, n=4)[1:]])

    print(
        "only below the same folder:", len(library.search("food", n=100, filters=seesay.Filters(under=Path(best.path).parent)))
    )
