"""EVA-CLIP's checkpoints: what describes them, and what is said about those that cannot be right."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import seesay
from seesay.checkpoints.containers.weights import TensorInfo, Weights
from seesay.checkpoints.convert import convert, convert_to
from seesay.checkpoints.formats import eva_clip
from seesay.checkpoints.formats.eva_clip import FORMAT, SIZES, TEXT_RULE, Size
from seesay.checkpoints.formats.eva_trunk import MODELS
from seesay.checkpoints.formats.format import ForeignModel
from seesay.checkpoints.formats.writing import foreign_state
from seesay.checkpoints.hub.catalog import architecture, catalog
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import preset
from seesay.checkpoints.reader import open_checkpoint, read_checkpoint
from seesay.errors import CheckpointError
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig
from seesay.models.families.eva.config import EvaConfig
from seesay.tokenizers import SPECS
from tests.parity.by_name import Meta
from tests.parity.test_checkpoints import DATA, UNIT, open_fixture, unit

State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))


def copied(place: Path, name: str, change: Callable[[State], object] = lambda state: None, **vision: Any) -> Path:
    """A fixture of the authors' kind with its tensors changed in place, and with other settings; returns its file."""
    shutil.copytree(DATA / name, place, ignore=shutil.ignore_patterns("expected.npz", "facts.json"))
    saved = torch.load(place / "model.pt", weights_only=True)
    state = saved if "text.logit_scale" in saved else next(iter(saved.values()))
    change(state)
    torch.save(state, place / "model.pt")
    config = json.loads((place / "EVA-tiny.json").read_text())
    config["vision_cfg"] |= vision
    (place / "EVA-tiny.json").write_text(json.dumps(config))
    return place / "model.pt"


def without(*parts: str) -> Callable[[State], object]:
    """Takes every tensor away whose name has one of these parts."""

    def change(state: State) -> None:
        for name in [name for name in state if any(part in name for part in parts)]:
            del state[name]

    return change


def test_rotary_positions_need_not_be_stored(tmp_path: Path) -> None:
    checkpoint, expected = open_fixture("eva-clip-02")
    assert "image.rotation.cos" in checkpoint.account.origins
    bare = open_checkpoint(copied(tmp_path / "bare", "eva-clip-02", without("rope")))
    assert "image.rotation.cos" not in bare.account.origins
    model = bare.model()
    assert model.config.space_id == checkpoint.model().config.space_id
    with torch.no_grad():
        found = unit(model.image(torch.from_numpy(expected["pixels"])))
    assert np.abs(found - unit(expected["image"])).max() <= UNIT


@pytest.mark.parametrize("name", ["eva-clip-02", "eva-clip-post-norm", "eva-clip-8b", "open-clip-eva-02"])
def test_it_is_loaded_and_runs_as_graphs(name: str, tmp_path: Path) -> None:
    checkpoint, expected = open_fixture(name)
    convert(checkpoint, tmp_path / "made")
    model = seesay.load(tmp_path / "made")
    assert np.abs(model.encode_pixels(expected["pixels"]) - unit(expected["image"])).max() <= UNIT
    assert model.engine.encode_dense(expected["pixels"]).shape == (3, 4, 4, 24)


@pytest.mark.parametrize("name", ["eva-clip-02", "open-clip-eva-post-norm", "eva-clip-8b"])
@pytest.mark.parametrize("storage", ["int8", "int8-rows", "float16"])
def test_quantized_graphs_are_near_and_torch_reads_them(name: str, storage: Any, tmp_path: Path) -> None:
    """Tiny towers feel the rounding most."""
    checkpoint, expected = open_fixture(name)
    convert(checkpoint, tmp_path / "made", storage)
    reference = unit(expected["image"])
    for engine in ("onnx", "torch"):
        found = seesay.load(tmp_path / "made", engine=engine).encode_pixels(expected["pixels"])
        assert (found * reference).sum(axis=1).min() > 0.995, engine


@pytest.mark.parametrize("name", [name for name in catalog().architectures if name.startswith("EVA")])
def test_a_published_file_of_the_authors_needs_no_configuration(name: str) -> None:
    """Names and shapes of the full size."""
    towers = architecture(name)
    config = ModelConfig(
        1, name, towers.dim, towers.image, towers.text, None, None, 0.0, None, "softmax", {}, (), "none", (), "0" * 32
    )
    with torch.device("meta"):
        state = Clip(config).state_dict()
    names = foreign_state(state, ForeignModel("", FORMAT.table(()), {}))
    entries = {name: TensorInfo(tuple(tensor.shape), "float16") for name, tensor in names.items()}
    checkpoint = read_checkpoint(Path("model.pt"), Weights(Path("/nowhere/model.pt"), "torch file", Meta(entries)), Overrides())
    d = checkpoint.description
    assert (d.dim, d.image, d.text) == (towers.dim, towers.image, towers.text)
    assert (d.tokenizer, d.tokenizer_spec) == ("open_clip", SPECS["open_clip"])
    assert d.image is not None
    assert d.image_spec == preset("openai", d.image.image_px)
    checkpoint.check_towers()


