"""Devices that are asked for: found, refused with what to do, and never the CPU in their place."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import seesay
from seesay.checkpoints.containers.graph_weights import read_weights
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.engines import OnnxEngine, agreement
from seesay.engines.devices import DEVICES, ENGINES, NAMES, available, choose, fault
from seesay.engines.fake import FakeEngine
from seesay.engines.onnx import runtime
from seesay.engines.provider import CPU, Provider
from seesay.errors import InputError, MissingDevice, ModelError
from seesay.model import Model
from seesay.models.graphs import text_graph
from seesay.models.samples import sample_ids, sample_pixels
from seesay.system.cache import cache_dir

# In onnxruntime's own wheels, and runs no node of any of our graphs: as CUDA would where nothing of a graph suits it.
AZURE = Provider("azure", "AzureExecutionProvider")


@pytest.mark.parametrize(
    ("engine", "device", "found"),
    [
        ("auto", "cpu", ("onnx", "cpu")),
        ("onnx", "cpu", ("onnx", "cpu")),
        ("torch", "cpu", ("torch", "cpu")),
        ("openvino", "cpu", ("openvino", "openvino")),
        ("openvino", "auto", ("openvino", "openvino")),
        ("auto", "openvino", ("openvino", "openvino")),
    ],
)
def test_what_is_asked_for_is_what_is_chosen(engine: str, device: str, found: tuple[str, str]) -> None:
    chosen = choose(engine, device)
    assert (chosen.engine, chosen.name) == found


def test_auto_takes_what_is_here() -> None:
    assert choose("auto", "auto").name in available("onnx")
    assert choose("torch", "auto").name in available("torch")


def test_a_device_that_is_not_here_is_an_error_that_says_how_to_get_it() -> None:
    missing = [device for device in DEVICES if fault(device) is not None]
    assert missing, "a machine with every device there is"
    for device in missing:
        if device.name in available():
            continue  # another engine has it
        with pytest.raises(MissingDevice) as raised:
            seesay.load(engine=device.engine, device=device.name)  # type: ignore[arg-type]
        message = str(raised.value)
        assert raised.value.device == device.name
        assert f"there is no device {device.name!r} here" in message
        assert device.get in message
        assert "There are: cpu" in message
        assert not Path(cache_dir() / "agreement").exists()


def test_every_device_of_every_engine_has_a_name_that_can_be_asked_for() -> None:
    assert {device.name for device in DEVICES} == set(NAMES)
    assert {device.engine for device in DEVICES} == set(ENGINES)
    for engine in ("onnx", "torch"):  # the last one that "auto" tries
        assert [device.name for device in DEVICES if device.engine == engine and device.automatic][-1] == "cpu"


def test_names_that_there_are_not_are_errors() -> None:
    with pytest.raises(InputError, match="engine is one of auto, onnx, openvino, torch; got 'tensorrt'"):
        seesay.load(engine="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="device is one of auto, cpu, cuda, .*; got 'gpu'"):
        seesay.load(device="gpu")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the onnx engine does not run on 'mps', but on cuda, directml, coreml, cpu, openvino"):
        seesay.load(engine="onnx", device="mps")
    with pytest.raises(InputError, match="the torch engine does not run on 'openvino', but on cuda, mps, cpu"):
        seesay.load(engine="torch", device="openvino")


def test_a_provider_that_cannot_start_is_an_error_and_not_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime itself warns, opens the graph on the CPU, and lists only the CPU afterwards."""
    provider = Provider("cuda", "CUDAExecutionProvider")
    if provider.name in runtime().get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(MissingDevice, match="cannot start it: its libraries or its hardware are missing"),
    ):
        OnnxEngine(BUNDLED, provider=provider).encode_tokens(np.array([[101, 102]]))


def test_a_provider_that_leaves_all_products_to_the_cpu_is_an_error() -> None:
    engine = OnnxEngine(BUNDLED, provider=AZURE)
    assert engine.name == "onnx-azure"
    with pytest.raises(MissingDevice, match="AzureExecutionProvider runs only 0 of the graph's 49 products"):
        engine.encode_tokens(np.array([[101, 102]]))
    assert engine.sharing(2) is engine


def test_the_cpu_itself_is_neither_compared_nor_counted(bundled: Model) -> None:
    assert OnnxEngine(BUNDLED, provider=CPU).name == "onnx"
    bundled.encode_text("a horse")
    assert not (cache_dir() / "agreement").exists()


