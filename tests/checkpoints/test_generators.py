"""Text encoders in generators' files: every layout gives what the original computed, and what is none is named."""

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from seesay.checkpoints.diffusion import TextEncoderFile, text_encoders
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from tests import generator_files as files

DATA = Path(__file__).parents[1] / "parity" / "data" / "generators"
TOLERANCE = 1e-5
HEADS = {"clip_l": 2, "clip_g": 4}
ACTIVATIONS: dict[str, Any] = {"clip_l": "quick_gelu", "clip_g": "gelu"}


def original(name: str) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """A tower's tensors, and what transformers computed with them."""
    return load_file(DATA / name / "model.safetensors"), dict(np.load(DATA / name / "expected.npz"))


def stated(name: str, *, activation: bool = False) -> Overrides:
    return Overrides(text_heads=HEADS[name], activation=ACTIVATIONS[name] if activation else None)


def assert_computes(encoder: TextEncoderFile, name: str, tolerance: float = TOLERANCE) -> None:
    """Every hidden state, the last norm and the pooled vector as transformers."""
    _, expected = original(name)
    tower = encoder.load()
    ids = torch.from_numpy(expected["ids"])
    with torch.no_grad():
        states = tower.hidden_states(ids)
        found = {f"states.{i}": state for i, state in enumerate(states)}
        found |= {"last": encoder.last_state(tower, states), "pooled": tower(ids)}
    assert not tower.training
    for key, value in found.items():
        np.testing.assert_allclose(value.numpy(), expected[key], atol=tolerance, err_msg=key)


@pytest.mark.parametrize("layout", [files.sd1, files.merged_sd1])
def test_stable_diffusion_1_computes_what_transformers_does(tmp_path: Path, layout: Any) -> None:
    file = files.write(layout(original("clip_l")[0]), tmp_path / "sd.safetensors")
    (encoder,) = text_encoders(file, stated("clip_l"))
    assert (encoder.name, encoder.family, encoder.layers, encoder.dim) == ("text_encoder", "sd1", 2, None)
    assert encoder.config.activation == "quick_gelu"  # type: ignore[attr-defined]
    assert encoder.path == file
    assert encoder.prefix.startswith("cond_stage_model.")
    assert_computes(encoder, "clip_l")


def test_stable_diffusion_2_is_read_from_open_clips_names(tmp_path: Path) -> None:
    file = files.write(files.sd2(original("clip_g")[0]), tmp_path / "sd.safetensors")
    (encoder,) = text_encoders(file, stated("clip_g"))
    assert (encoder.name, encoder.family, encoder.dim) == ("text_encoder", "sd2", 32)
    assert_computes(encoder, "clip_g")


def test_stable_diffusion_xl_has_two(tmp_path: Path) -> None:
    file = files.write(files.sdxl(original("clip_l")[0], original("clip_g")[0]), tmp_path / "xl.safetensors")
    first, _ = text_encoders(file, stated("clip_l"))
    _, second = text_encoders(file, stated("clip_g"))
    assert [(e.name, e.family, e.dim) for e in (first, second)] == [
        ("text_encoder", "sdxl", None),
        ("text_encoder_2", "sdxl", 32),
    ]
    assert_computes(first, "clip_l")
    assert_computes(second, "clip_g")


def test_the_refiner_has_the_second_alone(tmp_path: Path) -> None:
    file = files.write(files.refiner(original("clip_g")[0]), tmp_path / "refiner.safetensors")
    (encoder,) = text_encoders(file, stated("clip_g"))
    assert (encoder.name, encoder.family) == ("text_encoder_2", "sdxl-refiner")
    assert_computes(encoder, "clip_g")


def test_stable_diffusion_3_in_one_file_leaves_out_t5(tmp_path: Path) -> None:
    file = files.write(files.sd3(original("clip_l")[0], original("clip_g")[0]), tmp_path / "sd3.safetensors")
    first, _ = text_encoders(file, stated("clip_l"))
    _, second = text_encoders(file, stated("clip_g", activation=True))
    assert [(e.name, e.family) for e in (first, second)] == [("text_encoder", "sd3"), ("text_encoder_2", "sd3")]
    assert_computes(first, "clip_l")
    assert_computes(second, "clip_g")


@pytest.mark.parametrize("name", ["clip_l", "clip_g"])
def test_a_text_tower_by_itself_is_read(tmp_path: Path, name: str) -> None:
    file = files.write(original(name)[0], tmp_path / f"{name}.safetensors")
    (encoder,) = text_encoders(file, stated(name, activation=True))
    assert encoder.family is None
    assert_computes(encoder, name)


