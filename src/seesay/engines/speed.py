"""This machine's speed: one measurement of a matrix product in ONNX Runtime, kept with the machine's description.

It is one layer of a ViT-B/32 for eight pictures, on one core, and counts processor time: other programs change it little. What
is made of it for a whole model on all cores is an estimate.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np

from seesay.engines.onnx import runtime
from seesay.system.cache import cache_dir
from seesay.system.cpu import available_cores, processor
from seesay.system.files import write_atomically
from seesay.system.protobuf import VARINT, sized_field, varint

MEASURE_S = 0.4
ROUNDS = 5
TOKENS, WIDTH, MLP_WIDTH = 400, 768, 3072  # of eight pictures in a ViT-B/32
FLOAT = 1  # in ONNX's enumeration of types
FILE = "speed.json"


@dataclass(frozen=True)
class Speed:
    """multiplications_per_s: of float32, on all cores. The rest says for which machine that is true."""

    cpu: str
    cores: int
    onnxruntime: str
    multiplications_per_s: float


def machine_speed(*, again: bool = False) -> Speed:
    """The speed of this machine, from the cache or measured now (half a second). again: measured now in any case."""
    from importlib.metadata import version

    about = {"cpu": processor(), "cores": available_cores(), "onnxruntime": version("onnxruntime")}
    file = cache_dir() / FILE
    if not again:
        with suppress(OSError, ValueError, TypeError):
            kept = Speed(**json.loads(file.read_text(encoding="utf-8")))
            if about.items() <= asdict(kept).items():
                return kept
    speed = Speed(**about, multiplications_per_s=about["cores"] * _measure())  # type: ignore[arg-type, operator]
    with suppress(OSError):
        write_atomically(file, json.dumps(asdict(speed)))
    return speed


def _measure() -> float:
    """Multiplications a second on one core, in the best run."""
    options = runtime().SessionOptions()
    options.intra_op_num_threads = 1
    product = runtime().InferenceSession(_matrix_product(), options, providers=["CPUExecutionProvider"])
    a = np.random.default_rng(0).standard_normal((TOKENS, WIDTH), dtype=np.float32)
    return TOKENS * WIDTH * MLP_WIDTH / processor_time_s(lambda: product.run(None, {"a": a}))


def processor_time_s(call: Callable[[], object]) -> float:
    """Processor time of a call that uses one core: the least of several rounds, within about MEASURE_S of it."""
    call()  # opens what it opens at first
    start = time.thread_time()
    call()
    runs = max(1, round(MEASURE_S / ROUNDS / max(time.thread_time() - start, 1e-5)))
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(runs):
            call()
        times.append((time.thread_time() - start) / runs)
    return max(min(times), 1e-9)  # some systems count in steps of 16 ms


def _matrix_product() -> bytes:
    """An ONNX model, c = a @ b with constant b, written without the package onnx, which the base install lacks."""

    def number(field: int, value: int) -> bytes:
        return varint(field << 3 | VARINT) + varint(value)

    def value_info(name: str, *sizes: int) -> bytes:
        shape = b"".join(sized_field(1, number(1, size)) for size in sizes)
        return sized_field(1, name.encode()) + sized_field(2, sized_field(1, number(1, FLOAT) + sized_field(2, shape)))

    node = sized_field(1, b"a") + sized_field(1, b"b") + sized_field(2, b"c") + sized_field(4, b"MatMul")
    graph = sized_field(1, node) + sized_field(2, b"product")
    b = np.random.default_rng(1).standard_normal((WIDTH, MLP_WIDTH), dtype=np.float32)
    shape = number(1, WIDTH) + number(1, MLP_WIDTH)
    graph += sized_field(5, shape + number(2, FLOAT) + sized_field(8, b"b") + sized_field(9, b.astype("<f4").tobytes()))
    graph += sized_field(11, value_info("a", TOKENS, WIDTH))
    graph += sized_field(12, value_info("c", TOKENS, MLP_WIDTH))
    return number(1, 8) + sized_field(7, graph) + sized_field(8, number(2, 17))  # IR version 8, operator set 17
