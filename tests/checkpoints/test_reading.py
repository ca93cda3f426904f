"""Checkpoints as people have them: wrappers, prefixes, shards, half precision, missing parts, damaged files."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from seesay.checkpoints.containers.weights import TensorInfo, Weights
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint, read_checkpoint
from seesay.errors import CheckpointError, ModelError
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.vit.config import VitConfig
from seesay.tokenizers import Tokenizer
from seesay.tokenizers.spec import TokenizerSpec
from tests.parity.by_name import Meta
from tests.parity.originals import HF_FOLDERS
from tests.parity.test_checkpoints import DATA, RELATIVE, UNIT, compare, open_fixture

OVERRIDES = Overrides(activation="quick_gelu", image_heads=2, text_heads=2, preprocessing="openai")


def same_numbers(path: Path, fixture: str, overrides: Overrides | None = None) -> None:
    _, expected = open_fixture(fixture)
    checkpoint = open_checkpoint(path, overrides)
    with torch.no_grad():
        worst = compare(checkpoint.model(), expected, None)
    assert worst["unit"] <= UNIT
    assert worst["hidden"] <= RELATIVE


def archive_state() -> dict[str, torch.Tensor]:
    """The state dict of OpenAI's archive, as people save it again."""
    checkpoint, _ = open_fixture("openai-vit-archive")
    return {name: checkpoint.weights.read(name) for name in checkpoint.weights.names}