def test_the_width_tells_heads_activation_padding_and_name(tmp_path: Path) -> None:
    facts = {}
    for width, projection in ((768, None), (1280, 1280)):
        state = files.random_state(width, 1, 64, projection=projection)
        (encoder,) = text_encoders(files.write(state, tmp_path / f"{width}.safetensors", torch.float16))
        config: Any = encoder.config
        facts[width] = (encoder.name, config.heads, config.activation, encoder.pad_id)
    assert facts == {768: ("text_encoder", 12, "quick_gelu", 49407), 1280: ("text_encoder_2", 20, "gelu", 0)}


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.02), (torch.bfloat16, 0.2)])
def test_half_precision_is_read_as_float32(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    state = original("clip_l")[0]
    half = files.write(files.sd1(state), tmp_path / "half.safetensors", dtype)
    rounded = {name: tensor.to(dtype).float() for name, tensor in state.items()}
    whole = files.write(files.sd1(rounded), tmp_path / "whole.safetensors")
    (encoder,) = text_encoders(half, stated("clip_l"))
    assert_computes(encoder, "clip_l", tolerance)
    same = text_encoders(whole, stated("clip_l"))[0].load().state_dict()
    for name, tensor in encoder.load().state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, same[name])


def test_a_pickle_of_tensors_is_read_and_one_that_runs_code_is_not(tmp_path: Path) -> None:
    file = tmp_path / "sd.ckpt"
    torch.save({"state_dict": files.stored(files.sd1(original("clip_l")[0])), "global_step": 5}, file)
    (encoder,) = text_encoders(file, stated("clip_l"))
    assert_computes(encoder, "clip_l")

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": files.stored(files.sd1(original("clip_l")[0])), "extra": Hostile()}, tmp_path / "bad.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read|can be read without running"):
        text_encoders(tmp_path / "bad.ckpt", stated("clip_l"))
    assert not (tmp_path / "ran").exists()


def config_of(name: str) -> dict[str, Any]:
    return files.text_config(original(name)[0], activation=ACTIVATIONS[name], heads=HEADS[name])


@pytest.mark.parametrize("file", ["model.safetensors", "model.fp16.safetensors"])
def test_a_diffusers_folder_is_described_by_its_own_files(tmp_path: Path, file: str) -> None:
    encoders = {name: (original(kind)[0], config_of(kind)) for name, kind in zip(ENCODERS, HEADS, strict=True)}
    home = files.write_folder(tmp_path / "xl", "StableDiffusionXLPipeline", encoders, file)
    first, second = text_encoders(home)
    assert [(e.name, e.family, e.dim) for e in (first, second)] == [
        ("text_encoder", "sdxl", None),
        ("text_encoder_2", "sdxl", 32),
    ]
    assert_computes(first, "clip_l")
    assert_computes(second, "clip_g")
    (alone,) = text_encoders(home / "text_encoder_2")
    assert (alone.name, alone.family) == ("text_encoder_2", "sdxl")


ENCODERS = ("text_encoder", "text_encoder_2")


@pytest.mark.parametrize(("kind", "family"), [("clip_l", "sd1"), ("clip_g", "sd2")])
def test_the_activation_tells_stable_diffusion_1_from_2(tmp_path: Path, kind: str, family: str) -> None:
    encoders = {"text_encoder": (original(kind)[0], config_of(kind))}
    home = files.write_folder(tmp_path / "sd", "StableDiffusionPipeline", encoders, "model.safetensors")
    (encoder,) = text_encoders(home)
    assert encoder.family == family


@pytest.mark.parametrize("name", ["taiyi", "altdiffusion", "altdiffusion_pre"])
def test_chinese_text_encoders_give_what_diffusers_is_given(name: str) -> None:
    (encoder,) = text_encoders(DATA / name)
    assert encoder.family == name.split("_")[0]
    tower = encoder.load()
    ids = torch.from_numpy(original("clip_l")[1]["ids"].copy())
    ids[1, 40:] = 0 if name == "taiyi" else 1
    with torch.no_grad():
        state = encoder.last_state(tower, tower.hidden_states(ids))
    np.testing.assert_allclose(state.numpy(), np.load(DATA / name / "expected.npz")["last"], atol=TOLERANCE)


