"""timm's towers against OpenCLIP: two exported models here, all kinds of towers where OpenCLIP and timm are installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import seesay
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import CheckpointError, MissingExtra
from tests.parity.fixtures import pixels
from tests.parity.test_checkpoints import UNIT, unit
from tests.parity.timm_towers import MODELS, STORABLE, STORED, compare, original, save, small

live = pytest.mark.skipif(
    not all(importlib.util.find_spec(library) for library in ("timm", "open_clip")), reason="needs open_clip and timm"
)


@pytest.mark.parametrize("name", STORABLE)
def test_an_exported_model_gives_open_clips_numbers(name: str) -> None:
    model, wanted = seesay.load(STORED / name), np.load(STORED / name / "expected.npz")
    images = pixels(MODELS[name][1])
    assert np.abs(model.encode_pixels(images) - unit(wanted["image"])).max() <= UNIT
    assert np.abs(model.encode_tokens(wanted["ids"]) - unit(wanted["text"])).max() <= UNIT
    assert model.engine.encode_dense(images).shape == (3, 2, 2, 24)


def test_an_exported_model_needs_neither_torch_nor_timm() -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(('torch', 'timm', 'onnx')));"
    picture = "numpy.zeros((9, 9, 3), numpy.uint8)"
    run = f"import numpy, seesay; print(seesay.load({str(STORED / 'convnext')!r}).encode_image({picture}).shape)"
    done = subprocess.run([sys.executable, "-c", blocked + run], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 24)", done.stderr


def test_without_timm_its_tower_is_not_run_in_torch() -> None:
    if importlib.util.find_spec("timm"):
        pytest.skip("timm is installed")
    with pytest.raises(MissingExtra, match=r"pip install 'seesay\[timm\]'"):
        seesay.load(STORED / "convnext", engine="torch")


@live
def test_missing_and_left_over_tensors_are_named(tmp_path: Path) -> None:
    with small():
        model = original("convnext")
        save(tmp_path, "convnext", model)
        state = load_file(tmp_path / "open_clip_model.safetensors")
        state["visual.trunk.stages.9.extra.weight"] = state.pop("visual.trunk.stem.0.weight")
        save_file(state, tmp_path / "open_clip_model.safetensors")
        with pytest.raises(CheckpointError, match=r"(?s)missing: image.trunk.stem.0.weight.*left over: .*stages.9.extra"):
            open_checkpoint(tmp_path).model()
        (tmp_path / "open_clip_config.json").unlink()
        with pytest.raises(CheckpointError, match="which of timm's towers.*architecture=NAME"):
            open_checkpoint(tmp_path)


@live
@pytest.mark.parametrize("name", MODELS)
def test_a_tower_and_its_graph_give_open_clips_numbers(name: str) -> None:
    assert max(compare(name).values()) <= UNIT