def flash_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names under which Chinese-CLIP saves runs with flash attention."""
    renamed = {}
    for name, tensor in state.items():
        name = name.replace("attn.in_proj_weight", "attn.Wqkv.weight").replace("attn.in_proj_bias", "attn.Wqkv.bias")
        if ".attention.self." not in name:
            renamed[name.replace("attention.output.dense", "attention.self.out_proj")] = tensor
    for name in state:
        if name.endswith("attention.self.query.weight"):
            at = name.removesuffix("query.weight")
            for part in ("weight", "bias"):
                renamed[f"{at}Wqkv.{part}"] = torch.cat([state[f"{at}{kind}.{part}"] for kind in ("query", "key", "value")])
    return renamed


def cn_state() -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(DATA / "cn-clip-vit" / "model.pt", weights_only=True)["state_dict"]
    return state


def test_openai_state_dict_with_its_three_numbers_needs_nothing_said(tmp_path: Path) -> None:
    torch.save(archive_state(), tmp_path / "model.pt")
    same_numbers(tmp_path / "model.pt", "openai-vit-archive")


def test_bare_state_dict_takes_what_the_caller_says(tmp_path: Path) -> None:
    numbers = ("input_resolution", "context_length", "vocab_size")
    torch.save({name: tensor for name, tensor in archive_state().items() if name not in numbers}, tmp_path / "model.pt")
    same_numbers(tmp_path / "model.pt", "openai-vit-archive", OVERRIDES)
    with pytest.raises(
        CheckpointError,
        match=r"activation, image_heads, text_heads, preprocessing.*Pass activation='gelu' or 'quick_gelu'",
    ):
        open_checkpoint(tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="Pass preprocessing='openai'"):
        open_checkpoint(tmp_path / "model.pt", replace(OVERRIDES, preprocessing=None))


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_of_trainers_come_off(tmp_path: Path, prefix: str) -> None:
    bare = {name.removeprefix("module."): tensor for name, tensor in cn_state().items()}
    torch.save({"state_dict": {prefix + name: t for name, t in bare.items()}, "epoch": 1}, tmp_path / "model.pt")
    same_numbers(tmp_path / "model.pt", "cn-clip-vit")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_flash_attention_names(tmp_path: Path, prefix: str) -> None:
    bare = {name.removeprefix("module."): tensor for name, tensor in cn_state().items()}
    torch.save({prefix + name: tensor for name, tensor in flash_names(bare).items()}, tmp_path / "model.pt")
    same_numbers(tmp_path / "model.pt", "cn-clip-vit")


def test_an_unused_pooler_is_left_out_and_said(tmp_path: Path) -> None:
    state = cn_state() | {
        "module.bert.pooler.dense.weight": torch.ones(128, 128),
        "module.bert.pooler.dense.bias": torch.ones(128),
    }
    torch.save({"state_dict": state}, tmp_path / "model.pt")
    same_numbers(tmp_path / "model.pt", "cn-clip-vit")
    assert "bert.pooler.dense.weight" in open_checkpoint(tmp_path / "model.pt").account.ignored


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "module", None])
def test_wrappers_come_off(tmp_path: Path, wrapper: str | None) -> None:
    state = archive_state()
    torch.save({wrapper: state, "step": 5} if wrapper else state, tmp_path / "model.pt")
    same_numbers(tmp_path / "model.pt", "openai-vit-archive")


def test_old_style_torch_files(tmp_path: Path) -> None:
    torch.save(archive_state(), tmp_path / "model.pt", _use_new_zipfile_serialization=False)
    same_numbers(tmp_path / "model.pt", "openai-vit-archive")


def hf_folder(tmp_path: Path, name: str = "hf-clip-5") -> Path:
    folder = tmp_path / "folder"
    shutil.copytree(DATA / name, folder)
    return folder


def test_shards(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    half = dict(list(state.items())[: len(state) // 2])
    rest = {name: tensor for name, tensor in state.items() if name not in half}
    places = {}
    for number, part in enumerate((half, rest)):
        save_file(part, folder / f"model-{number}.safetensors")
        places |= dict.fromkeys(part, f"model-{number}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    same_numbers(folder, "hf-clip-5")
    (folder / "model-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks model-1\.safetensors"):
        open_checkpoint(folder)


def test_an_index_reaches_no_file_outside_its_folder(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    (folder / "model.safetensors").rename(tmp_path / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"logit_scale": "../model.safetensors"}}))
    with pytest.raises(CheckpointError, match=r"lacks model\.safetensors"):
        open_checkpoint(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"logit_scale": "x" * 300}}))
    with pytest.raises(CheckpointError, match="is not an index of shards that can be read"):
        open_checkpoint(folder)


def test_old_position_ids_are_left_out(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    state = load_file(folder / "model.safetensors")
    state["text_model.embeddings.position_ids"] = torch.arange(16)[None]
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(state, folder / "model.safetensors")
    same_numbers(folder, "hf-clip-5")


def test_scale_of_one_element(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    state = load_file(folder / "model.safetensors")
    save_file(state | {"logit_scale": state["logit_scale"].reshape(1)}, folder / "model.safetensors")
    same_numbers(folder, "hf-clip-5")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = hf_folder(tmp_path)
    state = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(state, folder / "model.safetensors")
    clip = open_checkpoint(folder).model()
    assert {tensor.dtype for tensor in clip.parameters()} == {torch.float32}
    torch.testing.assert_close(clip.image.projection.weight, state["visual_projection.weight"].float(), rtol=0, atol=0)


def test_one_model_in_two_formats_is_one_space(tmp_path: Path) -> None:
    torch.save({"state_dict": archive_state()}, tmp_path / "again.pt")
    archive, again = (open_checkpoint(p).model() for p in (DATA / "openai-vit-archive" / "model.pt", tmp_path / "again.pt"))
    assert archive.config.space_id == again.config.space_id
    other = open_checkpoint(tmp_path / "again.pt", Overrides(activation="gelu")).model()
    assert other.config.space_id != archive.config.space_id


def test_missing_left_over_and_misshapen_tensors_are_all_named(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    state = load_file(folder / "model.safetensors")
    del state["vision_model.post_layernorm.bias"]
    state["text_model.extra.weight"] = torch.ones(2)
    state["text_projection.weight"] = torch.ones(24, 23)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder).model()
    message = str(error.value)
    assert "missing: image.norm_after.bias" in message
    assert "left over: text_model.extra.weight" in message
    assert "text_projection.weight: shape (24, 23), expected (24, 24)" in message
    assert "config.json" in message


def test_a_config_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="1 layers in the image tower, the weights have 2"):
        open_checkpoint(folder)


def test_an_architecture_that_is_said_wins_over_the_config(tmp_path: Path) -> None:
    for name in ("hf-clip-5", "open-clip-native"):
        with pytest.raises(CheckpointError, match="the architecture ViT-B-16 of the catalogue"):
            open_checkpoint(DATA / name, Overrides(architecture="ViT-B-16"))
        with pytest.raises(ModelError, match="no architecture 'nonsense'"):
            open_checkpoint(DATA / name, Overrides(architecture="nonsense"))
    config = hf_folder(tmp_path) / "config.json"
    values = json.loads(config.read_text())
    values["text_config"]["eos_token_id"] = 999_999
    config.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="text_config.eos_token_id: expected a whole number from 0 to"):
        open_checkpoint(config.parent)


def test_what_only_a_config_says_is_asked_for(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path)
    (folder / "processor_config.json").unlink()
    with pytest.raises(CheckpointError, match="how pictures are preprocessed"):
        open_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", ["hf-clip", "hf-chinese-clip"])
def test_a_processor_is_read_from_either_file(tmp_path: Path, name: str) -> None:
    """transformers 4 writes preprocessor_config.json, 5 writes processor_config.json, and 5 reads that one first."""
    old, new = (open_checkpoint(DATA / f"{name}-{version}").description.image_spec for version in (4, 5))
    assert old is not None
    assert old == new
    folder = hf_folder(tmp_path, f"{name}-5")
    processor = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    (folder / "preprocessor_config.json").write_text(json.dumps(processor | {"image_mean": [0, 0, 0]}))
    assert open_checkpoint(folder).description.image_spec == old
    (folder / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')  # as some had it in version 4
    assert open_checkpoint(folder).description.image_spec == replace(old, mean=(0.0, 0.0, 0.0))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="how pictures are preprocessed"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("key", "value"), [("do_pad", True), ("use_square_size", True), ("rescale_factor", 1 / 127.5), ("do_resize", False)]
)
def test_preprocessing_that_is_not_known_is_refused(tmp_path: Path, key: str, value: object) -> None:
    folder = hf_folder(tmp_path)
    processor = json.loads((folder / "processor_config.json").read_text())
    processor["image_processor"][key] = value
    (folder / "processor_config.json").write_text(json.dumps(processor))
    with pytest.raises(CheckpointError, match=f"processor_config.{key} = {value}"):
        open_checkpoint(folder)


def test_unknown_settings_are_refused_together(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path, "open-clip-native")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"] |= {"qk_norm": True, "mystery": 3}
    config["model_cfg"]["secret"] = 1
    config["model_cfg"]["text_cfg"] |= {"pool_type": "none"}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    for part in (
        "qk_norm",
        "mystery: unknown key",
        "model_cfg.secret: unknown key",
        "pool_type: 'none' is not one of 'argmax', 'eos', 'last'",
    ):
        assert part in str(error.value)


def tokenizer_folder(tmp_path: Path, fixture: str, tokenizer: str, text_cfg: dict[str, object] | None = None) -> Path:
    """A fixture with a tokenizer of `tests/parity/make_hf_tokenizers.py` beside it, and more values in its text_cfg."""
    folder = hf_folder(tmp_path, fixture)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(HF_FOLDERS / tokenizer / name, folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= text_cfg or {}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def test_a_tokenizer_is_used_as_open_clip_says(tmp_path: Path) -> None:
    options: dict[str, object] = {"tokenizer_kwargs": {"strip_sep_token": True}}
    checkpoint = open_checkpoint(tokenizer_folder(tmp_path, "open-clip-clipa", "bert", options))
    spec, vocabulary = checkpoint.description.tokenizer_spec, checkpoint.tokenizer()
    assert spec == TokenizerSpec(16, pad_id=0, padding="context", cleaning="whitespace", end="zeroed")
    assert vocabulary is not None
    (kept,) = Tokenizer(vocabulary, replace(spec, end="kept"))(["A  dog [SEP] caf&eacute;"]).ids.tolist()
    (ids,) = Tokenizer(vocabulary, spec)(["A  dog [SEP] caf&eacute;"]).ids.tolist()
    assert kept.count(3) == 2
    assert ids == [0 if number == 3 else number for number in kept]


@pytest.mark.parametrize("tokenizer", ["roberta", "bert"])
def test_padding_that_the_tower_does_not_mask_goes_to_the_context(tmp_path: Path, tokenizer: str) -> None:
    """RoBERTa masks 1, with which its tokenizer pads; another's 0 it would see, however it got there."""
    spec = open_checkpoint(tokenizer_folder(tmp_path, "open-clip-roberta-linear", tokenizer)).description.tokenizer_spec
    pad = {"roberta": (1, "longest"), "bert": (0, "context")}[tokenizer]
    assert spec is not None
    assert (spec.pad_id, spec.padding) == pad


