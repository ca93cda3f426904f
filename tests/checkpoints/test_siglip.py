"""SigLIP where it could be read wrongly without a sign of it: bias, tokenizer, published settings, .npz files."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import seesay
from seesay.checkpoints.formats import siglip_trunk
from seesay.checkpoints.hub.catalog import find
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import CheckpointError, ModelError
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.tokenizers import vocabulary
from tests.parity.test_checkpoints import DATA, open_fixture

PIECES = 60  # of the fixtures' text towers


def words(pieces: int = PIECES, *, end: str = "</s>", kind: str = "unigram") -> str:
    """A tokenizer.json of words, with SigLIP's ("unigram") or Gemma's kind of model: <pad> is 0, the end 1."""
    names = ["<pad>", end, "<unk>", "▁", *(f"▁{word}" for word in ("a", "dog", "cat", "photo", "of", "two"))]
    names += [f"w{number}" for number in range(pieces - len(names))]
    if kind == "unigram":
        made = Tokenizer(models.Unigram([(name, -float(number)) for number, name in enumerate(names)], unk_id=2))
        made.pre_tokenizer = pre_tokenizers.Metaspace()
    else:
        made = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, [], unk_token="<unk>", fuse_unk=True))
        made.normalizer = normalizers.Replace(" ", "▁")
    made.add_special_tokens(["<pad>", end, "<unk>"])
    made.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, 1)])
    return made.to_str()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "siglip"
    shutil.copytree(DATA / "hf-siglip-5", made)
    (made / "tokenizer.json").write_text(words(), encoding="utf-8")
    (made / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>"}))
    return made


def test_a_text_is_padded_to_the_full_length_and_pooled_there(folder: Path) -> None:
    model = seesay.load(folder)
    assert model.tokenizer(["A dog!"]).ids.tolist() == [[4, 5, *[1] * 14]]
    two, one = model.encode_text(["a dog", "two cats of a photo"]), model.encode_text("a dog")
    np.testing.assert_allclose(two[0], np.ravel(one), atol=1e-5)


def test_scores_are_independent_probabilities(folder: Path, photos: list[Path]) -> None:
    model = seesay.load(folder)
    assert model.logits.score == "sigmoid"
    alone, among = (model.classify(photos[:2], labels, ["{}"]) for labels in (["a dog"], ["a dog", "a cat", "two photos"]))
    state = load_file(folder / "model.safetensors")
    cosines = model.encode_image(photos[:2]) @ model.encode_text(["a dog"]).T
    expected = 1 / (1 + np.exp(-(float(state["logit_scale"].exp()) * cosines + float(state["logit_bias"]))))
    np.testing.assert_allclose(alone, expected, rtol=1e-4)
    np.testing.assert_allclose(among[:, :1], alone, rtol=1e-4)


@pytest.mark.parametrize("fixture", ["hf-siglip-4", "open-clip-siglip"])
def test_a_missing_bias_is_an_error(fixture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the scores would be those of a softmax."""
    checkpoint, _ = open_fixture(fixture)
    made = tmp_path / "model"
    shutil.copytree(DATA / fixture, made)
    file = made / checkpoint.weights.path.name
    state = load_file(file)
    del state["logit_bias"]
    save_file(state, file)
    reread = replace(checkpoint, weights=open_weights_of(file), account=account_of(file, checkpoint))
    with pytest.raises(CheckpointError, match="missing: logit_bias"):
        reread.model()


def open_weights_of(file: Path) -> Any:
    from seesay.checkpoints.containers.weights import open_weights

    return open_weights(file)


