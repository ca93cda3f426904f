"""Indexing throughput, and the accuracy that decode="fast" costs.

    SEESAY_DATA=... python benchmarks/index_throughput.py [--quick] [--json]

Us: `Library.index` into a new library. Peer: a sequential loop over the same graph and the same ONNX Runtime session: read the
file, decode it exactly with Pillow, preprocess, run one picture at a time, store nothing. Both run in turns, on photos-1k
(examples/photos where SEESAY_DATA is not set), on 100 of them, and on 12-megapixel JPEGs made of them. Then: a second run with
nothing to do; and fast against exact decoding of JPEGs in pixels, in vectors, and (with SEESAY_DATA) in Flickr8k text-to-image
recall.

Goals: indexing takes at most the loop's time for 100 photos, and 0.75 of it for all of them.
"""

import shutil
import tempfile
from pathlib import Path

import decode_modes
import pictures
from benchmark import Goal, Result, Table, run
from PIL import Image, ImageOps
from rounds import Times, interleave

import seesay
from seesay.images.preprocess import load_pixels
from seesay.library import IndexReport

US, PEER = "Library.index", "sequential loop"
FEW = "100 of them"
LARGE = (4000, 3000)
MIDDLE = (1600, 1600)
ODD = (3837, 2560)  # not a multiple of the 4 by which fast decoding divides it
ENLARGED = "enlarged photos, 1600 x 1600"
STAGES = ("read", "decode", "encode", "store")


class Run:
    """Indexes one folder repeatedly, each time into a new library; the last one remains."""

    def __init__(self, model: seesay.Model, photos: Path, library: Path) -> None:
        self.model, self.photos, self.library = model, photos, library
        self.reports: list[IndexReport] = []

    def index(self) -> None:
        shutil.rmtree(self.library, ignore_errors=True)
        self.reports.append(self.again())

    def again(self) -> IndexReport:
        with seesay.Library(self.library, self.model) as library:
            return library.index(self.photos)

    def loop(self) -> None:
        spec = self.model.image_spec
        for file in sorted(self.photos.iterdir()):
            with Image.open(file) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
            self.model.encode_pixels(load_pixels(upright, spec)[0][None])


