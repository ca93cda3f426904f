"""LoRA adapters on disk: written, read, merged into the model that they were trained on, and refused by any other."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import seesay
from seesay.checkpoints.adapters import adapted, read_adapter, write_adapter
from seesay.checkpoints.convert import convert
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import CheckpointError, InputError, ModelError
from seesay.models.clip import Clip
from seesay.models.layers.lora import LoraConfig, add_lora, changes_in
from tests.parity.test_checkpoints import DATA, open_fixture, unit

VIT = DATA / "hf-clip-4"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))


def trained(source: Path, folder: Path, *, rank: int = 2, text_rank: int = 2) -> Clip:
    """A model with random changes, written as an adapter into `folder`."""
    clip = open_checkpoint(source).model()
    base = clip.config
    torch.manual_seed(rank)
    add_lora(clip.image, LoraConfig(rank=rank, alpha=4))
    add_lora(clip.text, LoraConfig(rank=text_rank, alpha=6, targets=("attention", "mlp")))
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if name.endswith("lora_up"):
                parameter.normal_(std=0.3)
    changes = changes_in(clip.state_dict(), {"image": 4 / rank, "text": 6 / text_rank})
    write_adapter(folder, changes, base, dropout=0.1)
    return clip


@pytest.mark.parametrize("name", ["hf-clip-4", "hf-chinese-clip-5", "eva-clip-02", "open-clip-native"])
def test_an_adapter_gives_the_vectors_of_the_trained_model(name: str, tmp_path: Path) -> None:
    inputs = open_fixture(name)[1]
    clip = trained(DATA / name, tmp_path / "adapter", rank=3)
    with torch.no_grad():
        image, text = clip.image(torch.from_numpy(inputs["pixels"])), clip.text(torch.from_numpy(inputs["ids"]))
    model = seesay.load(DATA / name, adapter=tmp_path / "adapter")
    assert np.abs(model.encode_pixels(inputs["pixels"]) - unit(image)).max() <= 1e-5
    assert np.abs(model.encode_tokens(inputs["ids"]) - unit(text)).max() <= 1e-5


def test_names_are_those_of_transformers_where_it_has_the_model(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter", rank=3)
    names = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert names["base_model.model.vision_model.encoder.layers.1.self_attn.q_proj.lora_A.weight"].shape == (3, 32)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (2, 6, 0.1)
    assert config["rank_pattern"]["vision_model.encoder.layers.0.self_attn.out_proj"] == 3
    assert config["alpha_pattern"]["vision_model.encoder.layers.0.self_attn.out_proj"] == 4
    assert "text_model.encoder.layers.0.mlp.fc1" in config["target_modules"]
    trained(DATA / "eva-clip-02", tmp_path / "own")
    assert "base_model.model.image.blocks.0.attention.query.lora_A.weight" in load_file(
        tmp_path / "own" / "adapter_model.safetensors"
    )


def test_the_base_may_have_another_format_of_the_same_space(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    convert(open_checkpoint(VIT), tmp_path / "folder")
    vectors = [
        seesay.load(base, adapter=tmp_path / "adapter").encode_pixels(open_fixture("hf-clip-4")[1]["pixels"])
        for base in (VIT, tmp_path / "folder")
    ]
    assert np.abs(vectors[0] - vectors[1]).max() <= 1e-6


def test_the_result_is_a_model_of_its_own(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "one")
    trained(VIT, tmp_path / "two", rank=4)
    plain, one, two = (seesay.load(VIT, adapter=adapter) for adapter in (None, tmp_path / "one", tmp_path / "two"))
    assert len({plain.space_id, one.space_id, two.space_id}) == 3
    assert one.name == "hf-clip-4+one"
    assert one.config.provenance[-1].package.startswith("LoRA, merged by seesay")
    assert one.folder is not None
    assert seesay.load(VIT, adapter=tmp_path / "one").folder == one.folder
    assert seesay.load(VIT, adapter=tmp_path / "one", engine="torch").space_id == one.space_id


def test_torch_merges_an_adapter_without_graphs(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    pixels = open_fixture("hf-clip-4")[1]["pixels"]
    in_torch = seesay.load(VIT, adapter=tmp_path / "adapter", engine="torch")
    assert not list((tmp_path / "cache").rglob("*.onnx"))
    by_graphs = seesay.load(VIT, adapter=tmp_path / "adapter")
    assert in_torch.space_id == by_graphs.space_id
    assert np.abs(in_torch.encode_pixels(pixels) - by_graphs.encode_pixels(pixels)).max() <= 1e-5


def test_a_prepared_adapter_opens_without_torch(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    seesay.load(VIT, adapter=tmp_path / "adapter")
    code = (
        f"import sys, seesay; seesay.load({str(VIT)!r}, adapter={str(tmp_path / 'adapter')!r})\n"
        "assert not {'torch', 'onnx'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_adapter_of_another_base_is_refused_by_its_space(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    for file in VIT.iterdir():
        if file.suffix == ".json":
            (other_folder / file.name).write_bytes(file.read_bytes())
    state = load_file(VIT / "model.safetensors")
    save_file({name: tensor + 0.01 for name, tensor in state.items()}, other_folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"was trained on 'hf-clip-4', space \w+; 'other' is space \w+\. Load it beside"):
        seesay.load(other_folder, adapter=tmp_path / "adapter")


def test_layers_that_the_model_lacks_are_named(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    forget_space(tmp_path / "adapter")
    with pytest.raises(CheckpointError, match="'open-clip-resnet', which has no such layers: text_model"):
        adapted(open_checkpoint(DATA / "open-clip-resnet"), tmp_path / "adapter")


def test_changes_of_other_shapes_are_refused(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    rewrite(tmp_path / "adapter", lambda name, tensor: tensor[:, :8] if name.endswith("lora_A.weight") else tensor)
    with pytest.raises(
        CheckpointError, match=r"does not fit 'hf-clip-4': .*: expected a change of a weight \(48, 24\), got one of \(48, 8\)"
    ):
        seesay.load(VIT, adapter=tmp_path / "adapter")


def test_fused_layers_become_their_parts(tmp_path: Path) -> None:
    """A change of timm's fused qkv, as peft makes it on OpenCLIP's towers, is one of query, key and value with one `down`."""
    checkpoint, _ = open_fixture("open-clip-siglip")
    layer = "visual.trunk.blocks.0.attn.qkv"
    before = checkpoint.model().state_dict()
    width = before["image.blocks.0.attention.query.weight"].shape[0]
    torch.manual_seed(0)
    down, up = torch.randn(2, width), torch.randn(3 * width, 2)
    tensors = {f"base_model.model.{layer}.lora_A.weight": down, f"base_model.model.{layer}.lora_B.weight": up}
    (tmp_path / "adapter").mkdir()
    save_file(tensors, tmp_path / "adapter" / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 3}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    after = adapted(checkpoint, tmp_path / "adapter").state_dict()
    parts = [f"image.blocks.0.attention.{part}.weight" for part in ("query", "key", "value")]
    assert {name for name in after if not torch.equal(after[name], before[name])} == set(parts)
    change = torch.cat([after[name] - before[name] for name in parts])
    np.testing.assert_allclose(change, 1.5 * up @ down, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_rslora", True),
        ("use_dora", True),
        ("bias", "all"),
        ("modules_to_save", ["visual_projection"]),
        ("init_lora_weights", "pissa"),
        ("alpha_pattern", {"layers.[01].*": 3}),
    ],
)
def test_more_than_plain_lora_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    configure(tmp_path / "adapter", key, value)
    with pytest.raises(CheckpointError, match=f"is more than plain LoRA: .*{key}"):
        read_adapter(tmp_path / "adapter")


def test_damaged_adapters_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    with pytest.raises(CheckpointError, match="is no LoRA adapter: expected adapter_config.json"):
        read_adapter(tmp_path)
    trained(VIT, folder)
    configure(folder, "lora_alpha", "many")
    with pytest.raises(CheckpointError, match="expected a number as lora_alpha, got 'many'"):
        read_adapter(folder)
    configure(folder, "lora_alpha", 4)
    configure(folder, "peft_type", "IA3")
    with pytest.raises(CheckpointError, match="expected the peft_type LORA, got 'IA3'"):
        read_adapter(folder)
    configure(folder, "peft_type", "LORA")
    rewrite(folder, lambda name, tensor: None if name.endswith("q_proj.lora_B.weight") else tensor)
    with pytest.raises(CheckpointError, match=r"without a partner: .*q_proj"):
        read_adapter(folder)
    (folder / "adapter_model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(CheckpointError):
        read_adapter(folder)
    (folder / "adapter_config.json").write_text("[1]")
    with pytest.raises(ModelError):
        read_adapter(folder)


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    trained(VIT, tmp_path / "adapter")
    with pytest.raises(ModelError, match="is a LoRA adapter, no model; load it beside"):
        seesay.load(tmp_path / "adapter")


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        trained(VIT, tmp_path)


def configure(folder: Path, key: str, value: Any) -> None:
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {key: value}))


def rewrite(folder: Path, change: Any) -> None:
    """Changes each tensor, or leaves it out."""
    tensors = load_file(folder / "adapter_model.safetensors")
    changed = {name: change(name, tensor) for name, tensor in tensors.items()}
    kept = {name: tensor.contiguous() for name, tensor in changed.items() if tensor is not None}
    save_file(kept, folder / "adapter_model.safetensors", {"format": "pt"})


def forget_space(folder: Path) -> None:
    rewrite(folder, lambda name, tensor: tensor)