def test_options_that_would_change_ids_are_refused_together(tmp_path: Path) -> None:
    options = {"clean": "syntax", "use_fast": False, "language": "eng_Latn", "strip_sep_token": "yes"}
    text_cfg = {"tokenizer_kwargs": options, "tokenizer_mode": "clips", "pool_type": "argmax"}
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(tokenizer_folder(tmp_path, "open-clip-clipa", "bert", text_cfg))
    for part in (
        "tokenizer_kwargs.clean: 'syntax' is not one of 'whitespace', 'lower', 'canonicalize'",
        "tokenizer_kwargs.use_fast: unknown key, which might change the ids of a text",
        "tokenizer_kwargs.language = 'eng_Latn': vocabularies with a token for each language",
        "tokenizer_kwargs.strip_sep_token: 'yes' is not one of False, True",
        "text_cfg.tokenizer_mode = 'clips': the order of special tokens",
        "text_cfg.pool_type 'argmax': the highest id of a text",
    ):
        assert part in str(error.value)


def test_m_clips_base_must_be_known(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path, "m-clip-bert-5")
    checkpoint = open_checkpoint(folder, Overrides(text_heads=3))
    assert checkpoint.description.image is None
    assert "pooler" not in str(checkpoint.model().state_dict().keys())
    for base in ("distilbert-base-multilingual-cased", None):
        (folder / "config.json").write_text(json.dumps({"model_type": "M-CLIP", "modelBase": base}))
        with pytest.raises(CheckpointError, match=r"modelBase: .* is not one of 'xlm-roberta-base', 'xlm-roberta-large'"):
            open_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        open_checkpoint(folder)


