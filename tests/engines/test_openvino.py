"""OpenVINO as an engine: equal to ONNX Runtime, cached, safe in threads, and silent towards its makers."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

import seesay
from seesay.checkpoints.containers.graph_weights import read_weights
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.engines import OnnxEngine, agreement
from seesay.engines.openvino import OpenVinoEngine, runtime
from seesay.errors import InputError, ModelError
from seesay.model import Model
from seesay.models.graphs import image_graph, text_graph
from seesay.models.vectors import normalize
from seesay.system.cache import cache_dir

TEXTS = ["a", "a photo of a dog on grass", "word " * 60, "Two people walk along a beach at sunset, café in the back."]


@pytest.fixture(scope="module")
def full_precision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in float32, both towers with its own weights."""
    folder, model = tmp_path_factory.mktemp("float32"), seesay.load()
    assert model.config.image is not None
    assert model.config.text is not None
    onnx.save(
        image_graph(model.config.image, model.dim, read_weights(BUNDLED / "image.onnx"), "float32"), folder / "image.onnx"
    )
    onnx.save(text_graph(model.config.text, model.dim, read_weights(BUNDLED / "text.onnx"), "float32"), folder / "text.onnx")
    config = (BUNDLED / "config.json").read_text(encoding="utf-8").replace('"int8"', '"float32"')
    (folder / "config.json").write_text(config, encoding="utf-8")
    shutil.copy(BUNDLED / "tokenizer.json", folder)
    return folder


def test_float32_is_float32(full_precision: Path, photos: list[Path]) -> None:
    """OpenVINO's own choice on processors with bfloat16 units is to round to 8 bits of mantissa: 1e-3 and more."""
    ours, theirs = seesay.load(full_precision, engine="openvino"), seesay.load(full_precision)
    assert ours.build_id == "openvino/float32+float32/exact"
    np.testing.assert_allclose(ours.encode_image(photos[:9]), theirs.encode_image(photos[:9]), atol=1e-5)
    np.testing.assert_allclose(ours.encode_text(TEXTS), theirs.encode_text(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.encode_dense(photos[:2]), theirs.encode_dense(photos[:2]), atol=1e-5)


def test_eight_bits_are_as_near_to_float32_as_onnxruntimes(full_precision: Path, bundled: Model, photos: list[Path]) -> None:
    quantized, exact = seesay.load(engine="openvino"), seesay.load(full_precision)
    for vectors, others, true in (
        (quantized.encode_image(photos[:8]), bundled.encode_image(photos[:8]), exact.encode_image(photos[:8])),
        (quantized.encode_text(TEXTS), bundled.encode_text(TEXTS), exact.encode_text(TEXTS)),
    ):
        assert np.abs(vectors - others).max() < agreement.QUANTIZED
        assert (1 - (vectors * true).sum(axis=1)).mean() < 1.3 * (1 - (others * true).sum(axis=1)).mean()


def test_a_vector_does_not_depend_on_its_batch_mates(bundled: Model, photos: list[Path]) -> None:
    model = seesay.load(engine="openvino")
    noise = np.random.default_rng(1).uniform(-100, 100, (2, 3, 280, 280)).astype(np.float32)
    pixels = np.concatenate([bundled.preprocess(photos[:3]), noise])
    alone = np.concatenate([model.encode_pixels(p[None]) for p in pixels])
    np.testing.assert_allclose(model.encode_pixels(pixels), alone, atol=1e-5)
    alone = np.concatenate([model.encode_text(text) for text in TEXTS])
    np.testing.assert_allclose(model.encode_text(TEXTS), alone, atol=1e-5)


@pytest.mark.parametrize("concurrent_runs", [1, 2])
def test_threads_get_their_own_vectors(bundled: Model, concurrent_runs: int) -> None:
    engine = OpenVinoEngine(BUNDLED, threads=2).sharing(concurrent_runs)
    assert engine.concurrent_runs == concurrent_runs
    texts = [bundled.tokenize(f"the number {number}") for number in range(40)]
    expected = [engine.encode_tokens(ids) for ids in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(engine.encode_tokens, texts))
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=1e-6)
    assert len({vector.tobytes() for vector in normalize(np.concatenate(expected))}) == 40