def test_a_size_that_nobody_published_is_not_guessed(tmp_path: Path) -> None:
    file = copied(tmp_path / "eva", "eva-clip-02")
    (file.parent / "EVA-tiny.json").unlink()
    with pytest.raises(CheckpointError, match=r"(?s)no image tower of width 32 with 2 layers.*EVA\.\.\.\.json, beside"):
        open_checkpoint(file)
    assert inspect(file).format == "EVA-CLIP, original"
    with pytest.raises(CheckpointError, match="12 layers in the image tower, the weights have 2"):
        open_checkpoint(file, Overrides(architecture="EVA02-B-16"))


PLAIN = {"rope": False, "naiveswiglu": False, "subln": False}
WRONG: tuple[tuple[str, str, Callable[[State], object], dict[str, Any], str], ...] = (
    ("no rotary positions said, some stored", "eva-clip-02", without(), {"rope": False}, r"left over: visual\.rope\.freqs_cos"),
    ("heads of another width", "eva-clip-02", without(), {"head_width": 16}, r"2 heads of 16 features.*\(16, 8\).*heads of 8"),
    (
        "EVA-02 said, EVA-01 stored",
        "eva-clip-01",
        without(),
        {"naiveswiglu": True, "subln": True},
        r"missing: image\.blocks\.0\.",
    ),
    ("EVA-01 said, EVA-02 stored", "eva-clip-02", without(), PLAIN, r"left over: visual\.blocks\.0\.attn\.inner_attn_ln"),
    ("a bias of queries missing", "eva-clip-02", without("q_bias"), {}, r"missing: image\.blocks\.0\.attention\.query\.bias"),
    (
        "biases said, none stored",
        "eva-clip-8b",
        without(),
        {"qkv_bias": True},
        r"missing: image\.blocks\.0\.attention\.query\.bias",
    ),
    ("layer norm said, RMS norm stored", "eva-clip-8b", without(), {"use_rms_norm": False}, r"missing: .*norm1\.bias"),
    ("no head", "eva-clip-01", without("visual.head"), {}, r"missing: image\.projection\.weight"),
    ("no last norm", "eva-clip-02", without("visual.norm"), {}, r"missing: image\.norm_after\.weight"),
    ("another depth", "eva-clip-post-norm", without(), {"layers": 3}, "3 layers in the image tower, the weights have 2"),
    ("another width", "eva-clip-post-norm", without(), {"width": 64}, r"visual\.cls_token: shape \(32,\), expected \(64,\)"),
    ("heads that do not fit", "eva-clip-post-norm", without(), {"head_width": 10}, "heads that divide the width of 32, got 3"),
    ("too wide a head", "eva-clip-post-norm", without(), {"head_width": 64}, "expected heads at least 1, got 0"),
    (
        "another grid of rotary positions",
        "eva-clip-02",
        without(),
        {"intp_freq": False},
        "intp_freq: rotary positions of a grid of 16",
    ),
    ("mean pooling", "eva-clip-01", without(), {"global_average_pool": True}, "global_average_pool = True: EVA-CLIP takes"),
    ("an unknown setting", "eva-clip-01", without(), {"window": 7}, "vision_cfg.window: unknown key"),
    ("another model's setting", "eva-clip-01", without(), {"eva_model_name": None}, "eva_model_name: expected a name"),
    ("an MLP without end", "eva-clip-01", without(), {"mlp_ratio": 1e308}, "mlp_ratio: expected a number up to 100"),
    ("a side that is no number", "eva-clip-01", without(), {"image_size": "big"}, "vision_cfg.image_size: expected pixels"),
)


