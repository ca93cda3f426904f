"""The default engine: runs a model folder's `image.onnx` and `text.onnx` in ONNX Runtime, on the CPU or another provider."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seesay.engines import external_data
from seesay.engines.graph_file import structure
from seesay.engines.protocol import Capability, Engine
from seesay.engines.provider import CPU, Provider
from seesay.errors import MissingDevice, ModelError, first_sentence
from seesay.models.config import read_config
from seesay.models.fields import Modality
from seesay.system.cpu import available_cores, check_threads

if TYPE_CHECKING:
    import onnx
    import onnxruntime

IMAGES = 8  # per run: with more, a ViT's activations leave the caches (at 32 it takes 5 to 10 % longer), and memory grows


class OnnxEngine(Engine):
    """Opens each graph at its first use, so that a text query never pays for the image tower.

    threads: of each run, by default as many as this process may use cores. spin: lets ONNX Runtime's idle threads busy-wait,
    which makes one text 0.3 ms faster and a busy server 25 % slower. provider: what computes; a tower that runs elsewhere than
    on the CPU is compared with it first (`engines.agreement`), for which the folder needs its config.json.
    """

    capabilities: frozenset[Capability] = frozenset(("image", "text", "dense", "regions", "masks"))

    def __init__(self, folder: Path, *, threads: int | None = None, spin: bool = True, provider: Provider = CPU) -> None:
        self._folder = folder
        self._spin = spin
        self._provider = provider
        self._turn = threading.Lock() if provider.serial else nullcontext()
        self._threads = check_threads(threads) or available_cores()
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._lock = threading.RLock()  # a tower is run while it is opened, to compare it

    @property
    def name(self) -> str:
        """`onnx` on the CPU; elsewhere with the device, as in `onnx-cuda`."""
        return "onnx" if self._provider == CPU else f"onnx-{self._provider.device}"

    def sharing(self, concurrent_runs: int = 1) -> "OnnxEngine":
        """The same graphs without busy-waiting, each of the concurrent runs with its part of the cores; on another device than
        the CPU one run at a time.

        Two runs with half of the cores do a tenth more in a busy server than one after the other with all, because less waits
        for the slowest thread; one alone takes longer.
        """
        if self._provider != CPU:
            return self
        engine = OnnxEngine(self._folder, threads=-(-self._threads // concurrent_runs), spin=False)
        engine.concurrent_runs = concurrent_runs
        return engine

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return self._run_images("embedding", pixels)

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        return self._run_images("dense", pixels, with_dense=np.array(True))

    def find_regions(self, pixels: np.ndarray) -> np.ndarray:
        return np.concatenate([self._find("regions", row[None]) for row in pixels])

    def find_masks(self, pixels: np.ndarray, queries: np.ndarray) -> np.ndarray:
        return np.stack([self._find("masks", row[None], queries=queries) for row in pixels])

    def _find(self, output: str, pixels: np.ndarray, **inputs: np.ndarray) -> np.ndarray:
        """One picture at a time: towers that find things take large ones."""
        return self._run("image", output, {"pixels": pixels, f"with_{output}": np.array(True), **inputs})

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return self._run("text", "embedding", {"input_ids": ids})

    def _run_images(self, output: str, pixels: np.ndarray, **inputs: np.ndarray) -> np.ndarray:
        starts = range(0, max(len(pixels), 1), IMAGES)
        runs = [self._run("image", output, {"pixels": pixels[i : i + IMAGES], **inputs}) for i in starts]
        return np.concatenate(runs) if len(runs) > 1 else runs[0]

    def _run(self, tower: Modality, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        session = self._session(tower)
        try:
            with self._turn:
                (result,) = session.run([output], inputs)
            return np.asarray(result, dtype=np.float32)
        except Exception as error:  # onnxruntime's exceptions share no base class
            shapes = ", ".join(f"{name} {value.shape} {value.dtype}" for name, value in inputs.items())
            raise ModelError(f"{self._file(tower)} cannot be run with {shapes}: {first_sentence(error)}") from None

    def preload(self, tower: Modality) -> None:
        """Begins to open a tower's graph in a thread."""

        def work() -> None:
            with suppress(ModelError):  # raised again where the tower is needed
                self._session(tower)

        if tower not in self._sessions:
            threading.Thread(target=work, name=f"seesay-open-{tower}").start()

    def _session(self, tower: Modality) -> Any:
        with self._lock:
            if tower not in self._sessions:
                self._sessions[tower] = self._open(self._file(tower))
                if self._provider != CPU:
                    self._confirm(tower)
            return self._sessions[tower]

    def _confirm(self, tower: Modality) -> None:
        """Compares a tower with itself on the CPU, and closes it where they differ."""
        from seesay.engines import agreement  # a text query on the CPU needs none of it

        config = read_config(self._folder)
        limit = agreement.tolerance(config, tower, half=self._provider.half)
        on_cpu = OnnxEngine(self._folder, threads=self._threads)
        try:
            agreement.confirm(self._folder, config, tower, self, on_cpu, version=runtime().__version__, limit=limit)
        except BaseException:
            del self._sessions[tower]
            raise

    def _file(self, tower: Modality) -> Path:
        """The file of a tower's graph."""
        return self._folder / f"{tower}.onnx"

    def _open(self, path: Path) -> Any:
        onnxruntime = runtime()
        if not path.is_file():
            raise ModelError(f"{path.parent} has no {path.name}; a model folder holds config.json, image.onnx and text.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # errors are raised, and must not be printed as well
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if self._spin else "0")
        path = path.resolve()  # a hub's cache holds links, and weights must be beside their graph
        external_data.check(path)
        try:
            graph = structure(path) if self._provider == CPU else None
            if graph is not None:
                options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
            return self._provider.open(onnxruntime, graph or str(path), options)
        except MissingDevice:
            raise
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"{path} is not a graph that ONNX Runtime opens: {error}") from None


def open_graph(graph: "onnx.ModelProto") -> Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]:
    """Opens a graph that is not in a file -> a function from inputs by name to all outputs, in order."""
    session = runtime().InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in graph.graph.output]
    return lambda inputs: list(session.run(names, dict(inputs)))


def runtime() -> Any:
    """Imports onnxruntime without the usage events that its wheels report by default: SeeSay sends nothing to anybody."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
    import onnxruntime

    return onnxruntime