def account_of(file: Path, checkpoint: Any) -> Any:
    from seesay.checkpoints.names import account

    names = open_weights_of(file).names
    return account(names, checkpoint.format.table(names))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tokenizer.json": vocabulary("clip").decode()}, r"puts the ids \[49406, 49407\] around a text.*trained with \[1\]"),
        ({"tokenizer.json": words(59)}, "it has 59 pieces, the text tower 60"),
        ({"tokenizer.json": words(500)}, "it has 500 pieces, the text tower 60"),
        ({"tokenizer.json": words(), "tokenizer_config.json": '{"padding_side": "left"}'}, "padding_side other than right"),
    ],
    ids=["CLIP's", "too few pieces", "too many pieces", "padded on the left"],
)
def test_another_models_tokenizer_is_refused(folder: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        seesay.load(folder)


def test_clips_older_files_are_refused_too(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps({"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(CheckpointError, match=r"belongs to another model: it puts the ids \[0, 1\] around a text"):
        seesay.load(folder)


def test_padding_is_the_authors_unless_files_name_another(folder: Path) -> None:
    """A vocabulary's "<pad>" is not what SigLIP pads with; SigLIP 2 does, and lowers A to Z alone."""

    def spec() -> Any:
        return open_checkpoint(folder).description.tokenizer_spec

    assert (spec().pad_id, spec().cleaning) == (1, "unmarked")
    (folder / "tokenizer_config.json").unlink()
    assert (spec().pad_id, spec().cleaning) == (1, "unmarked")
    (folder / "tokenizer.json").write_text(words(end="<eos>", kind="bpe"), encoding="utf-8")
    assert (spec().pad_id, spec().cleaning) == (0, "ascii-lower")
    (folder / "special_tokens_map.json").write_text('{"pad_token": "<unk>"}')
    assert spec().pad_id == 2


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("vision_config", "vision_use_head", False, "without its pooling has no vector of a whole picture"),
        ("vision_config", "hidden_act", "relu", "'relu' is not one of"),
        ("text_config", "projection_size", 20, "20 differs from the 24 of the image tower"),
        ("vision_config", "num_attention_heads", 5, "heads that divide the width of 24, got 5"),
    ],
)
def test_a_configuration_that_cannot_be_followed(folder: Path, part: str, key: str, value: Any, message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    config[part][key] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(folder)


def test_naflex_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "siglip2"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="a SigLIP 2 model of NaFlex"):
        open_checkpoint(folder)
    arrays = dict(np.load(DATA / "big-vision-siglip" / "siglip.npz"))
    kernel = arrays["params/img/embedding/kernel"]
    np.savez(tmp_path / "naflex.npz", **(arrays | {"params/img/embedding/kernel": kernel.reshape(-1, kernel.shape[-1])}))
    with pytest.raises(CheckpointError, match="a SigLIP 2 model of NaFlex"):
        open_checkpoint(tmp_path / "naflex.npz")


def test_published_weights_compute_as_their_authors_did(folder: Path) -> None:
    """OpenCLIP's configuration of SigLIP takes the exact GELU, where flax has the tanh form."""
    checkpoint, _ = open_fixture("open-clip-siglip")
    assert checkpoint.description.image is not None
    assert checkpoint.description.image.activation == "gelu"  # type: ignore[attr-defined]
    entry = find("open_clip/ViT-B-16-SigLIP/webli")
    assert entry is not None
    assert entry.activation == "gelu_tanh"
    assert find("google/siglip-base-patch16-224") is entry
    published = open_published(entry)
    assert {published.image.activation, published.text.activation} == {"gelu_tanh"}


def open_published(entry: Any) -> Any:
    from unittest.mock import patch

    from seesay.checkpoints.formats.siglip_trunk import MODELS

    facts = json.loads((DATA / "open-clip-siglip" / "facts.json").read_text())
    tiny = {model: replace(MODELS[model], **sizes) for model, sizes in facts["siglip"].items()}
    with patch.dict(MODELS, tiny):
        return open_checkpoint(DATA / "open-clip-siglip", Overrides(entry=entry)).description


# big_vision


def npz(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> Path:
    arrays = dict(np.load(DATA / "big-vision-siglip" / "siglip.npz"))
    change(arrays)
    np.savez(folder / "changed.npz", **arrays)
    return folder / "changed.npz"


def test_both_forms_of_an_npz_are_one_model(tmp_path: Path) -> None:
    def unstack(arrays: dict[str, np.ndarray]) -> None:
        for name in [name for name in arrays if "/encoderblock/" in name]:
            for number, value in enumerate(arrays.pop(name)):
                arrays[name.replace("encoderblock", f"encoderblock_{number}")] = value

    stacked = open_checkpoint(DATA / "big-vision-siglip" / "siglip.npz").model()
    separate = open_checkpoint(npz(tmp_path, unstack)).model()
    assert separate.config == replace(stacked.config, name="changed", provenance=separate.config.provenance)
    assert separate.config.space_id == stacked.config.space_id
    assert all(torch.equal(value, separate.state_dict()[name]) for name, value in stacked.state_dict().items())


def test_half_floats_and_an_optimizers_state_are_read_over(tmp_path: Path) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        bits = arrays["params/txt/head/bias"].astype("<f4").view("<u4")
        arrays["params/txt/head/bias"] = (bits >> 16).astype("<u2").view("V2")  # bfloat16, as JAX programs save it
        arrays["opt/0/mu/img/head"] = np.zeros(3)

    checkpoint = open_checkpoint(npz(tmp_path, change))
    whole = np.load(DATA / "big-vision-siglip" / "siglip.npz")["params/txt/head/bias"]
    np.testing.assert_allclose(checkpoint.state()["text.projection.bias"], whole, rtol=2**-7)
    assert inspect(tmp_path / "changed.npz").format == "big_vision"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("params/b"), "missing: logit_bias"),
        (lambda arrays: arrays.pop("params/img/MAPHead_0/probe"), "no MAPHead_0"),
        (
            lambda arrays: arrays.pop("params/txt/Encoder_0/encoderblock/MlpBlock_0/Dense_1/bias"),
            "missing: text.blocks.0.mlp.down",
        ),
        (lambda arrays: arrays.update({"params/img/cls": np.zeros((1, 1, 24), "f4")}), "left over: img/cls"),
        (lambda arrays: arrays.update({"params/b": np.zeros((3,), "f4")}), r"b: shape \(3,\), expected \(\)"),
    ],
    ids=["no bias", "no pooling", "no layer", "something else", "three biases"],
)
def test_an_npz_that_is_not_whole(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(npz(tmp_path, change)).model()


def hostile(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


def array(value: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value, **options)
    return stream.getvalue()


def test_an_npz_that_is_damaged_or_hostile(tmp_path: Path) -> None:
    objects = array(np.array([{"a": 1}], dtype=object), allow_pickle=True)
    huge = array(np.zeros(4, "f4")).replace(b"(4,)", b"(4000000000,)".ljust(4))
    for content, message in (
        (objects, "not numbers that weights have"),
        (array(np.zeros(4, "f4"))[:-4], "is 140 bytes long and should be 144"),
        (array(np.array(["text"])), "not numbers that weights have"),
        (b"no array", "is not an .npz file that can be read"),
        (huge, "should be|can be read"),
    ):
        with pytest.raises(CheckpointError, match=message):
            open_checkpoint(hostile(tmp_path / "model.npz", "params/img/Transformer/encoder_norm/scale.npy", content))


def test_settings_by_rule() -> None:
    d = open_checkpoint(DATA / "big-vision-siglip" / "siglip.npz").description
    assert isinstance(d.text, ClipTextConfig)
    assert (d.text.heads, d.image.heads, d.text.activation) == (2, 3, "gelu_tanh")  # type: ignore[union-attr]
    assert d.image_spec is not None
    assert (d.image_spec.resize, d.image_spec.mean, d.image_spec.interpolation) == ("squash", (0.5, 0.5, 0.5), "bilinear")


def test_perception_encoder_is_not_taken_for_siglip() -> None:
    names = {"visual.trunk.attn_pool.latent", "visual.trunk.pos_embed", "visual.trunk.blocks.0.attn.qkv.weight"}
    assert siglip_trunk.TRUNK.recognises(names)
    assert not siglip_trunk.TRUNK.recognises(names | {"visual.trunk.norm_pre.weight"})  # bigG has no class token
