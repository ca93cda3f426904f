"""Checkpoints of models that find things: what is wrong with them is said, and they are not taken for encoders."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import seesay
from seesay.checkpoints.convert import convert, convert_to
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.compat.hf import CLIPModel
from seesay.errors import CheckpointError, MissingCapability
from seesay.finders import Finder, load_detector
from seesay.models.config import read_config
from seesay.system.cache import cache_dir
from seesay.tokenizers import vocabulary
from tests.finders import finder_folder, rewrite
from tests.hub_server import HubServer

FIXTURES = ("hf-owl-vit-4", "hf-owl-vit-5", "hf-owl-v2-4", "hf-owl-v2-5", "hf-clipseg-4", "hf-clipseg-fine-5")


@pytest.mark.parametrize("fixture", FIXTURES)
def test_a_finder_is_named_and_is_no_encoder(fixture: str, tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, fixture)
    finds, command = ("boxes", "detect") if "owl" in fixture else ("masks", "segment")
    inspection = inspect(folder)
    assert (inspection.finds, inspection.unknown, inspection.faults) == (finds, None, None)
    assert inspection.tokenizer == "beside the weights"
    for engine in ("onnx", "torch"):
        with pytest.raises(
            MissingCapability, match=rf"finds {finds}; .*no space to search.*seesay {command} --model {fixture}"
        ):
            seesay.load(folder, engine=engine)
    with pytest.raises(MissingCapability, match=f"finds {finds}"):
        CLIPModel.from_pretrained(folder)
    assert not list((cache_dir() / "models").glob("*/config.json"))  # refused before the work


@pytest.mark.parametrize(
    ("fixture", "head"), [("hf-owl-vit-5", "box_head."), ("hf-owl-v2-5", "objectness_head."), ("hf-clipseg-5", "decoder.")]
)
def test_missing_heads_and_left_over_tensors_are_named(fixture: str, head: str, tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, fixture)

    def beheaded(state: dict[str, Any]) -> None:
        gone = [name for name in sorted(state) if name.startswith(head)][:10]
        state["box_head.dense9.weight"] = state[gone[0]]
        for name in gone:
            del state[name]

    rewrite(folder, beheaded)
    native = {"box_head.": "image.heads.box.first.weight", "objectness_head.": "image.heads.objectness.first.weight"}
    missing = native.get(head, "image.decoder.add.weight")
    with pytest.raises(CheckpointError, match=rf"(?s)missing: {missing}.*left over: box_head.dense9.weight"):
        open_checkpoint(folder).model()
    assert "missing: image." in str(inspect(folder).faults)


@pytest.mark.parametrize("fixture", ["hf-owl-vit-5", "hf-clipseg-5"])
def test_without_heads_it_is_refused_by_name(fixture: str, tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, fixture)
    state = load_file(folder / "model.safetensors")
    prefix = "owlvit." if "owl" in fixture else "clip."
    save_file(
        {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}, folder / "model.safetensors"
    )
    with pytest.raises(CheckpointError, match="without its (heads|decoder)"):
        open_checkpoint(folder)


@pytest.mark.parametrize("fixture", ["hf-owl-v2-5", "hf-clipseg-5"])
def test_another_models_tokenizer_is_refused(fixture: str, tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, fixture)
    (folder / "tokenizer.json").write_bytes(vocabulary("chinese_clip"))
    with pytest.raises(
        CheckpointError, match=r"(?s)the tokenizer there belongs to another model.*trained with \[49406, 49407\]"
    ):
        load_detector(folder, engine="torch")


@pytest.mark.parametrize(
    ("fixture", "changes", "message"),
    [
        ("hf-owl-vit-5", {"projection_dim": 20}, "projection_dim: 20 differs from the 24 of text_config.hidden_size"),
        ("hf-owl-vit-5", {"model_type": "owlv2"}, "missing: image.heads.objectness"),
        ("hf-clipseg-5", {"extract_layers": [0, 7]}, r"blocks of the decoder below 2, got \(0, 7\)"),
        ("hf-clipseg-5", {"extract_layers": "all"}, "extract_layers: expected numbers of layers"),
        ("hf-clipseg-5", {"decoder_num_attention_heads": 5}, "heads that divide"),
        ("hf-clipseg-5", {"use_complex_transposed_convolution": True}, "patches of 16 pixels"),
        ("hf-clipseg-5", {"conditional_layer": 3}, "conditional_layer"),
        ("hf-clipseg-fine-5", {"use_complex_transposed_convolution": False}, "left over|shape"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_told(
    fixture: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = finder_folder(tmp_path, fixture)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder).model()


@pytest.mark.parametrize(
    ("fixture", "settings", "resize"),
    [
        ("hf-owl-vit-5", {"size": 32, "crop_size": 32, "rescale": True}, "squash"),
        ("hf-owl-vit-5", {"size": [32, 32], "do_center_crop": False}, "squash"),
        ("hf-owl-v2-5", {"size": {"height": 32, "width": 32}, "do_pad": True}, "corner"),
        ("hf-clipseg-5", {"size": 48, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}, "squash"),
    ],
)
def test_older_image_processors_are_read(fixture: str, settings: dict[str, Any], resize: str, tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, fixture)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    spec = open_checkpoint(folder).description.image_spec
    assert spec is not None
    side = 48 if "clipseg" in fixture else 32
    assert (spec.resize, spec.size_px, spec.interpolation) == (
        resize,
        side,
        "bicubic" if fixture == "hf-owl-vit-5" else "bilinear",
    )
    if "image_mean" in settings:
        assert spec.mean == (0.485, 0.456, 0.406)


def test_pictures_that_are_not_padded_are_refused_for_owlv2(tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, "hf-owl-v2-5")
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": 32, "do_pad": False}))
    with pytest.raises(CheckpointError, match="do_pad = False: OWLv2's boxes are relative to padded pictures"):
        open_checkpoint(folder)


def test_clipsegs_positions_fit_any_side_of_whole_patches(tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, "hf-clipseg-5")
    for side, fits in ((56, True), (32, True), (50, False)):
        (folder / "preprocessor_config.json").write_text(json.dumps({"size": side}))
        if fits:
            assert open_checkpoint(folder).model().config.image.grid == side // 8  # type: ignore[union-attr]
        else:
            with pytest.raises(CheckpointError, match="whole patches of 8 pixels, got 50"):
                open_checkpoint(folder)


@pytest.mark.parametrize("fixture", ["hf-owl-v2-5", "hf-clipseg-fine-5"])
def test_a_converted_folder_runs_without_torch(fixture: str, tmp_path: Path) -> None:
    folder = tmp_path / "converted"
    conversion = convert(open_checkpoint(finder_folder(tmp_path, fixture)), folder)
    finds = "boxes" if "owl" in fixture else "masks"
    assert conversion.differences[finds] < 1e-5
    assert read_config(folder).image.finds == finds  # type: ignore[union-attr]
    assert inspect(folder).finds == finds
    blocked = "import sys; sys.modules.update(dict.fromkeys(('torch', 'safetensors', 'onnx', 'scipy')));"
    run = (
        f"import numpy, seesay; from seesay.finders import Finder; m = Finder(seesay.load({str(folder)!r}, encodes=False));"
        "p = numpy.arange(30 * 20 * 3, dtype='uint8').reshape(30, 20, 3); q = m.encode_text(['a', 'b c']);"
        + ("print(m.find_regions(p)[0].logits(q).shape)" if finds == "boxes" else "print(m.find_masks(p, q).shape)")
    )
    done = subprocess.run([sys.executable, "-c", blocked + run], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ("(16, 2)" if finds == "boxes" else "(1, 2, 32, 32)"), done.stderr
    with pytest.raises(MissingCapability, match=f"finds {finds}"):
        seesay.load(folder)


@pytest.mark.parametrize("target", ["transformers", "open_clip"])
def test_no_other_format_is_written_of_a_finder(target: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="its image tower finds boxes"):
        convert_to(open_checkpoint(finder_folder(tmp_path, "hf-owl-vit-5")), tmp_path / "out", target)


def test_a_preset_of_the_caller_stands_but_boxes_need_whole_pictures(tmp_path: Path) -> None:
    folder = finder_folder(tmp_path, "hf-owl-vit-5")
    assert open_checkpoint(folder, Overrides(preprocessing="siglip")).description.image_spec.resize == "squash"  # type: ignore[union-attr]


def test_a_finder_on_a_hub_opens_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as hub:
        hub.add("google/owlvit-base-patch32", finder_folder(tmp_path, "hf-owl-vit-4"))
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "SEESAY_CACHE": str(tmp_path / "cache")}
        run = (
            "from seesay.finders import load_detector; from PIL import Image;"
            "d = load_detector('hf:google/owlvit-base-patch32');"
            "print(type(d).__name__, len(d.detect(Image.new('RGB', (40, 30), 'red'), ['a cat', 'a dog'])) > 0)"
        )
        import os

        done = subprocess.run(
            [sys.executable, "-c", run], capture_output=True, text=True, check=False, env={**os.environ, **environment}
        )
        assert done.stdout.strip() == "RegionDetector True", done.stderr


@pytest.mark.parametrize("fixture", ["hf-owl-v2-5", "hf-clipseg-fine-5"])
@pytest.mark.parametrize("storage", ["int8", "int8-rows"])
def test_a_folder_of_8_bits_finds_nearly_the_same(fixture: str, storage: Any, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(finder_folder(tmp_path, fixture))
    conversion = convert(checkpoint, tmp_path / "narrow", storage)
    assert 0 < conversion.differences["boxes" if "owl" in fixture else "masks"] < 0.2
    assert Finder(seesay.load(tmp_path / "narrow", encodes=False)).encode_text(["a cat"]).shape == (1, 24)