def test_long_clips_two_tables_of_positions_are_one(tmp_path: Path) -> None:
    checkpoint, _ = open_fixture("long-clip")
    stored = torch.load(DATA / "long-clip" / "longclip.pt", weights_only=True)
    table = checkpoint.state()["text.position_embedding"]
    assert torch.equal(table[:20], stored["positional_embedding"][:20])
    assert torch.equal(table[20:], stored["positional_embedding_res"][20:])
    assert checkpoint.description.tokenizer_spec is not None
    assert checkpoint.description.tokenizer_spec.context_length == 26
    torch.save(stored | {"positional_embedding_res": torch.zeros(25, 24)}, tmp_path / "longclip.pt")
    with pytest.raises(CheckpointError, match="should have one shape of more than 20 rows"):
        open_checkpoint(tmp_path / "longclip.pt")


def test_cocas_decoder_is_left_out_knowingly(tmp_path: Path) -> None:
    checkpoint, _ = open_fixture("open-clip-coca")
    left_out = checkpoint.account.ignored
    assert all(name.startswith("text_decoder.") for name in left_out)
    assert set(left_out.values()) == {"the decoder, which writes captions and takes no part in embeddings"}
    assert sum(name.startswith("text_decoder.") for name in checkpoint.weights.names) == len(left_out) > 20
    with pytest.raises(CheckpointError, match="class token after the text cannot be opened at another length"):
        open_checkpoint(DATA / "open-clip-coca", Overrides(context_length=8))
    folder = hf_folder(tmp_path, "open-clip-coca")
    state = load_file(folder / "open_clip_model.safetensors") | {"text_decoder.resblocks.0.router.weight": torch.zeros(2)}
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(CheckpointError, match=r"left over: text_decoder.resblocks.0.router.weight"):
        open_checkpoint(folder).check_towers()