@pytest.mark.parametrize(("name", "fixture", "change", "vision", "message"), WRONG, ids=[name for name, *_ in WRONG])
def test_what_does_not_fit_is_named(
    name: str, fixture: str, change: Callable[[State], object], vision: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = copied(tmp_path / "eva", fixture, change, **vision)
    with pytest.raises(CheckpointError, match=f"(?s){message}"):
        open_checkpoint(file).check_towers()


def test_one_configuration_is_enough(tmp_path: Path) -> None:
    file = copied(tmp_path / "eva", "eva-clip-02")
    shutil.copy(file.parent / "EVA-tiny.json", file.parent / "EVA02-CLIP-B-16.json")
    with pytest.raises(CheckpointError, match=r"several configurations, EVA-tiny\.json, EVA02-CLIP-B-16\.json"):
        open_checkpoint(file)


def test_a_scale_in_the_text_tower_wins_as_in_the_authors_loader(tmp_path: Path) -> None:
    def both(state: State) -> None:
        state["logit_scale"] = torch.tensor(9.0)

    file = copied(tmp_path / "eva", "eva-clip-post-norm", both)
    reference = open_fixture("eva-clip-post-norm")[0].model().config.logit_scale
    assert open_checkpoint(file).model().config.logit_scale == reference


def test_an_image_tower_alone_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def image_only(state: State) -> None:
        for name in [name for name in state if not name.startswith("visual.")]:
            del state[name]

    file = copied(tmp_path / "eva", "eva-clip-02", image_only)
    (file.parent / "EVA-tiny.json").unlink()
    monkeypatch.setitem(SIZES, (32, 2), Size(8))
    with pytest.raises(CheckpointError, match="image tower without its text tower"):
        open_checkpoint(file)


def test_the_rules_for_a_published_size_read_what_its_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, (32, 2), Size(8))
    monkeypatch.setattr(eva_clip, "TEXT_RULE", replace(TEXT_RULE, text_head_width=8))
    file = copied(tmp_path / "eva", "eva-clip-02")
    described = open_checkpoint(file).description
    (file.parent / "EVA-tiny.json").unlink()
    ruled = open_checkpoint(file).description
    assert (ruled.image, ruled.text, ruled.image_spec) == (described.image, described.text, described.image_spec)
    for change, message in (
        (lambda state: state.update({"visual.rope.freqs_cos": torch.ones(16, 4)}), "4 heads of 8 .* of heads of 4"),
        (without("mlp.w1"), r"left over: visual\.rope\.freqs_cos"),
    ):
        shutil.rmtree(tmp_path / "eva")
        file = copied(tmp_path / "eva", "eva-clip-02", change)
        (file.parent / "EVA-tiny.json").unlink()
        with pytest.raises(CheckpointError, match=f"(?s){message}"):
            open_checkpoint(file).check_towers()


@pytest.mark.parametrize("name", ["open-clip-eva-01", "open-clip-eva-02", "open-clip-eva-post-norm"])
def test_it_is_written_as_open_clip_has_it(name: str, tmp_path: Path) -> None:
    """The same tensors under the same names, and a configuration that says the same."""
    checkpoint, _ = open_fixture(name)
    assert isinstance(checkpoint.description.image, EvaConfig)
    original = json.loads((DATA / name / "open_clip_config.json").read_text())["model_cfg"]
    with patch.dict(MODELS, {original["vision_cfg"]["timm_model_name"]: checkpoint.description.image}):
        convert_to(checkpoint, tmp_path / "made", "open_clip")
        again = open_checkpoint(tmp_path / "made")
        assert again.model().config.space_id == checkpoint.model().config.space_id
    made = json.loads((tmp_path / "made" / "open_clip_config.json").read_text())["model_cfg"]
    assert (made["vision_cfg"], made["custom_text"]) == (original["vision_cfg"], True)
    stored, written = (load_file(folder / "open_clip_model.safetensors") for folder in (DATA / name, tmp_path / "made"))
    assert {key: value.shape for key, value in stored.items()} == {key: value.shape for key, value in written.items()}


def test_another_library_is_told_what_it_cannot_express(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="its image tower is eva"):  # layer scale, which no tower of timm's names has
        convert_to(open_fixture("eva-clip-layer-scale")[0], tmp_path / "made", "open_clip")
    with pytest.raises(CheckpointError, match="cannot express this model exactly"):
        convert_to(open_fixture("open-clip-eva-02")[0], tmp_path / "made", "transformers")


TINY = {
    "eva02_base_patch16_clip_224": EvaConfig("eva", 32, 8, 32, 2, 4, 85, "swiglu", 16, inner_norm=True),
    "eva_giant_patch14_224": EvaConfig("eva", 32, 8, 32, 2, 4, 85, "gelu", None, inner_norm=False),
}
WRONG_TRUNKS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"image_size": 48}, r"image_size: expected 32, as the tower's name says, got 48"),
    ({"timm_pool": "avg"}, r"timm_pool: 'avg' is not one of 'token'"),
    ({"timm_proj": "linear"}, r"timm_proj: 'linear' is not one of None"),
    ({"timm_window": 7}, r"timm_window: unknown key"),
    ({"timm_model_name": "eva_giant_patch14_224"}, r"left over: visual\.trunk\.blocks\.0\.attn\.norm\.weight"),
)


@pytest.mark.parametrize(("vision", "message"), WRONG_TRUNKS)
def test_open_clips_settings_are_checked(vision: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "eva"
    shutil.copytree(DATA / "open-clip-eva-02", folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"] |= vision
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with patch.dict(MODELS, TINY), pytest.raises(CheckpointError, match=f"(?s){message}"):
        open_checkpoint(folder).check_towers()


def test_open_clips_weights_may_lack_a_bias_only_by_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "eva"
    shutil.copytree(DATA / "open-clip-eva-02", folder)
    state = load_file(folder / "open_clip_model.safetensors")
    del state["visual.trunk.blocks.1.attn.q_proj.bias"]
    save_file(state, folder / "open_clip_model.safetensors")
    with patch.dict(MODELS, TINY), pytest.raises(CheckpointError, match=r"missing: image\.blocks\.1\.attention\.query\.bias"):
        open_checkpoint(folder).check_towers()
