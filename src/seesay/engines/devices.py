"""The devices that engines compute on: which there are, why one cannot be used here, and how to get it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from seesay.engines.onnx import runtime
from seesay.engines.provider import CPU, Provider
from seesay.errors import InputError, MissingDevice
from seesay.system.protobuf import VARINT, sized_field, varint

EngineName = Literal["onnx", "openvino", "torch"]
ENGINES: tuple[EngineName, ...] = ("onnx", "openvino", "torch")
NAMES = ("cpu", "cuda", "directml", "coreml", "mps", "openvino")
REPLACED = "pip uninstall onnxruntime; pip install {}"  # its builds are the same folder: side by side they overwrite each other


@dataclass(frozen=True)
class Device:
    """One device of one engine. get: what it needs and how to install that. provider: of ONNX Runtime. automatic: "auto" may
    take it, because its numbers are those of the CPU."""

    engine: EngineName
    name: str
    get: str
    provider: Provider | None = None
    automatic: bool = False


# In the order in which "auto" takes them; of one name, the first that can be used.
DEVICES = (
    Device(
        "onnx",
        "cuda",
        "an NVIDIA GPU; " + REPLACED.format("'onnxruntime-gpu[cuda,cudnn]'"),
        # Its default, TF32, rounds the factors of products to 10 bits.
        Provider("cuda", "CUDAExecutionProvider", (("use_tf32", "0"),)),
        automatic=True,
    ),
    Device(
        "onnx",
        "directml",
        "Windows; " + REPLACED.format("onnxruntime-directml"),
        Provider("directml", "DmlExecutionProvider", serial=True),
        automatic=True,
    ),
    Device(
        "onnx",
        "coreml",
        "macOS, whose onnxruntime has it",
        Provider("coreml", "CoreMLExecutionProvider", (("ModelFormat", "MLProgram"),), half=True),
    ),
    Device("onnx", "cpu", "pip install onnxruntime", CPU, automatic=True),
    Device("torch", "cuda", "an NVIDIA GPU; a torch that is built for it (pytorch.org)", automatic=True),
    Device("torch", "mps", "macOS on Apple's own processors; pip install 'seesay[torch]'", automatic=True),
    Device("torch", "cpu", "pip install 'seesay[torch]'", automatic=True),
    Device("openvino", "openvino", "pip install 'seesay[openvino]'"),
    Device(
        "onnx",
        "openvino",
        REPLACED.format("onnxruntime-openvino") + "; the openvino engine needs no such replacement",
        Provider("openvino", "OpenVINOExecutionProvider", (("device_type", "CPU"), ("precision", "FP32"))),
    ),
)


def choose(engine: str, device: str) -> Device:
    """The device that a caller asks for by an engine's and a device's names, either of which may be "auto".

    Engine "auto" is ONNX Runtime wherever it has the device. Device "auto" is a GPU that computes in float32, where there is
    one, else the CPU. Raises InputError for names that there are not, MissingDevice for a device that cannot be used here.
    """
    _check("engine", engine, ENGINES)
    _check("device", device, NAMES)
    if engine == "openvino" and device in ("auto", "cpu"):
        device = "openvino"  # it computes on the CPU
    engines = [engine] if engine != "auto" else ["onnx"] if device == "auto" else list(ENGINES)
    rows = [row for row in DEVICES if row.engine in engines]
    if device == "auto":
        return next(row for row in rows if row.automatic and (row.name == "cpu" or fault(row) is None))
    if not (named := [row for row in rows if row.name == device]):
        expected = ", ".join(row.name for row in rows)
        raise InputError(
            f"the {engine} engine does not run on {device!r}, but on {expected}",
            parameter="device",
            expected=expected,
            got=device,
        )
    if device == "cpu":
        return named[0]  # found out without loading any library
    faults = {row: fault(row) for row in named}
    if usable := [row for row, why in faults.items() if why is None]:
        return usable[0]
    reasons = ". ".join(f"{row.engine}: {why}. It needs: {row.get}" for row, why in faults.items())
    here = ", ".join(dict.fromkeys(available()))
    raise MissingDevice(
        f"there is no device {device!r} here. {reasons}. There are: {here} (seesay doctor lists them)", device=device
    )


def available(engine: str = "auto") -> list[str]:
    """Names of the devices that can be used here, of one engine or of all."""
    return [row.name for row in DEVICES if engine in ("auto", row.engine) and fault(row) is None]


def fault(device: Device) -> str | None:
    """Why a device cannot be used here; None where it can. ONNX Runtime's providers are tried with a graph of one node."""
    if find_spec({"onnx": "onnxruntime"}.get(device.engine, device.engine)) is None:
        return f"{device.engine} is not installed"
    return _FAULTS[device.engine](device)


def _onnx_fault(device: Device) -> str | None:
    provider, onnxruntime = device.provider or CPU, runtime()
    if provider.name not in onnxruntime.get_available_providers():
        return f"this onnxruntime has no {provider.name}"
    try:
        provider.open(onnxruntime, _one_node(), onnxruntime.SessionOptions())
    except MissingDevice as error:
        return str(error)
    return None


def _torch_fault(device: Device) -> str | None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an old driver's; the answer is no
        usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return None if usable[device.name] else f"torch {torch.__version__} finds no {device.name}"


def _openvino_fault(device: Device) -> str | None:
    from seesay.engines.openvino import runtime as openvino

    try:
        openvino()
    except (ImportError, OSError) as error:  # a library of this system is missing, or too old
        return f"openvino cannot be loaded: {error}"
    return None


_FAULTS: dict[str, Callable[[Device], str | None]] = {"onnx": _onnx_fault, "torch": _torch_fault, "openvino": _openvino_fault}


def _check(parameter: str, value: str, names: tuple[str, ...]) -> None:
    if value not in ("auto", *names):
        expected = ", ".join(("auto", *names))
        raise InputError(f"{parameter} is one of {expected}; got {value!r}", parameter=parameter, expected=expected, got=value)


def _one_node() -> bytes:
    """An ONNX graph y = Relu(x) of one number (onnx.proto)."""
    one = sized_field(2, sized_field(1, varint(1 << 3 | VARINT) + varint(1)))  # a shape of one dimension, 1
    kind = sized_field(2, sized_field(1, varint(1 << 3 | VARINT) + varint(1) + one))  # float32
    node = sized_field(1, sized_field(1, b"x") + sized_field(2, b"y") + sized_field(4, b"Relu"))
    ends = sized_field(11, sized_field(1, b"x") + kind) + sized_field(12, sized_field(1, b"y") + kind)
    graph = sized_field(7, node + sized_field(2, b"one") + ends)
    return varint(1 << 3 | VARINT) + varint(10) + graph + sized_field(8, varint(2 << 3 | VARINT) + varint(20))
