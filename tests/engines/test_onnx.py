"""The bundled graphs against a slow numpy reference, the engine's contract, and bad model folders."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import seesay
from seesay.checkpoints.containers.graph_weights import read_weights
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.engines import OnnxEngine
from seesay.engines.fake import FakeEngine
from seesay.engines.graph_file import structure
from seesay.engines.onnx import runtime
from seesay.engines.openvino import OpenVinoEngine
from seesay.engines.protocol import Engine
from seesay.errors import ModelError
from seesay.model import Model
from seesay.models.graphs import image_graph, text_graph
from seesay.models.vectors import normalize
from tests.engines import reference

TEXTS = ["a", "a photo of a dog on grass", "word " * 60, "Two people walk along a beach at sunset, café in the back."]


def random_pixels(count: int, px: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 3, px, px)).astype(np.float32)


def test_image_tower_equals_the_numpy_reference(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    """The structure exactly, on its own weights in float32; then the stored graph by cosine."""
    weights = read_weights(BUNDLED / "image.onnx")
    pixels = bundled.preprocess(photos[3])
    embedding, dense = reference.image_embedding(weights, pixels[0], bundled.config.image.stages)
    onnx.save(image_graph(bundled.config.image, bundled.dim, weights, "float32"), tmp_path / "image.onnx")
    full_precision = OnnxEngine(tmp_path)
    np.testing.assert_allclose(normalize(full_precision.encode_pixels(pixels)[0]), normalize(embedding), atol=1e-5)
    np.testing.assert_allclose(full_precision.encode_dense(pixels)[0], dense, rtol=1e-4, atol=1e-4)
    assert float(normalize(embedding) @ bundled.encode_pixels(pixels)[0]) > 0.97
    assert (normalize(dense) * normalize(bundled.engine.encode_dense(pixels)[0])).sum(axis=-1).mean() > 0.95


def test_text_tower_equals_the_numpy_reference(bundled: Model, tmp_path: Path) -> None:
    """The structure exactly, on its own weights in float32; then the stored graph, whose activations are 8-bit, by cosine."""
    weights = read_weights(BUNDLED / "text.onnx")
    onnx.save(text_graph(bundled.config.text, bundled.dim, weights, "float32"), tmp_path / "text.onnx")
    full_precision = OnnxEngine(tmp_path)
    for text in TEXTS:
        ids, config = bundled.tokenize(text), bundled.config.text
        expected = reference.text_embedding(weights, ids[0].tolist(), config.heads, config.depth, config.gate)
        np.testing.assert_allclose(full_precision.encode_tokens(ids)[0], expected, atol=1e-5)
        assert float(normalize(expected) @ bundled.encode_text(text)[0]) > 0.999


@pytest.mark.parametrize("tower", ["image", "text"])
def test_weights_left_in_the_file_give_the_same_to_the_bit(bundled: Model, tower: str) -> None:
    file = BUNDLED / f"{tower}.onnx"
    graph = structure(file)
    assert graph is not None
    assert len(graph) < file.stat().st_size / 3
    options = runtime().SessionOptions()
    options.log_severity_level = 3
    whole = runtime().InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    if tower == "image":
        inputs = random_pixels(2, bundled.image_spec.size_px)
        np.testing.assert_array_equal(bundled.engine.encode_pixels(inputs), whole.run(["embedding"], {"pixels": inputs})[0])
    else:
        inputs = bundled.tokenize(TEXTS)
        np.testing.assert_array_equal(bundled.engine.encode_tokens(inputs), whole.run(["embedding"], {"input_ids": inputs})[0])


def test_what_has_no_large_weights_or_is_no_graph_is_opened_as_it_is(bundled: Model, tmp_path: Path) -> None:
    weights = read_weights(BUNDLED / "text.onnx")
    full_precision = text_graph(bundled.config.text, bundled.dim, weights, "float32")
    onnx.save(full_precision, tmp_path / "float32.onnx")
    onnx.save(full_precision, tmp_path / "outside.onnx", save_as_external_data=True, location="weights", size_threshold=1024)
    content = (BUNDLED / "text.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    (tmp_path / "words.onnx").write_text("no graph at all")
    for name in ("float32", "outside", "cut", "words"):
        assert structure(tmp_path / f"{name}.onnx") is None, name


def test_a_linked_graph_is_opened_as_a_hub_keeps_it(bundled: Model, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").symlink_to(BUNDLED / "text.onnx")
    ids = bundled.tokenize(TEXTS)
    np.testing.assert_array_equal(OnnxEngine(tmp_path).encode_tokens(ids), bundled.engine.encode_tokens(ids))


def test_what_is_expected_is_opened_once_and_its_faults_reach_whoever_needs_it(tmp_path: Path) -> None:
    model = seesay.load()
    assert isinstance(model.engine, OnnxEngine)
    for _ in range(3):
        model.preload_text()
    vectors = model.encode_text(TEXTS)
    assert list(model.engine._sessions) == ["text"]
    np.testing.assert_array_equal(vectors, seesay.load().encode_text(TEXTS))
    broken = OnnxEngine(tmp_path)
    broken.preload("text")
    with pytest.raises(ModelError, match=r"has no text\.onnx"):
        broken.encode_tokens(np.zeros((1, 3), dtype=np.int64))
    seesay.fake_model().preload_text()


def test_every_weight_of_the_graphs_is_reachable_by_name(bundled: Model) -> None:
    image, text = read_weights(BUNDLED / "image.onnx"), read_weights(BUNDLED / "text.onnx")
    assert image["class_embedding"].shape == (1000, bundled.dim)
    assert text["embeddings.word.weight"].shape == (bundled.config.text.vocabulary, bundled.config.text.width)
    assert sum(w.size for w in image.values()) > 6_000_000
    assert sum(w.size for w in text.values()) > 22_000_000


def test_a_vector_does_not_depend_on_its_batch_mates(bundled: Model, photos: list[Path]) -> None:
    """The tolerance stated on the card, with batch-mates as different as can be (weights are narrow, activations are not)."""
    tolerance = bundled.card.batch_tolerance
    pixels = np.concatenate([bundled.preprocess(photos[:3]), 100 * random_pixels(2, bundled.image_spec.size_px)])
    alone = np.concatenate([bundled.encode_pixels(p[None]) for p in pixels])
    np.testing.assert_allclose(bundled.encode_pixels(pixels), alone, atol=tolerance)
    alone = np.concatenate([bundled.encode_text(text) for text in TEXTS])
    np.testing.assert_allclose(bundled.encode_text(TEXTS), alone, atol=tolerance)


@pytest.mark.parametrize(
    "engine", [FakeEngine(16), OnnxEngine(BUNDLED), OpenVinoEngine(BUNDLED)], ids=["fake", "onnx", "openvino"]
)
def test_engine_contract(engine: Engine) -> None:
    config = seesay.load().config
    px, dim = (32, 16) if engine.name == "fake" else (config.image.image_px, config.dim)
    pixels, ids = random_pixels(2, px), np.array([[101, 1037, 102, 0], [101, 3899, 2006, 102]])
    for out, shape in (
        (engine.encode_pixels(pixels), (2, dim)),
        (engine.encode_tokens(ids), (2, dim)),
    ):
        assert out.shape == shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
    dense = engine.encode_dense(pixels)
    assert dense.ndim == 4
    assert dense.dtype == np.float32
    assert (dense.shape[0], dense.shape[3]) == (2, dim)
    assert {"image", "text", "dense"} <= engine.capabilities


def test_dense_features_find_the_thing_where_it_is(bundled: Model, photos: list[Path]) -> None:
    """A photo beside white: the cells of its half lie nearer to the photo's own vector than the white ones."""
    from PIL import Image

    side = bundled.image_spec.size_px
    photo = Image.open(photos[3]).convert("RGB").resize((side // 2, side))
    canvas = Image.new("RGB", (side, side), "white")
    canvas.paste(photo, (side // 2, 0))
    dense = bundled.encode_dense(canvas)[0]
    near = dense @ bundled.encode_image(photo)[0]
    assert near[:, 6:].mean() > near[:, :3].mean() + 0.05


def test_onnxruntime_reports_nothing_to_anybody() -> None:
    code = "import os, seesay; seesay.load().encode_text('a'); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"


def folder_without(tmp_path: Path, *missing: str) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(BUNDLED, folder)
    for name in missing:
        (folder / name).unlink()
    return folder


def test_model_folder_works_from_anywhere(tmp_path: Path, bundled: Model) -> None:
    model = seesay.load(folder_without(tmp_path))
    np.testing.assert_array_equal(model.encode_text("a cat"), bundled.encode_text("a cat"))
    assert model.space_id == bundled.space_id


def test_bad_model_folders_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model 'nonsense': it is neither in the catalogue"):
        seesay.load("nonsense")
    with pytest.raises(ModelError, match="has no weights that SeeSay reads"):
        seesay.load(tmp_path)
    folder = folder_without(tmp_path, "text.onnx", "tokenizer.json")
    model = seesay.load(folder)
    with pytest.raises(ModelError, match="came without its vocabulary and encodes no text"):
        model.encode_text("a cat")
    shutil.copy(BUNDLED / "tokenizer.json", folder)
    with pytest.raises(ModelError, match="has no text.onnx"):
        seesay.load(folder).encode_text("a cat")
    (folder / "text.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="is not a graph that can be read"):
        seesay.load(folder).encode_text("a cat")
    (folder / "config.json").write_text('{"format_version": 2}')
    with pytest.raises(ModelError, match="format_version: expected one of 1, got 2"):
        seesay.load(folder)
