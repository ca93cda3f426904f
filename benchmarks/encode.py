"""Encoding speed of a random full-size ViT-B/32 and EVA02-B/16, compared with OpenCLIP and transformers.

    SEESAY_PEERS=/path/to/python python benchmarks/encode.py [--quick] [--json]

Every contender holds the same weights, in its own library's format, and uses all cores. Pixels and ids are given: decoding and
tokenizing are measured elsewhere. Texts are short (8 and 15 words): ours and transformers' are padded to the longest of the
batch, which is exact for CLIP; OpenCLIP takes 77 tokens always. "seesay int8" is `convert --int8 dynamic`. Contenders in turns;
peers in a process of the interpreter that SEESAY_PEERS names. The best matrix product of ONNX Runtime, and of the peers' torch,
is measured in the same run.

Goals, as time over OpenCLIP's: pictures in float32 1/1.25 one by one and 1 at batch 32, in int8 1/2.2; texts in float32 1/4, in
int8 1/10. EVA02-B/16, whose text tower is that of ViT-B/32 and which transformers has not: pictures in float32 1, in int8 1/2.
"""

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from peer import Peer
from random_clip import make, pixels, texts
from rounds import Times, interleave

from seesay.engines import OnnxEngine
from seesay.engines.onnx import runtime
from seesay.models.size import operations
from seesay.system.cpu import available_cores


@dataclass(frozen=True)
class Subject:
    """A model to measure. peers: the libraries that have it. cases: their number of inputs, by name. goals: the time over
    OpenCLIP's, by case and storage. prefix: of its cases in the results."""

    peers: tuple[str, ...]
    cases: dict[str, int]
    goals: dict[tuple[str, str], float]
    prefix: str = ""


VIT = Subject(
    ("transformers", "open_clip"),
    {"images-1": 1, "images-32": 32, "texts-1": 1, "texts-32": 32},
    {
        ("images-1", "float32"): 1 / 1.25,
        ("images-32", "float32"): 1.0,
        ("images-1", "int8"): 1 / 2.2,
        ("images-32", "int8"): 1 / 2.2,
        ("texts-1", "float32"): 1 / 4,
        ("texts-32", "float32"): 1 / 4,
        ("texts-1", "int8"): 1 / 10,
        ("texts-32", "int8"): 1 / 10,
    },
)
EVA = Subject(
    ("open_clip",),
    {"images-1": 1, "images-8": 8},
    {(case, storage): goal for case in ("images-1", "images-8") for storage, goal in (("float32", 1.0), ("int8", 1 / 2))},
    prefix="EVA02-B/16 ",
)
SUBJECTS = {"ViT-B-32": VIT, "EVA02-B-16": EVA}
REST_S = 0.1  # before every turn
PRODUCT = (1600, 768, 3072)  # rows, inner, columns: as a picture tower at batch 32 has them
PRODUCT_FLOP = 2 * math.prod(PRODUCT)
WORDS = {"texts-1": 7, "texts-32": 15}


def measure(quick: bool) -> Result:
    result = Result()
    if not Peer.given():
        result.notes.append("SEESAY_PEERS is not set: no peer was measured.")
    for name, subject in SUBJECTS.items():
        with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
            measure_one(result, Path(place), name, subject, quick)
    return result


def measure_one(result: Result, folder: Path, name: str, subject: Subject, quick: bool) -> None:
    """Adds one model's times, and the share of the best matrix product that its pictures reach."""
    image = make(folder, name, subject.peers)
    inputs = {
        case: pixels(count, image.image_px) if case.startswith("images") else texts(count, WORDS[case])
        for case, count in subject.cases.items()
    }
    for case, array in inputs.items():
        np.save(folder / f"{case}.npy", array)
    engines = {storage: OnnxEngine(folder / storage) for storage in ("float32", "int8")}
    peer = Peer("peer_encode.py", folder) if Peer.given() else None
    rows: list[tuple[str, ...]] = []
    product, ours, theirs = matrix_product(), list[float](), list[float]()
    for case, array in inputs.items():
        contenders: dict[str, Callable[[], object]] = {
            f"seesay {storage}": partial(encode, engine, array) for storage, engine in engines.items()
        }
        contenders |= {library: partial(peer.run, library, case) for library in peer.names} if peer else {}
        rounds = (3 if quick else 7) if len(array) > 1 else (5 if quick else 25)
        times = interleave(contenders, rounds, warm_ups=2, rest=REST_S)
        record(result, subject, case, times, rows)
        for _ in range(5 if quick else 20):  # between the cases, so that a busy moment of the machine does not decide
            time.sleep(REST_S)
            ours.append(product())
            if peer:
                time.sleep(REST_S)
                theirs.append(float(peer.run("product", *PRODUCT)))
    if peer:
        best = PRODUCT_FLOP / min(theirs)
        result.figures.setdefault("gemm_gflops_torch", {})[name] = round(best / 1e9, 1)
        result.notes.append(f"Best float32 matrix product of the peers' torch beside {name}: {best / 1e9:.0f} GFLOPS.")
        peer.close()
    count, case = max((count, case) for case, count in subject.cases.items() if case.startswith("images"))
    seconds = result.figures["seconds"][subject.prefix + case]["seesay float32"]["median"]
    peak, reached = PRODUCT_FLOP / min(ours), count / seconds * 2 * operations(image, 512)
    result.figures.setdefault("gemm_gflops", {})[name] = round(peak / 1e9, 1)
    result.figures.setdefault("images_of_gemm_peak", {})[name] = round(reached / peak, 3)
    result.notes.append(
        f"Best float32 matrix product of ONNX Runtime beside {name}: {peak / 1e9:.0f} GFLOPS. Pictures at batch {count} reach "
        f"{reached / 1e9:.0f} GFLOPS, {reached / peak:.0%} of it."
    )
    header = ("", *result.figures["seconds"][subject.prefix + case])
    result.tables.append(Table(f"{name}: median time, ms; in brackets per second", header, rows))


def encode(engine: OnnxEngine, array: np.ndarray) -> None:
    if array.ndim == 4:
        engine.encode_pixels(array)
    else:
        engine.encode_tokens(array)


def record(result: Result, subject: Subject, case: str, times: dict[str, Times], rows: list[tuple[str, ...]]) -> None:
    count, name = subject.cases[case], subject.prefix + case
    result.figures.setdefault("seconds", {})[name] = {who: t.to_json() for who, t in times.items()}
    rows.append((case, *(f"{1e3 * t.median:.1f} ({count / t.median:.1f})" for t in times.values())))
    if "open_clip" not in times:
        return
    for storage in ("float32", "int8"):
        ratio = times[f"seesay {storage}"].over(times["open_clip"])
        result.figures.setdefault("ratios", {})[f"{name} {storage}"] = round(ratio, 3)
        result.goals.append(Goal(f"{name}, {storage}, times OpenCLIP", ratio, subject.goals[case, storage]))


def matrix_product() -> Callable[[], float]:
    """The seconds of one matrix product of the shape PRODUCT in ONNX Runtime."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rows, inner, columns = PRODUCT
    weight = numpy_helper.from_array(np.random.default_rng(0).standard_normal((columns, inner)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    options = runtime().SessionOptions()
    options.intra_op_num_threads = available_cores()
    session = runtime().InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((rows, inner)).astype(np.float32)

    def run() -> float:
        started = time.perf_counter()
        session.run(None, {"x": x})
        return time.perf_counter() - started

    return run


if __name__ == "__main__":
    run("encode", __doc__ or "", measure)
