"""The OpenVINO engine (extra `openvino`): runs a model folder's graphs with Intel's library, on the CPU."""

import hashlib
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from seesay.engines import agreement, external_data
from seesay.engines.fingerprint import fingerprint
from seesay.engines.onnx import OnnxEngine
from seesay.engines.protocol import Capability, Engine
from seesay.errors import MissingExtra, ModelError
from seesay.models.config import read_config
from seesay.models.fields import Modality
from seesay.system.cache import cache_dir
from seesay.system.cpu import available_cores, check_threads

IMAGES = 8  # per run, as in the ONNX engine
_importing = threading.Lock()


class OpenVinoEngine(Engine):
    """Compiles each graph at its first use, which takes a second or two, and keeps the result in SeeSay's cache.

    Numbers are float32 wherever the graph's are, where OpenVINO's own default is 16 bits on processors that can. threads: of
    all runs together, by default as many as this process may use cores. concurrent_runs: how many share them.
    """

    name = "openvino"
    capabilities: frozenset[Capability] = frozenset(("image", "text", "dense"))

    def __init__(self, folder: Path, *, threads: int | None = None, concurrent_runs: int = 1) -> None:
        """Raises MissingExtra, InputError for a number of threads below 1."""
        self._folder = folder
        self._threads = check_threads(threads) or available_cores()
        self.concurrent_runs = concurrent_runs
        self._core = runtime().Core()
        self._towers: dict[tuple[Modality, str], _Compiled] = {}
        self._lock = threading.RLock()  # a tower is run while it is opened, to compare it

    def sharing(self, concurrent_runs: int = 1) -> "OpenVinoEngine":
        if concurrent_runs == self.concurrent_runs:
            return self  # its threads do not wait busily
        return OpenVinoEngine(self._folder, threads=self._threads, concurrent_runs=concurrent_runs)

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return self._run_images("embedding", pixels)

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        return self._run_images("dense", pixels)

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return self._run("text", "embedding", ids)

    def preload(self, tower: Modality) -> None:
        def work() -> None:
            with suppress(ModelError):  # raised again where the tower is needed
                self._tower(tower, "embedding")

        if (tower, "embedding") not in self._towers:
            threading.Thread(target=work, name=f"seesay-open-{tower}").start()

    def _run_images(self, output: str, pixels: np.ndarray) -> np.ndarray:
        runs = [self._run("image", output, pixels[i : i + IMAGES]) for i in range(0, max(len(pixels), 1), IMAGES)]
        return np.concatenate(runs) if len(runs) > 1 else runs[0]

    def _run(self, tower: Modality, output: str, inputs: np.ndarray) -> np.ndarray:
        compiled = self._tower(tower, output)
        try:
            return compiled(inputs)
        except RuntimeError as error:
            raise ModelError(
                f"{self._folder / tower}.onnx cannot be run with {inputs.shape} {inputs.dtype}: {_reason(error)}"
            ) from None

    def _tower(self, tower: Modality, output: str) -> "_Compiled":
        with self._lock:
            if (tower, output) not in self._towers:
                self._towers[tower, output] = self._compile(tower, output)
                if output == "embedding":
                    self._confirm(tower)
            return self._towers[tower, output]

    def _confirm(self, tower: Modality) -> None:
        """Compares a tower with ONNX Runtime's, and closes it where they differ."""
        config = read_config(self._folder)
        version, limit = runtime().__version__.partition("-")[0], agreement.tolerance(config, tower, half=False)
        on_cpu = OnnxEngine(self._folder, threads=self._threads)
        try:
            agreement.confirm(self._folder, config, tower, self, on_cpu, version=version, limit=limit)
        except BaseException:
            del self._towers[tower, "embedding"]
            raise

    def _compile(self, tower: Modality, output: str) -> "_Compiled":
        path = self._folder / f"{tower}.onnx"
        if not path.is_file():
            raise ModelError(f"{path.parent} has no {path.name}; a model folder holds config.json, image.onnx and text.onnx")
        path = path.resolve()  # a hub's cache holds links, and weights must be beside their graph
        external_data.check(path)
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self.concurrent_runs,
            # It would round activations to 8 bits where weights have 8, after which one text's vector moved by 5e-3 when others
            # were beside it in the batch.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "ENABLE_CPU_PINNING": False,  # a thread that is tied to a core waits for whatever else runs there
        }
        # A server runs long enough to compile at its start, and other options would double the cache.
        if self.concurrent_runs == 1 and (cache := _cache(self._folder)) is not None:
            options["CACHE_DIR"] = str(cache)
        try:
            # From a path, what is in the cache is found without reading the graph.
            model = str(path) if output == "embedding" else self._with(output, path)
            return _Compiled(self._core.compile_model(model, "CPU", options), output)
        except RuntimeError as error:
            raise ModelError(f"{path} is not a graph that OpenVINO opens: {_reason(error)}") from None

    def _with(self, output: str, path: Path) -> Any:
        """The graph with an output that is computed on request (`on_request` of `GraphBuilder`). OpenVINO takes the input
        `with_...`, whose default is false, for a constant."""
        openvino = runtime()
        model = self._core.read_model(str(path))
        always = openvino.opset13.constant(True, dtype=np.bool_).output(0)
        for node in model.get_ops():
            if node.get_type_name() == "If" and node.get_friendly_name() == output:
                node.input(0).replace_source_output(always)
        model.validate_nodes_and_infer_types()
        return openvino.Model([model.output(output)], model.get_parameters())


class _Compiled:
    """A compiled graph as a function from one input to one output, for any number of threads."""

    def __init__(self, compiled: Any, output: str) -> None:
        self._compiled = compiled
        self._output = compiled.output(output)
        self._idle: list[Any] = []  # requests, each of which does one run at a time; list's methods are atomic

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            result = request.infer([np.ascontiguousarray(inputs)], share_inputs=True, share_outputs=True)[self._output]
            return np.array(result, dtype=np.float32)  # a copy: the request's memory is used again
        finally:
            self._idle.append(request)


def runtime() -> Any:
    """Imports openvino without openvino_telemetry, which would report every import to Intel: SeeSay sends nothing to anybody.

    Raises MissingExtra.
    """
    with _importing:
        if "openvino" not in sys.modules:
            before = sys.modules.get("openvino_telemetry")
            sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # an import of it fails, and openvino goes on
            try:
                import openvino  # noqa: F401
            except ModuleNotFoundError:
                raise MissingExtra("the openvino engine", "openvino") from None
            finally:
                del sys.modules["openvino_telemetry"]
                if before is not None:
                    sys.modules["openvino_telemetry"] = before
        return sys.modules["openvino"]


def _cache(folder: Path) -> Path | None:
    """Where a folder's compiled graphs are kept: only those of its files as they are now. None where nothing can be written."""
    mine = cache_dir() / "compiled" / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
    current = mine / fingerprint(folder, runtime().__version__)
    try:
        current.mkdir(parents=True, exist_ok=True)
        for old in mine.iterdir():
            if old != current:
                shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return None
    return current


def _reason(error: RuntimeError) -> str:
    """The last line of OpenVINO's message, which begins with places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
