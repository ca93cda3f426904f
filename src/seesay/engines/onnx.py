"""The default engine: a model folder's `image.onnx` and `text.onnx` in ONNX Runtime on the CPU."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seesay.engines import external_data
from seesay.engines.graph_file import structure
from seesay.engines.protocol import Capability
from seesay.errors import ModelError, first_sentence
from seesay.system.cpu import available_cores, check_threads

if TYPE_CHECKING:
    import onnx
    import onnxruntime

PICTURES = 8  # per run: with more, a ViT's activations leave the caches (at 32 it takes 5 to 10 % longer), and memory grows


class OnnxEngine:
    """Opens each graph at its first use, so that a text query never pays for the image tower.

    alone: whether nothing else wants the cores. ONNX Runtime's threads then wait for work in a loop that takes them whole,
    which makes one text a third of a millisecond faster, and a server a quarter slower.
    """

    name = "onnx"
    capabilities: frozenset[Capability] = frozenset(("image", "text", "dense"))

    def __init__(self, folder: Path, *, threads: int | None = None, alone: bool = True) -> None:
        self._folder = folder
        self._alone = alone
        self._threads = check_threads(threads) or available_cores()
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()

    def sharing(self, at_once: int = 1) -> "OnnxEngine":
        """The same graphs, for a program whose other threads want the cores too. at_once: how many of its runs there are, each
        with its part of the cores. Two with half of them do a tenth more in a busy server than one after the other with all,
        because less waits for the slowest thread; one alone takes longer."""
        return OnnxEngine(self._folder, threads=-(-self._threads // at_once), alone=False)

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return self._run_pictures("embedding", pixels)

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        return self._run_pictures("dense", pixels, with_dense=np.array(True))

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return self._run("text", "embedding", {"input_ids": ids})

    def _run_pictures(self, output: str, pixels: np.ndarray, **others: np.ndarray) -> np.ndarray:
        starts = range(0, max(len(pixels), 1), PICTURES)
        runs = [self._run("image", output, {"pixels": pixels[i : i + PICTURES], **others}) for i in starts]
        return np.concatenate(runs) if len(runs) > 1 else runs[0]

    def _run(self, tower: str, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        session = self._session(tower)
        try:
            (result,) = session.run([output], inputs)
            return np.asarray(result, dtype=np.float32)
        except Exception as error:  # onnxruntime's exceptions share no base class
            shapes = ", ".join(f"{name} {value.shape} {value.dtype}" for name, value in inputs.items())
            raise ModelError(f"{self._folder / tower}.onnx cannot be run with {shapes}: {first_sentence(error)}") from None

    def expect(self, tower: str) -> None:
        """Begins to open a graph in a thread, for whoever is about to need it and has something else to do first."""

        def work() -> None:
            with suppress(ModelError):  # whoever needs it is told
                self._session(tower)

        if tower not in self._sessions:
            threading.Thread(target=work, name=f"seesay-open-{tower}").start()

    def _session(self, tower: str) -> Any:
        with self._lock:
            if tower not in self._sessions:
                self._sessions[tower] = self._open(self._folder / f"{tower}.onnx")
            return self._sessions[tower]

    def _open(self, path: Path) -> Any:
        onnxruntime = runtime()
        if not path.is_file():
            raise ModelError(f"{path.parent} has no {path.name}; a model folder holds config.json, image.onnx and text.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # errors are raised, and shall not be printed as well
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if self._alone else "0")
        path = path.resolve()  # a hub's cache holds links, and weights must lie beside their graph
        external_data.check(path)
        try:
            if (graph := structure(path)) is not None:
                options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
            # Its fallback prints what went wrong to stdout, tries the same again, and fails again.
            return onnxruntime.InferenceSession(
                graph or str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise ModelError(f"{path} is not a graph that ONNX Runtime opens: {error}") from None


def open_graph(graph: "onnx.ModelProto") -> Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]:
    """A graph that is not in a file, opened: a function from inputs by name to all outputs, in order."""
    session = runtime().InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in graph.graph.output]
    return lambda inputs: list(session.run(names, dict(inputs)))


def runtime() -> Any:
    """onnxruntime, without the usage events that its wheels report by default: SeeSay works offline and tells nobody."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
    import onnxruntime

    return onnxruntime
