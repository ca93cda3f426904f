"""An execution provider of ONNX Runtime: what computes a graph's nodes, and a session that truly runs on it."""

from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

from seesay.errors import MissingDevice

# Nodes that nearly all of a tower's time goes into.
PRODUCTS = frozenset(
    (
        *("Attention", "Conv", "ConvInteger", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "MatMul", "MatMulInteger"),
        *("MatMulIntegerToFloat", "MatMulNBits", "MultiHeadAttention", "NhwcFusedConv", "QGemm", "QLinearConv"),
    )
)
LEAST_SHARE = 0.5  # of the products that a provider must run; the CPU takes what it cannot


@dataclass(frozen=True)
class Provider:
    """A provider. device: SeeSay's name of it; name: ONNX Runtime's. options: of the provider. half: it computes in 16 bits.
    serial: a session of it must not be run by two threads at once."""

    device: str
    name: str
    options: tuple[tuple[str, str], ...] = ()
    half: bool = False
    serial: bool = False

    def open(self, onnxruntime: Any, graph: bytes | str, options: Any) -> Any:
        """A session of a graph on this provider. onnxruntime: the module.

        ONNX Runtime opens it on the CPU without a word where the provider's libraries or its hardware are missing, and gives
        the CPU every node that the provider cannot run. Raises MissingDevice in the first case, and in the second for a graph
        most of whose products would be the CPU's; else whatever ONNX Runtime raises.
        """
        if self is not CPU:
            onnxruntime.set_default_logger_severity(4)  # what goes wrong is raised
            options.log_severity_level = 4
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
            if self.serial:
                options.enable_mem_pattern = False  # DirectML's sessions cannot have it
            if self.device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
                with redirect_stdout(StringIO()):  # it prints what it does not find
                    onnxruntime.preload_dlls()  # CUDA and cuDNN from their packages
        # Its fallback prints what went wrong to stdout, tries the same again, and fails again.
        session = onnxruntime.InferenceSession(graph, options, providers=[(self.name, dict(self.options))], enable_fallback=0)
        if self is not CPU:
            self._check(session)
        return session

    def _check(self, session: Any) -> None:
        if session.get_providers()[0] != self.name:
            raise MissingDevice(
                f"ONNX Runtime has {self.name}, but cannot start it: its libraries or its hardware are missing",
                device=self.device,
            )
        counts: Counter[str] = Counter()
        for part in session.get_provider_graph_assignment_info():
            counts[part.ep_name] += sum(node.op_type in PRODUCTS for node in part.get_nodes())
        if counts and counts[self.name] < LEAST_SHARE * counts.total():
            raise MissingDevice(
                f"{self.name} runs only {counts[self.name]} of the graph's {counts.total()} products, and the CPU would run "
                "the rest. Use --device cpu, or the model in float32",
                device=self.device,
            )


CPU = Provider("cpu", "CPUExecutionProvider")
