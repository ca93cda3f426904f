"""Encoding speed of OpenVINO beside ONNX Runtime: the bundled model and a random full-size ViT-B/32, one by one and in batches.

    python benchmarks/engines.py [--quick] [--json]

Pixels and ids are given; texts have 7 words alone and 15 in a batch; all cores; contenders in turns, with ONNX Runtime's
threads waiting idly, as in a server. Best times of all rounds, and the least processor time of any round, which other work on
the machine changes less.

Goal: none of ONNX Runtime. OpenVINO becomes what `--engine auto` takes where every case is at least 1.15 times as fast.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from benchmark import Result, Table, run
from random_clip import make, pixels, texts

from seesay.checkpoints.hub.locate import BUNDLED
from seesay.engines import Engine, OnnxEngine
from seesay.engines.openvino import OpenVinoEngine
from seesay.models.config import read_config

REST_S = 0.03  # before every turn
SECONDS = 6.0  # for each case
WANTED = 1.15  # times ONNX Runtime's speed


def measure(quick: bool) -> Result:
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
        make(Path(place))
        folders = {"bundled": BUNDLED, "ViT-B/32 int8": Path(place) / "int8", "ViT-B/32 float32": Path(place) / "float32"}
        return compare(folders, SECONDS / 4 if quick else SECONDS)


def compare(folders: dict[str, Path], seconds: float) -> Result:
    result, rows = Result(), list[tuple[str, ...]]()
    for name, folder in folders.items():
        engines: dict[str, Engine] = {"onnx": OnnxEngine(folder).sharing(), "openvino": OpenVinoEngine(folder)}
        for case, inputs in cases(folder).items():
            contenders = {engine: partial(encode, engines[engine], inputs) for engine in engines}
            wall, cpu = in_turns(contenders, seconds)
            ratios = (wall["onnx"] / wall["openvino"], cpu["onnx"] / cpu["openvino"])
            result.figures[f"{name} {case}"] = {"wall_s": wall, "cpu_s": cpu, "times_onnx": round(ratios[0], 2)}
            milliseconds = (1e3 * value for value in (wall["onnx"], wall["openvino"], cpu["onnx"], cpu["openvino"]))
            rows.append((f"{name}, {case}", *(f"{value:.1f}" for value in milliseconds), *(f"{ratio:.2f}" for ratio in ratios)))
    header = ("", "onnx, ms", "openvino, ms", "onnx, CPU ms", "openvino, CPU ms", "times onnx's speed", "in CPU time")
    result.tables = [Table("Least of all rounds", header, rows)]
    slow = [case for case, figures in result.figures.items() if figures["times_onnx"] < WANTED]
    result.notes.append(
        f"OpenVINO is at least {WANTED} times as fast in {len(rows) - len(slow)} of {len(rows)} cases"
        + (f"; it is not in: {', '.join(slow)}." if slow else ".")
    )
    return result


def cases(folder: Path) -> dict[str, np.ndarray]:
    config = read_config(folder)
    assert config.image is not None
    assert config.text is not None
    one, many = texts(1, 7), texts(32, 15)
    ids = [batch % config.text.vocabulary for batch in (one, many)]
    for batch in ids:
        batch[:, -1] = config.text.end_id if config.text.end_id is not None else batch[:, -1]
    px = config.image.image_px
    return {"picture": pixels(1, px), "8 pictures": pixels(8, px), "text": ids[0], "32 texts": ids[1]}


def encode(engine: Engine, array: np.ndarray) -> None:
    if array.ndim == 4:
        engine.encode_pixels(array)
    else:
        engine.encode_tokens(array)


def in_turns(contenders: Mapping[str, Callable[[], None]], seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Each contender's best time and least processor time of a round, both in seconds."""
    wall, cpu = dict.fromkeys(contenders, float("inf")), dict.fromkeys(contenders, float("inf"))
    for work in contenders.values():
        work()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, work in contenders.items():
            time.sleep(REST_S)
            started, used = time.perf_counter(), time.process_time()
            work()
            wall[name] = min(wall[name], time.perf_counter() - started)
            cpu[name] = min(cpu[name], time.process_time() - used)
    return wall, cpu


if __name__ == "__main__":
    run("engines", __doc__ or "", measure)
