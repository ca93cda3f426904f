"""Checkpoints through `seesay.load`: prepared once, cached, opened without torch; and back into torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import seesay
from seesay.checkpoints.convert import Storage, convert
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import CheckpointError, InputError, MissingCapability, ModelError
from seesay.model import Model
from seesay.tokenizers import vocabulary
from tests.parity.test_checkpoints import DATA, UNIT, open_fixture, unit

ARCHIVE = DATA / "openai-vit-archive" / "model.pt"
BARE = {"activation": "gelu", "image_heads": 4, "text_heads": 3, "preprocessing": "openai"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tower_inputs(name: str) -> dict[str, np.ndarray]:
    return open_fixture(name)[1]


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("name", ["openai-vit-archive/model.pt", "hf-clip-4", "open-clip-resnet", "hf-chinese-clip-5"])
def test_load_gives_the_originals_vectors(name: str, engine: str) -> None:
    model = seesay.load(DATA / name, engine=engine)
    expected = tower_inputs(name.split("/")[0])
    assert np.abs(model.encode_pixels(expected["pixels"]) - unit(expected["image"])).max() <= UNIT
    assert np.abs(unit(model.engine.encode_tokens(expected["ids"])) - unit(expected["text"])).max() <= UNIT
    assert model.encode_dense(np.zeros((40, 40, 3), dtype=np.uint8)).shape[-1] == model.dim


def test_what_a_file_leaves_open_is_passed_to_load() -> None:
    file = DATA / "open-clip-training" / "epoch_2.pt"
    with pytest.raises(CheckpointError, match="Pass activation="):
        seesay.load(file)
    expected = tower_inputs("open-clip-training")
    model = seesay.load(file, **BARE)
    assert np.abs(model.encode_pixels(expected["pixels"]) - unit(expected["image"])).max() <= UNIT
    with pytest.raises(InputError, match=r"does not know activations; .* activation, "):
        seesay.load(file, activations="gelu")


def test_the_cache_is_used_and_follows_the_file(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "model.pt"
    shutil.copy(ARCHIVE, file)
    first = seesay.load(file)
    assert first.folder is not None
    assert first.folder.parent == cache / "models"
    again = seesay.load(file)
    assert (again.folder, again.space_id) == (first.folder, first.space_id)
    other = seesay.load(file, activation="gelu")
    assert other.folder != first.folder
    assert other.space_id != first.space_id
    file.touch()
    assert seesay.load(file).folder != first.folder
    assert not list((cache / "models").glob("*.part-*"))


def test_a_prepared_checkpoint_opens_without_torch(cache: Path) -> None:
    seesay.load(ARCHIVE)
    code = f"""
import sys
import seesay, numpy as np
model = seesay.load({str(ARCHIVE)!r})
model.encode_pixels(np.zeros((1, 3, 32, 32), dtype=np.float32))
assert not {{"torch", "onnx", "safetensors"}} & sys.modules.keys(), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failed_preparation_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(DATA / "hf-clip-5", folder)
    state = load_file(folder / "model.safetensors")
    save_file({name: tensor for name, tensor in state.items() if "post_layernorm" not in name}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"missing: image\.norm_after"):
        seesay.load(folder)
    assert not [path for path in (cache / "models").iterdir() if path.is_dir()]


def test_one_tower_alone() -> None:
    texts = seesay.load(DATA / "hf-text-projection-5")
    with pytest.raises(MissingCapability, match="encodes texts only"):
        texts.encode_image(np.zeros((8, 8, 3), dtype=np.uint8))
    pictures = seesay.load(DATA / "hf-vision-projection-4")
    assert pictures.encode_image(np.zeros((8, 8, 3), dtype=np.uint8)).shape == (1, 24)
    with pytest.raises(MissingCapability, match="encodes pictures only"):
        pictures.encode_text("a dog")