def test_altdiffusion_without_a_mask_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "text_encoder"
    folder.mkdir()
    values = json.loads((DATA / "altdiffusion" / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(values | {"use_attention_mask": False}), encoding="utf-8")
    (folder / "model.safetensors").write_bytes((DATA / "altdiffusion" / "text_encoder" / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="use_attention_mask is off"):
        text_encoders(tmp_path)


def test_any_clip_checkpoint_gives_its_text_tower() -> None:
    folder = DATA.parent / "hf-clip-4"
    (encoder,) = text_encoders(folder)
    assert (encoder.name, encoder.family, encoder.dim) == ("text_encoder", None, 24)
    expected = dict(np.load(folder / "expected.npz"))
    with torch.no_grad():
        embedding = encoder.load()(torch.from_numpy(expected["ids"]))
    np.testing.assert_allclose(embedding.numpy(), expected["text"], atol=TOLERANCE)


def test_prompts_are_filled_up_as_generators_do(tmp_path: Path) -> None:
    ids = {}
    for layout, name in ((files.sd1, "text_encoder"), (files.sd2, "text_encoder")):
        state = files.random_state(64, 1, 49408)
        (encoder,) = text_encoders(files.write(layout(state), tmp_path / f"{layout.__name__}.safetensors", torch.float16))
        assert encoder.name == name
        ids[encoder.family] = encoder.tokenizer()(["a cat"]).ids[0].tolist()
    begin = [49406, 320, 2368, 49407]
    assert ids == {"sd1": begin + [49407] * 73, "sd2": begin + [0] * 73}


def test_a_folders_own_tokenizer_says_how_prompts_are_filled_up(tmp_path: Path) -> None:
    encoders = {"text_encoder": (original("clip_l")[0], config_of("clip_l"))}
    home = files.write_folder(tmp_path / "sd", "StableDiffusionPipeline", encoders, "model.safetensors")
    pieces = {"<|startoftext|>": 88, "<|endoftext|>": 89, "a</w>": 0, "!": 1, "c": 2, "a": 3, "t</w>": 4, "!</w>": 5, "t": 6}
    (home / "tokenizer").mkdir()
    (home / "tokenizer" / "vocab.json").write_text(json.dumps(pieces), encoding="utf-8")
    (home / "tokenizer" / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    settings = {"pad_token": "!", "model_max_length": 10}
    (home / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (encoder,) = text_encoders(home)
    assert encoder.tokenizer()(["a cat"]).ids.tolist() == [[88, 0, 2, 3, 4, 89, 1, 1, 1, 1]]


def test_a_vocabulary_of_its_own_needs_its_files(tmp_path: Path) -> None:
    (encoder,) = text_encoders(files.write(files.sd1(original("clip_l")[0]), tmp_path / "sd.safetensors"), stated("clip_l"))
    with pytest.raises(CheckpointError, match="came without its tokenizer"):
        encoder.tokenizer()


UP, DOWN = torch.zeros(8, 4), torch.zeros(4, 8)
LORA = {"lora_te_text_model_x.lora_up.weight": UP, "lora_te_text_model_x.lora_down.weight": DOWN}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (files.UNET, "has no text encoder .*: it is a generator's file with the denoiser .UNet or transformer. alone"),
        ({**files.UNET, **files.VAE}, "the denoiser .UNet or transformer. . the VAE alone"),
        (files.VAE, "it is a generator's file with the VAE alone"),
        ({"encoder.down_blocks.0.resnets.0.conv1.weight": UP}, "it is a VAE alone"),
        ({"down_blocks.0.resnets.0.conv1.weight": UP}, "it is the denoiser alone"),
        (LORA, "it is a LoRA"),
        ({"emb_params": UP}, "it is a textual inversion"),
        ({"clip_l": UP, "clip_g": UP}, "it is a textual inversion"),
        ({"<cat>": UP}, "it is a textual inversion"),
        ({"cond_stage_model.transformer.embeddings.word_embeddings.weight": UP}, "another text encoder than CLIP's"),
        ({"some.thing": UP, "other.thing": UP}, "belong to no format"),
    ],
)
def test_what_has_no_text_encoder_is_named(tmp_path: Path, tensors: dict[str, torch.Tensor], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        text_encoders(files.write(tensors, tmp_path / "file.safetensors"))


def test_a_textual_inversion_as_a_pickle_is_named(tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": UP}, "name": "cat", "step": 3}, tmp_path / "cat.pt")
    with pytest.raises(CheckpointError, match="it is a textual inversion"):
        text_encoders(tmp_path / "cat.pt")


@pytest.mark.parametrize(("place", "word"), [("conditioner.embedders.1", "second"), ("conditioner.embedders.0", "first")])
def test_an_sdxl_file_with_one_encoder_is_refused(tmp_path: Path, place: str, word: str) -> None:
    whole = files.sdxl(original("clip_l")[0], original("clip_g")[0])
    file = files.write({n: t for n, t in whole.items() if not n.startswith(place)}, tmp_path / "xl.safetensors")
    with pytest.raises(CheckpointError, match=f"without its {word} text encoder"):
        text_encoders(file, stated("clip_l"))


def test_every_tensor_counts(tmp_path: Path) -> None:
    state = dict(original("clip_l")[0])
    missing = state.pop("text_model.encoder.layers.1.mlp.fc2.bias")
    (encoder,) = text_encoders(files.write(files.sd1(state), tmp_path / "a.safetensors"), stated("clip_l"))
    with pytest.raises(CheckpointError, match=r"missing: text\.blocks\.1\.mlp\.down\.bias"):
        encoder.load()
    state |= {"text_model.encoder.layers.1.mlp.fc2.bias": missing, "text_model.encoder.layers.1.extra": missing}
    (encoder,) = text_encoders(files.write(files.sd1(state), tmp_path / "b.safetensors"), stated("clip_l"))
    with pytest.raises(CheckpointError, match="left over: .*extra"):
        encoder.load()


def test_a_broken_off_file_and_a_picture_are_refused(tmp_path: Path) -> None:
    file = files.write(files.sd1(original("clip_l")[0]), tmp_path / "sd.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="broke off"):
        text_encoders(tmp_path / "cut.safetensors")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(CheckpointError, match="is a picture. Give weights"):
        text_encoders(tmp_path / "picture.png")
    with pytest.raises(CheckpointError, match="no file or folder"):
        text_encoders(tmp_path / "absent.safetensors")


def test_heads_that_no_width_tells_are_asked_for(tmp_path: Path) -> None:
    file = files.write(files.sd1(original("clip_l")[0]), tmp_path / "sd.safetensors")
    with pytest.raises(CheckpointError, match="16 wide, no multiple of 64"):
        text_encoders(file)


def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    encoders = {name: (original(kind)[0], config_of(kind)) for name, kind in zip(ENCODERS, HEADS, strict=True)}
    home = files.write_folder(tmp_path / "xl", "StableDiffusionXLPipeline", encoders, "model.safetensors")
    (home / "text_encoder_2" / "config.json").unlink()
    with pytest.raises(CheckpointError, match="names a text_encoder_2"):
        text_encoders(home)
    (tmp_path / "t5" / "text_encoder").mkdir(parents=True)
    (tmp_path / "t5" / "text_encoder" / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    (tmp_path / "t5" / "model_index.json").write_text('{"_class_name": "PixArtAlphaPipeline"}', encoding="utf-8")
    with pytest.raises(CheckpointError, match="no CLIP-like text encoder: it is a diffusers folder of PixArtAlphaPipeline"):
        text_encoders(tmp_path / "t5")


def test_hostile_files_of_a_folder_end_in_a_clear_error(tmp_path: Path) -> None:
    encoders = {"text_encoder": (original("clip_l")[0], config_of("clip_l"))}
    home = files.write_folder(tmp_path / "sd", "StableDiffusionPipeline", encoders, "model.safetensors")
    good = {file: file.read_bytes() for file in (home / "model_index.json", home / "text_encoder" / "config.json")}
    for file, content in good.items():
        for bad in (b"", b"[]", b"{", b'{"model_type": {}, "text_encoder": 3}', b'{"text_encoder": []}', b"\xff"):
            file.write_bytes(bad)
            with contextlib.suppress(CheckpointError):
                text_encoders(home)
        file.write_bytes(content)
    assert len(text_encoders(home)) == 1
    (home / "text_encoder" / "model.safetensors").unlink()
    index = {"weight_map": {"text_model.final_layer_norm.weight": "../../outside.safetensors"}}
    (home / "text_encoder" / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    files.write(original("clip_l")[0], tmp_path / "outside.safetensors")
    with pytest.raises(CheckpointError, match="lacks outside.safetensors"):
        text_encoders(home)


def test_damaged_headers_end_in_a_clear_error(tmp_path: Path) -> None:
    file = files.write(files.sd1(original("clip_l")[0]), tmp_path / "sd.safetensors")
    content = file.read_bytes()
    length = 8 + int.from_bytes(content[:8], "little")
    draw = random.Random(3)
    opened = 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(length)] = draw.choice(b'0919"{}[],:ax')
        file.write_bytes(damaged)
        with contextlib.suppress(CheckpointError):
            text_encoders(file, stated("clip_l"))[0].faults()
            opened += 1
    assert opened < 300