def test_a_result_is_not_overwritten_by_the_next_run(bundled: Model) -> None:
    engine = OpenVinoEngine(BUNDLED)
    first = engine.encode_tokens(bundled.tokenize("a horse"))
    before = first.copy()
    engine.encode_tokens(bundled.tokenize("a ship"))
    np.testing.assert_array_equal(first, before)
    assert not np.array_equal(engine.encode_tokens(bundled.tokenize("a ship")), before)


def test_inputs_may_have_any_layout(bundled: Model) -> None:
    engine = OpenVinoEngine(BUNDLED)
    ids = bundled.tokenize(TEXTS[:2])
    np.testing.assert_array_equal(engine.encode_tokens(np.asfortranarray(ids)), engine.encode_tokens(ids))
    np.testing.assert_array_equal(engine.encode_tokens(np.repeat(ids, 2, axis=0)[::2]), engine.encode_tokens(ids))


def test_what_was_compiled_is_cached_until_a_file_of_the_folder_changes(tmp_path: Path, bundled: Model) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    ids = bundled.tokenize("a horse")
    first = OpenVinoEngine(folder).encode_tokens(ids)
    (blob,) = (cache_dir() / "compiled").rglob("*.blob")
    again = OpenVinoEngine(folder)
    np.testing.assert_array_equal(again.encode_tokens(ids), first)
    assert again._towers["text", "embedding"]._compiled.get_property("LOADED_FROM_CACHE")
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:1000])  # as a killed run might leave it
    np.testing.assert_array_equal(OpenVinoEngine(folder).encode_tokens(ids), first)
    weights = read_weights(BUNDLED / "text.onnx")
    weights["projection.weight"] = -weights["projection.weight"]
    assert bundled.config.text is not None
    onnx.save(text_graph(bundled.config.text, bundled.dim, weights, "int8"), folder / "text.onnx")
    changed = OpenVinoEngine(folder).encode_tokens(ids)
    assert float(normalize(changed)[0] @ normalize(first)[0]) < 0
    assert len(list((cache_dir() / "compiled").glob("*/*"))) == 1  # of the files as they were, nothing is left


def test_a_cache_that_cannot_be_written_is_done_without(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the place of a folder")
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "file"))
    assert np.isfinite(OpenVinoEngine(BUNDLED).encode_tokens(bundled.tokenize("a horse"))).all()


def test_bad_folders_and_inputs_are_explained(tmp_path: Path, bundled: Model) -> None:
    with pytest.raises(ModelError, match=r"has no text\.onnx"):
        OpenVinoEngine(tmp_path).encode_tokens(np.zeros((1, 3), dtype=np.int64))
    (tmp_path / "text.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="is not a graph that can be read"):
        OpenVinoEngine(tmp_path).encode_tokens(np.zeros((1, 3), dtype=np.int64))
    with pytest.raises(ModelError, match=r"text\.onnx cannot be run with \(3,\) int64: .*incompatible"):
        OpenVinoEngine(BUNDLED).encode_tokens(np.zeros(3, dtype=np.int64))
    with pytest.raises(InputError, match="threads: expected at least 1, got 0"):
        seesay.load(engine="openvino", threads=0)


def test_a_preloaded_tower_is_opened_once(bundled: Model) -> None:
    engine = OpenVinoEngine(BUNDLED)
    for _ in range(3):
        engine.preload("text")
    engine.encode_tokens(bundled.tokenize("a horse"))
    assert list(engine._towers) == [("text", "embedding")]


def test_openvino_reports_nothing_to_anybody(tmp_path: Path) -> None:
    """Imported as its documentation says, it writes an identity into ~/intel and sends an event, unless it is in CI."""
    code = """
import sys
from seesay.engines.openvino import runtime
runtime().Core()
assert "openvino_telemetry" not in sys.modules
assert "openvino.tools.ovc.telemetry_stub" in sys.modules
"""
    ci = ("CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS")
    environment = {name: value for name, value in os.environ.items() if name not in ci} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []


def test_the_library_is_the_one_that_python_imports() -> None:
    import openvino

    assert runtime() is openvino


def test_onnxruntime_and_openvino_agree_on_the_sample_inputs(bundled: Model) -> None:
    found = {
        tower: agreement.difference(
            agreement.sample_vectors(bundled.config, tower, OpenVinoEngine(BUNDLED)),
            agreement.sample_vectors(bundled.config, tower, OnnxEngine(BUNDLED)),
        )
        for tower in ("image", "text")
    }
    assert 0 < max(found.values()) < agreement.QUANTIZED