def measure(quick: bool) -> Result:
    model = seesay.load()
    model.encode_pixels(model.preprocess(pictures.photos_1k()[1][:1]))  # opens the graph
    result = Result()
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as name:
        folder = Path(name)
        source, photos = pictures.photos_1k()
        small = pictures.linked(photos[: 100 if quick else None], folder / "small")
        spread = photos[:: max(1, len(photos) // 40)][: 8 if quick else 40]
        large = pictures.enlarge(spread, folder / "large", LARGE, quality=90, noise=True)
        rounds = 2 if quick else 3
        throughput = [
            _throughput(result, source, Run(model, small, folder / "library"), rounds),
            _throughput(result, FEW, Run(model, pictures.linked(photos[:100], folder / "few"), folder / "library-few"), rounds),
            _throughput(result, "12-megapixel JPEGs", Run(model, folder / "large", folder / "library-large"), rounds),
        ]
        result.tables.append(
            Table(
                f"Pictures a second, {rounds} rounds in turns (ratio: times as fast as the loop)",
                ("pictures", "count", "index median", "best", "loop median", "best", "ratio", "of bests"),
                throughput,
            )
        )
        result.tables.append(_stages(result))
        result.tables.append(_nothing_to_do(result, Run(model, small, folder / "library"), 5 if quick else 15))
        _compare_modes(result, model, photos, large, folder, quick)
    result.figures["ratio"] = result.figures["index"][source]["ratio"]
    for name, limit in ((FEW, 1.0), *(() if quick else ((source, 0.75),))):
        result.goals.append(Goal(f"indexing {name}, times the loop", 1 / result.figures["index"][name]["ratio"], limit))
    result.figures["ratio_12mp"] = result.figures["index"]["12-megapixel JPEGs"]["ratio"]
    return result


def _throughput(result: Result, name: str, work: Run, rounds: int) -> tuple[str, ...]:
    times = interleave({US: work.index, PEER: work.loop}, rounds, warm_ups=0)
    us, peer = times[US], times[PEER]
    reports = work.reports
    count = reports[-1].encoded + reports[-1].reused
    if reports[-1].failed:
        raise SystemExit(f"{len(reports[-1].failed)} of the pictures could not be read: {reports[-1].failed[0]}")
    stages = {stage: sum(report.stages[stage] for report in reports) / len(reports) for stage in STAGES}
    result.figures.setdefault("index", {})[name] = {
        "pictures": count,
        "megabytes": round(sum(file.stat().st_size for file in work.photos.iterdir()) / 1e6, 1),
        "index_per_second": _rate(count, us),
        "loop_per_second": _rate(count, peer),
        "ratio": round(1 / us.over(peer), 3),
        "ratio_of_bests": round(peer.best / us.best, 3),
        "thread_seconds": {stage: round(seconds, 3) for stage, seconds in stages.items()},
        "wall_seconds": us.to_json(),
    }
    figures = [f"{count / seconds:.1f}" for seconds in (us.median, us.best, peer.median, peer.best)]
    return (name, str(count), *figures, f"{1 / us.over(peer):.2f}", f"{peer.best / us.best:.2f}")


def _rate(count: int, times: Times) -> dict[str, float]:
    return {"median": round(count / times.median, 2), "best": round(count / times.best, 2)}


def _stages(result: Result) -> Table:
    rows = []
    for name, figures in result.figures["index"].items():
        per_picture = [1e3 * figures["thread_seconds"][stage] / figures["pictures"] for stage in STAGES]
        wall = 1e3 * figures["wall_seconds"]["median"] / figures["pictures"]
        rows.append((name, *(f"{value:.2f}" for value in per_picture), f"{wall:.2f}"))
    return Table("Thread-milliseconds a picture by stage, and milliseconds on the clock", ("pictures", *STAGES, "clock"), rows)


def _nothing_to_do(result: Result, work: Run, rounds: int) -> Table:
    times = interleave({"again": work.again}, rounds)["again"]
    count = sum(1 for _ in work.photos.iterdir())
    if work.again().unchanged != count:
        raise SystemExit("the second run found something to do")
    result.figures["nothing_to_do_files_per_second"] = _rate(count, times)
    row = (str(count), f"{count / times.median:.0f}", f"{count / times.best:.0f}", f"{1e3 * times.median:.1f}")
    header = ("files", "files a second, median", "best", "median ms a run")
    return Table(f"A second run with nothing to do, {rounds} rounds", header, [row])


def _compare_modes(
    result: Result, model: seesay.Model, photos: list[Path], large: list[Path], folder: Path, quick: bool
) -> None:
    sheets = pictures.mosaics(photos, folder / "mosaics", LARGE, 3 if quick else 12)
    odd = pictures.mosaics(photos, folder / "odd", ODD, 3 if quick else 12)
    captions = pictures.flickr_val()
    count = 60 if quick else 300
    chosen = list(captions)[:count] if captions else photos[:count]
    middle = pictures.enlarge(chosen, folder / "middle", MIDDLE, quality=92, noise=False)
    sets = {
        "enlarged photos with noise, 4000 x 3000": large,
        "mosaics of photos, 4000 x 3000": sheets,
        "mosaics of photos, 3837 x 2560": odd,
        ENLARGED: middle,
    }
    compared = {name: decode_modes.compare(model, files) for name, files in sets.items()}
    result.figures["decode"] = {name: difference.to_json() for name, (difference, _, _) in compared.items()}
    result.tables.append(
        Table(
            'decode="fast" against "exact": pixels in levels of 255, cosine of the vectors, ms to read one picture on one core',
            ("JPEGs", "count", "pixels mean", "max", "cosine mean", "min", "exact ms", "fast ms"),
            [(name, *difference.to_row) for name, (difference, _, _) in compared.items()],
        )
    )
    if captions:
        _, exact, fast = compared[ENLARGED]
        recalls = decode_modes.recall(model, [captions[photo] for photo in chosen], exact, fast)
        result.figures["recall"] = {
            f"R@{r.k}": {"exact": r.exact, "fast": r.fast, "lost": r.lost, "won": r.won} for r in recalls
        }
        title = f"Flickr8k val, text to image, {len(chosen)} photos as 1600 px JPEGs, {recalls[0].captions} English captions"
        header = ("recall", "exact", "fast", "lost by fast", "won by fast")
        result.tables.append(Table(title, header, [r.to_row for r in recalls]))


if __name__ == "__main__":
    run("index_throughput", __doc__ or "", measure)
