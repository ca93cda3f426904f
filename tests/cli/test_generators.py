"""models inspect of image generators: their text encoders, what these come from, and what else is in the file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seesay.checkpoints.convert import convert_to
from seesay.checkpoints.diffusion import originals
from seesay.checkpoints.hub.catalog import Architecture, Catalog, catalog, find
from seesay.checkpoints.hub.url import cache_name, cached_file
from seesay.checkpoints.reader import open_checkpoint
from tests import generator_files as files
from tests.cli.conftest import Run
from tests.generation.pipelines import ip_adapter
from tests.parity.test_checkpoints import DATA

State = dict[str, torch.Tensor]
UP = torch.zeros(8, 4)
SAFETY = {"safety_checker.concept_embeds": torch.zeros(17, 8)}
ARCHIVE = DATA / "openai-vit-archive" / "model.pt"


@pytest.fixture(scope="module")
def state() -> State:
    return files.random_state(64, 2, 49408)


def test_every_part_of_a_generator_is_named(run: Run, tmp_path: Path, state: State) -> None:
    file = files.write({**files.sd1(state), **SAFETY}, tmp_path / "sd.safetensors", torch.float16)
    result = run("models", "inspect", file)
    assert (result.code, result.err) == (0, "")
    for said in (
        "Stable Diffusion 1.x",
        "text_encoder: CLIP text tower, 2 layers, width 64, 1 head, quick_gelu, no projection, float16, filled up with id",
        "unknown: no published CLIP of this shape is on this machine",
        "denoiser       1 tensor, ",
        "VAE            1 tensor, 108 numbers, under 0.1 MB",
        "safety checker 1 tensor, 136 numbers, under 0.1 MB",
        "Every tensor of its text encoders is accounted for.",
    ):
        assert said in result.out
    without = run("models", "inspect", files.write(files.sd1(state), tmp_path / "less.safetensors")).out
    assert "safety checker not in it" in without


def test_an_original_that_is_not_here_is_named(run: Run, tmp_path: Path) -> None:
    file = files.write(files.random_state(768, 12, 49408), tmp_path / "clip_l.safetensors", torch.float16)
    # random_state has a narrower inner width than ViT-L/14, so the shape is not OpenAI's
    assert "known as a generator's" in run("models", "inspect", file).out


def test_two_encoders_and_json(run: Run, tmp_path: Path, state: State) -> None:
    second = files.random_state(128, 3, 100, projection=32)
    file = files.write(files.sdxl(state, second), tmp_path / "xl.safetensors")
    described = json.loads(run("models", "inspect", file, "--json").out)
    generator = described["generator"]
    assert (described["format"], generator["family"], described["faults"]) == ("Stable Diffusion XL", "sdxl", None)
    shown = [(e["name"], e["layers"], e["width"], e["heads"], e["activation"], e["projection"]) for e in generator["encoders"]]
    assert shown == [("text_encoder", 2, 64, 1, "quick_gelu", None), ("text_encoder_2", 3, 128, 2, "gelu", 32)]
    assert {part["kind"] for part in generator["parts"]} == {"denoiser", "vae", "text_encoder"}
    assert described["comparisons"] == []


def test_a_diffusers_folder_is_told_by_its_folders(run: Run, tmp_path: Path, state: State) -> None:
    config = files.text_config(state, activation="quick_gelu", heads=1)
    home = files.write_folder(
        tmp_path / "sd", "StableDiffusionPipeline", {"text_encoder": (state, config)}, "model.safetensors"
    )
    (home / "unet").mkdir()
    files.write(files.UNET, home / "unet" / "diffusion_pytorch_model.fp16.safetensors", torch.float16)
    result = run("models", "inspect", home)
    assert result.code == 0, result.err
    for said in ("folder of a generator", "Stable Diffusion 1.x", "denoiser       1 tensor, ", "VAE            not in it"):
        assert said in result.out


def test_t5_of_a_flux_folder_is_counted_and_left_out(run: Run, tmp_path: Path, state: State) -> None:
    config = files.text_config(state, activation="quick_gelu", heads=1)
    home = files.write_folder(tmp_path / "flux", "FluxPipeline", {"text_encoder": (state, config)}, "model.safetensors")
    index = json.loads((home / "model_index.json").read_text(encoding="utf-8"))
    index["text_encoder_2"] = ["transformers", "T5EncoderModel"]
    (home / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    (home / "text_encoder_2").mkdir()
    (home / "text_encoder_2" / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    files.write({"shared.weight": UP}, home / "text_encoder_2" / "model-00001-of-00001.safetensors")
    shards = {"weight_map": {"shared.weight": "model-00001-of-00001.safetensors"}}
    (home / "text_encoder_2" / "model.safetensors.index.json").write_text(json.dumps(shards), encoding="utf-8")
    generator = json.loads(run("models", "inspect", home, "--json").out)["generator"]
    assert (generator["family"], [encoder["name"] for encoder in generator["encoders"]]) == ("flux", ["text_encoder"])
    assert {part["kind"]: part["tensors"] for part in generator["parts"]} == {"text_encoder": 36, "other_encoder": 1}


def test_do_two_files_share_one_clip(run: Run, tmp_path: Path, state: State) -> None:
    first = files.write(files.sd1(state), tmp_path / "first.safetensors")
    half = files.write(files.merged_sd1(state), tmp_path / "half.safetensors", torch.float16)
    tuned = {n: t + 0.01 * t.roll(1, 0) if ".layers.1." in n else t for n, t in state.items()}
    other = files.write(files.sd1(tuned), tmp_path / "other.safetensors")
    result = run("models", "inspect", half, "--against", first, "--against", half, "--against", other)
    assert result.code == 0, result.err
    assert "equals first.safetensors stored in float16\n" in result.out
    assert "Do half.safetensors and first.safetensors share one CLIP? yes, but for the precision" in result.out
    assert "Do half.safetensors and half.safetensors share one CLIP? yes." in result.out
    assert "not other.safetensors, but from the same start" in result.out
    assert "over 200 prompts" in result.out
    assert "Do half.safetensors and other.safetensors share one CLIP? no." in result.out
    assert "fingerprint " in result.out
    against = ("--against", half, "--against", first, "--against", other)
    same, _, tuned_kin = json.loads(run("models", "inspect", first, *against, "--json").out)["comparisons"]
    assert (same["kinship"]["relation"], same["kinship"]["rounded_side"]) == ("rounded", "other")
    assert tuned_kin["kinship"]["relation"] == "fine-tuned"
    assert 0.9 < tuned_kin["kinship"]["cosine"] < 1


def test_the_same_numbers_with_another_activation_are_another_clip(run: Run, tmp_path: Path, state: State) -> None:
    homes = []
    for activation in ("quick_gelu", "gelu"):
        config = files.text_config(state, activation=activation, heads=1)
        encoders = {"text_encoder": (state, config)}
        homes.append(files.write_folder(tmp_path / activation, "StableDiffusionPipeline", encoders, "model.safetensors"))
    result = run("models", "inspect", homes[0], "--against", homes[1])
    assert "the same numbers as gelu, but another activation (quick_gelu, not gelu): other vectors" in result.out
    assert "the fingerprint is one of numbers" in result.out
    assert "share one CLIP? no;" in result.out
    found = json.loads(run("models", "inspect", homes[0], "--against", homes[1], "--json").out)["comparisons"][0]["kinship"]
    assert (found["relation"], found["unlike"]) == ("equal", {"activation": ["quick_gelu", "gelu"]})


def test_a_plain_clip_is_compared_with_a_generator(run: Run, tmp_path: Path) -> None:
    convert_to(open_checkpoint(ARCHIVE), tmp_path / "hf", "transformers")
    weights = load_file(tmp_path / "hf" / "model.safetensors")
    text = {name: tensor for name, tensor in weights.items() if name.startswith("text_model.")}
    file = files.write(files.sd1(text), tmp_path / "sd.safetensors")
    result = run("models", "inspect", ARCHIVE, "--against", file, "--text-heads", "2")
    assert result.code == 0, result.err
    assert "equals sd.safetensors, with projection of its own" in result.out


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> State:
    """openai/ViT-L-14 in the cache of this machine, at the size of a tiny archive; the tensors of its text tower."""
    described = open_checkpoint(ARCHIVE).description
    assert described.image is not None
    assert described.text is not None
    assert described.tokenizer_spec is not None
    entry = find("openai/ViT-L-14")
    assert entry is not None
    assert entry.source.url is not None
    tiny = Architecture(described.dim, described.image, described.text, "clip", described.tokenizer_spec)
    monkeypatch.setitem(catalog().architectures, entry.architecture, tiny)
    assert described.image_spec is not None
    here = Catalog(catalog().architectures, (replace(entry, preprocess=described.image_spec),))
    monkeypatch.setattr(originals, "catalog", lambda: here)
    monkeypatch.setitem(originals.ORIGINALS, (described.text.width, "quick_gelu"), entry.id)  # type: ignore[attr-defined]
    target = cached_file(cache_name(entry.source.url))
    target.parent.mkdir(parents=True)
    target.write_bytes(ARCHIVE.read_bytes())
    convert_to(open_checkpoint(ARCHIVE), tmp_path / "hf", "transformers")
    weights = load_file(tmp_path / "hf" / "model.safetensors")
    return {name: tensor for name, tensor in weights.items() if name.startswith("text_model.")}


def test_the_published_original_is_recognised_where_it_is_on_this_machine(run: Run, tmp_path: Path, published: State) -> None:
    file = files.write(files.sd1(published), tmp_path / "sd.safetensors")
    result = run("models", "inspect", file, "--text-heads", "2")
    assert result.code == 0, result.err
    assert "equals openai/ViT-L-14, without its projection" in result.out
    tuned = {name: tensor * 1.1 for name, tensor in published.items()}
    result = run("models", "inspect", files.write(files.sd1(tuned), tmp_path / "tuned.safetensors"), "--text-heads", "2")
    assert "fine-tuned from openai/ViT-L-14 (cosine of weights 1.0000; no tokenizer" in result.out
    draw = torch.Generator().manual_seed(4)
    other = {name: torch.randn(tensor.shape, generator=draw) for name, tensor in published.items()}
    result = run("models", "inspect", files.write(files.sd1(other), tmp_path / "other.safetensors"), "--text-heads", "2")
    assert "unknown: trained from another start than the published ones of this shape" in result.out
    assert "(openai/ViT-L-14)" in result.out


def test_an_original_by_name_is_only_compared_where_it_is_here(run: Run, tmp_path: Path, state: State) -> None:
    file = files.write(files.sd1(state), tmp_path / "sd.safetensors")
    result = run("models", "inspect", file, "--against", "ViT-L/14")
    assert result.code == 2
    assert "seesay models pull openai/ViT-L-14 gets it" in result.err
    result = run("models", "inspect", file, "--against", "nonsense")
    assert "neither a file or folder nor a model of the catalogue" in result.err


def test_an_ip_adapter_is_named(run: Run, tmp_path: Path) -> None:
    result = run("models", "inspect", ip_adapter(tmp_path) / "models" / "ip-adapter.safetensors")
    assert (result.code, result.err) == (0, "")
    assert "an IP-Adapter, by which a generator takes pictures; `seesay mix --for` makes what it takes" in result.out


LORA = {"lora_te_text_model_x.lora_up.weight": UP, "lora_te_text_model_x.lora_down.weight": UP.T}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (files.UNET, "has no text encoder"),
        (files.VAE, "the VAE alone"),
        (LORA, "it is a LoRA"),
        ({"emb_params": UP}, "it is a textual inversion"),
    ],
)
def test_what_has_no_text_encoder_is_said(run: Run, tmp_path: Path, tensors: Any, said: str) -> None:
    result = run("models", "inspect", files.write(tensors, tmp_path / "file.safetensors"))
    assert result.code == 1
    assert said in result.err
    assert "Traceback" not in result.err
    assert "tensors, " in result.out


def test_a_missing_second_encoder_is_said_beside_what_is_there(run: Run, tmp_path: Path, state: State) -> None:
    whole = files.sdxl(state, state)
    part = {name: tensor for name, tensor in whole.items() if not name.startswith("conditioner.embedders.1")}
    result = run("models", "inspect", files.write(part, tmp_path / "xl.safetensors"))
    assert result.code == 1
    assert "text_encoder: CLIP text tower" in result.out
    assert "without its second text encoder" in result.err
    assert (
        "share one CLIP"
        not in run("models", "inspect", tmp_path / "xl.safetensors", "--against", tmp_path / "xl.safetensors").out
    )


def test_damaged_files_and_pickles_that_run_code_are_refused(run: Run, tmp_path: Path, state: State) -> None:
    file = files.write(files.sd1(state), tmp_path / "sd.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:-9])
    result = run("models", "inspect", tmp_path / "cut.safetensors")
    assert (result.code, "broke off" in result.err) == (2, True)

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": files.stored(files.sd1(state)), "extra": Hostile()}, tmp_path / "bad.ckpt")
    result = run("models", "inspect", tmp_path / "bad.ckpt")
    assert result.code == 2
    assert "without running what is in it" in result.err
    assert not (tmp_path / "ran").exists()


def test_a_missing_tensor_is_listed(run: Run, tmp_path: Path, state: State) -> None:
    part = {name: tensor for name, tensor in state.items() if not name.endswith("layers.1.mlp.fc1.bias")}
    result = run("models", "inspect", files.write(files.sd1(part), tmp_path / "sd.safetensors"))
    assert (result.code, "missing: text.blocks.1.mlp.up.bias" in result.err) == (1, True)