def test_agreement_is_compared_once_and_cached_for_these_files_and_this_version(tmp_path: Path, bundled: Model) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    engine, calls = OnnxEngine(folder), 0

    class Counted(OnnxEngine):
        def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
            nonlocal calls
            calls += 1
            return super().encode_tokens(ids)

    for version in ("1", "1", "2"):
        assert agreement.confirm(folder, bundled.config, "text", Counted(folder), engine, version=version, limit=1e-6) == 0.0
    batches = len(sample_ids(bundled.config.text, np.random.default_rng(0)))  # type: ignore[arg-type]
    assert calls == 2 * batches
    records = [json.loads(file.read_text()) for file in (cache_dir() / "agreement").iterdir()]
    assert sorted(record["where"] for record in records) == ["onnx 1", "onnx 2"]
    (folder / "text.onnx").touch()
    agreement.confirm(folder, bundled.config, "text", Counted(folder), engine, version="1", limit=1e-6)
    assert calls == 3 * batches


def test_a_damaged_record_is_compared_again(bundled: Model) -> None:
    engine = OnnxEngine(BUNDLED)
    agreement.confirm(BUNDLED, bundled.config, "text", engine, engine, version="1", limit=1e-6)
    (record,) = (cache_dir() / "agreement").iterdir()
    for content in ("", "{}", '{"difference": null}', '{"difference": 7}', '{"difference": NaN}'):
        record.write_text(content)
        assert agreement.confirm(BUNDLED, bundled.config, "text", engine, engine, version="1", limit=1e-6) == 0.0
        assert json.loads(record.read_text())["difference"] == 0.0


def test_vectors_beyond_the_tolerance_are_refused_and_not_remembered(tmp_path: Path, bundled: Model) -> None:
    """Another model's graph, in the place of a device that computes wrongly."""
    assert bundled.config.text is not None
    weights = read_weights(BUNDLED / "text.onnx")
    weights["blocks.3.mlp.up.weight"] = 1.2 * weights["blocks.3.mlp.up.weight"]
    onnx.save(text_graph(bundled.config.text, bundled.dim, weights, "int8"), tmp_path / "text.onnx")
    other, engine = OnnxEngine(tmp_path), OnnxEngine(BUNDLED)
    for _ in range(2):
        with pytest.raises(
            ModelError, match=r"the text vectors of 'bundled' on onnx 1 differ from the CPU's by .*more than 3e-02"
        ):
            agreement.confirm(
                BUNDLED,
                bundled.config,
                "text",
                other,
                engine,
                version="1",
                limit=agreement.tolerance(bundled.config, "text", half=False),
            )
    assert not (cache_dir() / "agreement").exists()


def test_vectors_that_are_not_finite_are_refused(bundled: Model) -> None:
    class Broken(FakeEngine):
        def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
            return np.full((len(ids), 512), np.nan, dtype=np.float32)

    with pytest.raises(ModelError, match="differ from the CPU's by nan"):
        agreement.confirm(BUNDLED, bundled.config, "text", Broken(), OnnxEngine(BUNDLED), version="1", limit=0.03)


def test_tolerances_follow_what_computes_and_how_weights_are_stored(bundled: Model) -> None:
    from dataclasses import replace

    full = replace(bundled.config, precision={"image": "float32", "text": "float16"})
    assert agreement.tolerance(bundled.config, "image", half=False) == agreement.QUANTIZED
    assert agreement.tolerance(full, "image", half=False) == agreement.tolerance(full, "text", half=False) == agreement.EXACT
    assert agreement.tolerance(full, "image", half=True) == agreement.HALF
    assert agreement.EXACT < agreement.HALF < agreement.QUANTIZED


def test_sample_pixels_differ_and_fill_any_size() -> None:
    for px in (30, 32, 224):
        pixels = sample_pixels(px, np.random.default_rng(0))
        assert pixels.shape == (3, 3, px, px)
        assert pixels.dtype == np.float32
        assert len({picture.tobytes() for picture in pixels}) == 3
        assert np.abs(pixels).max() < 7


def test_torch_is_compared_when_it_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's device `meta` holds no numbers at all: a move to it must fail, and not give vectors."""
    model = seesay.load(engine="torch")
    from seesay.engines.torch import TorchEngine

    assert isinstance(model.engine, TorchEngine)
    assert model.engine.name == "torch"
    with pytest.raises(NotImplementedError, match="meta"):
        TorchEngine(model.engine.clip, "meta")
    assert torch.device("meta").type not in NAMES