def test_options_of_open_clips_own_tokenizer_are_refused(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path, "open-clip-native")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= {"tokenizer_kwargs": {"clean": "canonicalize", "reduction_mask": "simple"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"(?s)'canonicalize' is not one of 'lower'.*reduction_mask: unknown key"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("visual.trunk.stem.weight", "timm"),
        ("image_encoder_without_ddp.l0_module.x", "a TinyCLIP model that was pruned"),
        ("pre_LN.weight", "an AltCLIP text tower alone"),
        ("embeddings.word_embeddings.weight", "text model alone"),
        ("a.b", "no format"),
    ],
)
def test_foreign_formats_are_named(tmp_path: Path, name: str, what: str) -> None:
    like_ours = ("text_model.embeddings.word_embeddings.weight", "vision_model.pre_layrnorm.weight")
    save_file(
        {each: torch.ones(2) for each in (name, *(like_ours if what.startswith("an ") else ()))}, tmp_path / "model.safetensors"
    )
    with pytest.raises(CheckpointError, match=what):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("siglip2", "a SigLIP 2 model of NaFlex"),
        ("altclip_text_model", "an AltCLIP text tower alone"),
        ("groupvit", "a GroupViT model"),
        ("chinese_clip_text_model", "a ChineseCLIP text tower alone"),
        ("brand-new", "a model of the type 'brand-new'"),
    ],
)
@pytest.mark.parametrize("names", ["as CLIP's", "as nobody's"])
def test_another_familys_configuration_names_it(tmp_path: Path, kind: str, what: str, names: str) -> None:
    """Several families name their tensors as CLIP does, and work otherwise."""
    folder = hf_folder(tmp_path)
    if names == "as nobody's":
        save_file({"a.b": torch.ones(2)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(
        CheckpointError, match=rf"model.safetensors: this is {what}.*which this version of SeeSay does not read"
    ):
        open_checkpoint(folder)
    inspection = inspect(folder)
    assert what in str(inspection.faults)
    assert (inspection.format, inspection.unknown) == (None, None)


def test_chinese_clips_image_tower_alone(tmp_path: Path) -> None:
    """ChineseCLIPVisionModel's is CLIPVisionModel's under another name."""
    folder = hf_folder(tmp_path, "hf-vision-5")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "chinese_clip_vision_model"}))
    same_numbers(folder, "hf-vision-5")


def test_damaged_files(tmp_path: Path) -> None:
    whole = (DATA / "hf-clip-5" / "model.safetensors").read_bytes()
    for name, content, message in (
        ("short.safetensors", whole[:-100], "broke off"),
        ("shorter.safetensors", whole[:100], "ends within its header: the download broke off"),
        ("short.pt", (DATA / "openai-vit-archive" / "model.pt").read_bytes()[:5000], "has a beginning and no end"),
        ("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("empty.pt", b"", "is empty"),
        ("page.bin", b"<html>not found</html>", "neither safetensors nor a torch file"),
        ("zip.pt", b"PK\x03\x04" + b"x" * 100, "has a beginning and no end"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            open_checkpoint(tmp_path / name)
    with pytest.raises(CheckpointError, match="no file or folder"):
        open_checkpoint(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=f"several weights to choose from: .* Name the file: {tmp_path}/"):
        open_checkpoint(tmp_path)


def test_chinese_clips_huge_model_has_wide_heads_in_its_image_tower_only() -> None:
    rows = {
        "visual.conv1.weight": (1280, 3, 14, 14),
        "visual.class_embedding": (1280,),
        "visual.positional_embedding": (257, 1280),
        "visual.proj": (1280, 1024),
        "visual.transformer.resblocks.0.mlp.c_fc.weight": (5120, 1280),
        "bert.embeddings.word_embeddings.weight": (21128, 1024),
        "bert.embeddings.position_embeddings.weight": (512, 1024),
        "bert.embeddings.token_type_embeddings.weight": (2, 1024),
        "bert.encoder.layer.0.attention.self.query.weight": (1024, 1024),
        "bert.encoder.layer.0.intermediate.dense.weight": (4096, 1024),
    }
    path = Path("clip_cn_vit-h-14.pt")
    weights = Weights(path, "torch file", Meta({name: TensorInfo(shape, "float16") for name, shape in rows.items()}))
    description = read_checkpoint(path, weights, Overrides()).description
    assert isinstance(description.image, VitConfig)
    assert isinstance(description.text, BertConfig)
    assert (description.image.heads, description.text.heads) == (16, 16)


def test_chinese_clips_pictures_are_prepared_its_way_also_where_the_architecture_is_said() -> None:
    with pytest.raises(CheckpointError, match="12 layers in the image tower, the weights have 2"):  # not: how are pictures ...
        open_checkpoint(DATA / "cn-clip-vit" / "model.pt", Overrides(architecture="ViT-B-16@RoBERTa-wwm-ext-base-chinese"))