def test_bundled_model_in_torch(bundled: Model, photos: list[Path]) -> None:
    """Its graphs hold the only copy of its weights. They round activations to 8 bits, torch does not."""
    model = seesay.load(engine="torch")
    assert model.space_id == bundled.space_id
    assert (model.encode_image(photos[:20]) * bundled.encode_image(photos[:20])).sum(axis=1).min() > 0.97
    assert (model.encode_dense(photos[0]) * bundled.encode_dense(photos[0])).sum(axis=-1).mean() > 0.95
    texts = ["a dog on grass", "two people at the sea in the evening"]
    assert (model.encode_text(texts) * bundled.encode_text(texts)).sum(axis=1).min() > 0.999


def test_convert_writes_a_folder_that_stands_alone(tmp_path: Path) -> None:
    shutil.copy(DATA / "cn-clip-vit" / "model.pt", tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(vocabulary("chinese_clip"))
    conversion = convert(open_checkpoint(tmp_path / "model.pt"), tmp_path / "made")
    assert {file.name for file in conversion.folder.iterdir()} == {
        "config.json",
        "image.onnx",
        "model.safetensors",
        "text.onnx",
        "tokenizer.json",
    }
    converted = seesay.load(tmp_path / "made")
    source = seesay.load(DATA / "cn-clip-vit" / "model.pt")
    assert converted.space_id == source.space_id
    assert converted.folder == tmp_path / "made"
    with pytest.raises(InputError, match="exists already"):
        convert(open_checkpoint(DATA / "cn-clip-vit" / "model.pt"), tmp_path / "made")
    for graph in ("image.onnx", "text.onnx"):  # as a trainer leaves it: the weights, and no graphs
        (tmp_path / "made" / graph).unlink()
    again = seesay.load(tmp_path / "made")
    assert again.space_id == source.space_id
    pixels = tower_inputs("cn-clip-vit")["pixels"]
    np.testing.assert_allclose(again.encode_pixels(pixels), source.encode_pixels(pixels), atol=UNIT)


@pytest.mark.parametrize("storage", ["int8", "int8-rows"])
def test_int8_keeps_the_space_and_most_of_the_direction(tmp_path: Path, storage: Storage) -> None:
    conversion = convert(open_checkpoint(DATA / "cn-clip-vit" / "model.pt"), tmp_path / "made", storage)
    converted, expected = seesay.load(tmp_path / "made"), tower_inputs("cn-clip-vit")
    assert converted.build_id == f"onnx/{storage}+{storage}/exact"
    assert converted.space_id == open_checkpoint(DATA / "cn-clip-vit" / "model.pt").model().config.space_id
    cosines = (converted.encode_pixels(expected["pixels"]) * unit(expected["image"])).sum(axis=1)
    assert 0.99 < cosines.min() < 0.999999
    assert conversion.differences["image"] > UNIT
    # No vector depends on what shares its batch.
    pixels, ids = expected["pixels"], expected["ids"]
    loud = np.concatenate([pixels[:1], 40 * pixels[1:]])
    np.testing.assert_allclose(converted.encode_pixels(loud)[0], converted.encode_pixels(pixels[:1])[0], atol=1e-6)
    np.testing.assert_allclose(
        converted.engine.encode_tokens(ids)[1], converted.engine.encode_tokens(ids[1:2])[0], rtol=1e-5, atol=1e-6
    )
    # And torch reads the very weights that the graphs use.
    reread = seesay.load(tmp_path / "made", engine="torch")
    assert (reread.encode_pixels(pixels) * converted.encode_pixels(pixels)).sum(axis=1).min() > 0.999


def test_a_configuration_that_is_not_one(tmp_path: Path) -> None:
    shutil.copytree(BUNDLED, tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps([1]))
    with pytest.raises(ModelError, match="expected an object, got list"):
        seesay.load(tmp_path / "model")


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError, match="SEESAY_CACHE names another place"):
        seesay.load(ARCHIVE)


def test_what_is_written_can_be_read_by_whoever_may_read_the_folder(tmp_path: Path) -> None:
    converted = convert(open_checkpoint(ARCHIVE), tmp_path / "made").folder
    assert {file.stat().st_mode & 0o666 for file in converted.iterdir()} == {converted.stat().st_mode & 0o666}
