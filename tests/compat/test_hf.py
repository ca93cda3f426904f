"""seesay.compat.hf beyond the snippets: names, batches, padding, the original's numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seesay.compat import hf
from seesay.compat.hf import CLIPModel, CLIPProcessor, CLIPTokenizerFast
from seesay.errors import DownloadError, InputError, MissingCapability, ModelError
from tests.hub_server import HubServer
from tests.parity.fixtures import contrastive
from tests.parity.test_checkpoints import DATA, RELATIVE, open_fixture, relative, unit


@pytest.mark.parametrize("name", ["hf-clip-4", "hf-clip-5", "hf-clip-gelu-5", "hf-chinese-clip-4", "hf-chinese-clip-5"])
def test_the_originals_numbers(name: str) -> None:
    model = hf.AutoModel.from_pretrained(DATA / name)
    expected = open_fixture(name)[1]
    pixels, ids = torch.from_numpy(expected["pixels"]), torch.from_numpy(expected["ids"])
    assert relative(model.get_image_features(pixel_values=pixels).detach(), expected["image"]) <= RELATIVE
    assert relative(model.get_text_features(ids, token_type_ids=torch.zeros_like(ids)).detach(), expected["text"]) <= RELATIVE
    outputs = model(input_ids=ids, pixel_values=pixels, return_loss=True)
    assert relative(outputs.logits_per_image.detach(), expected["logits"]) <= RELATIVE
    assert relative(outputs["text_embeds"].detach(), unit(expected["text"])) <= RELATIVE
    assert torch.equal(outputs.logits_per_text, outputs.logits_per_image.T)
    torch.testing.assert_close(outputs.loss, contrastive(outputs.logits_per_image))
    assert outputs[1] is outputs.logits_per_image
    without = model(ids, pixels)
    assert without.loss is None
    assert without[0] is without.logits_per_image
    with pytest.raises(AttributeError, match="no 'last_hidden_state' here, only loss, logits_per_image"):
        _ = without.last_hidden_state


def test_the_tokenizer_gives_transformers_ids(tiny: dict[str, Path]) -> None:
    """49407 pads, as in its vocabulary of CLIP; 0 in Chinese-CLIP's. The ids are those of transformers 5.23."""
    tokenizer = CLIPTokenizerFast.from_pretrained(tiny["hf"], use_fast=True)
    outputs = tokenizer(["a dog", "a dog on grass"], padding=True, return_tensors="pt")
    assert outputs.input_ids.tolist() == [[49406, 320, 1929, 49407, 49407, 49407], [49406, 320, 1929, 525, 5922, 49407]]
    assert outputs["attention_mask"].tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert outputs.input_ids.dtype == torch.int64
    assert tokenizer("a dog") == {"input_ids": [49406, 320, 1929, 49407], "attention_mask": [1, 1, 1, 1]}
    assert tokenizer(["a dog", "a"])["input_ids"] == [[49406, 320, 1929, 49407], [49406, 320, 49407]]
    assert tokenizer(["a dog", "a"], padding=True)["input_ids"][1] == [49406, 320, 49407, 49407]
    full = tokenizer(["a dog"], padding="max_length", return_tensors="np")
    assert full.input_ids.shape == (1, tokenizer.model_max_length) == (1, 77)
    cut = tokenizer("a dog on grass", max_length=4, truncation=True, return_tensors="pt")
    assert cut.input_ids.tolist() == [[49406, 320, 1929, 49407]]
    chinese = hf.AutoTokenizer.from_pretrained(tiny["hf_chinese"])
    assert chinese(["两只狗", "狗"], padding="longest").input_ids[1] == [101, 4318, 102, 0, 0]


def test_what_the_tokenizer_refuses(tiny: dict[str, Path]) -> None:
    tokenizer = CLIPTokenizerFast.from_pretrained(tiny["hf"])
    for given, section in (
        ({"text": ["a dog", "a"], "return_tensors": "pt"}, "pass padding=True"),
        ({"text": "dog " * 80}, "longer than 77 tokens; pass truncation=True"),
        ({"text": "a dog", "padding": "left"}, "padding is True, 'longest', 'max_length' or False, got 'left'"),
        ({"text": "a dog", "return_tensors": "tf"}, "return_tensors is 'pt', 'np' or None, got 'tf'"),
        ({"text": [1, 2]}, "expected a string or a list of strings"),
    ):
        with pytest.raises(InputError, match=section):
            tokenizer(**given)  # type: ignore[arg-type]


def test_padding_and_masks_never_change_a_vector(tiny: dict[str, Path]) -> None:
    for name, text in (("hf", "a dog"), ("hf_chinese", "两只狗")):
        model, tokenizer = CLIPModel.from_pretrained(tiny[name]), CLIPTokenizerFast.from_pretrained(tiny[name])
        alone = model.get_text_features(**tokenizer(text, return_tensors="pt"))
        long = tokenizer(text, padding="max_length", max_length=20, return_tensors="pt")
        torch.testing.assert_close(model.get_text_features(**long), alone, atol=1e-5, rtol=1e-5)
        other = long.input_ids.masked_fill(long.attention_mask == 0, 7)  # padding of another kind
        torch.testing.assert_close(model.get_text_features(other, long.attention_mask), alone, atol=1e-5, rtol=1e-5)


def test_masks_that_cannot_be_followed(tiny: dict[str, Path]) -> None:
    model = CLIPModel.from_pretrained(tiny["hf"])
    ids = CLIPTokenizerFast.from_pretrained(tiny["hf"])("a dog", return_tensors="pt").input_ids
    with pytest.raises(InputError, match="tokens after padding; pad on the right"):
        model.get_text_features(ids, torch.tensor([[0, 1, 1, 1]]))
    with pytest.raises(InputError, match=r"\(1, 3\) does not fit input_ids \(1, 4\)"):
        model.get_text_features(ids, torch.ones(1, 3))
    with pytest.raises(InputError, match="token_type_ids other than 0"):
        model.get_text_features(ids, token_type_ids=torch.ones_like(ids))
    with pytest.raises(InputError, match="the loss takes pairs, got 2 pictures and 1 texts"):
        model(ids, torch.zeros(2, 3, 32, 32), return_loss=True)
    with pytest.raises(InputError, match="Make the ids for model 'bundled' with CLIPProcessor"):
        CLIPModel.from_pretrained("bundled").get_text_features(ids)


def test_the_processor_takes_texts_pictures_or_both(photos: list[Path], tiny: dict[str, Path]) -> None:
    processor = CLIPProcessor.from_pretrained(tiny["hf"], use_fast=False)
    with Image.open(photos[0]) as image:
        both = processor(["a dog", "a cat"], [image, np.asarray(image.convert("RGB"))], return_tensors="pt", padding=True)
        only = processor(images=image, return_tensors="np")
        plain = hf.AutoImageProcessor.from_pretrained(tiny["hf"])(image)
    assert list(both) == ["input_ids", "attention_mask", "pixel_values"]
    assert both.pixel_values.shape == (2, 3, 32, 32)
    assert list(only) == ["pixel_values"]
    np.testing.assert_array_equal(only.pixel_values[0], plain["pixel_values"][0])
    moved = both.to("cpu", torch.float16)
    assert (moved.pixel_values.dtype, moved.input_ids.dtype) == (torch.float16, torch.int64)
    with pytest.raises(InputError, match="expected text, images or both, got neither"):
        processor()
    with pytest.raises(InputError, match="pass it as images="):
        processor(image)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one picture"):
        processor(images=[])


def test_names_in_the_catalogue_need_no_download_for_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    for name in ("openai/clip-vit-base-patch32", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"):
        processor = CLIPProcessor.from_pretrained(name)
        assert processor(text=["a dog"], return_tensors="pt").input_ids.tolist() == [[49406, 320, 1929, 49407]]
        with pytest.raises(DownloadError):
            CLIPModel.from_pretrained(name)
    assert hf.ChineseCLIPProcessor.from_pretrained("OFA-Sys/chinese-clip-vit-base-patch16")("狗").input_ids == [101, 4318, 102]


def test_owner_and_name_are_a_repository_on_the_hub(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as hub:
        hub.add("somebody/clip", tiny["hf"])
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        model, processor = CLIPModel.from_pretrained("somebody/clip"), CLIPProcessor.from_pretrained("somebody/clip")
    assert model.get_text_features(**processor(text=["a dog"], return_tensors="pt")).shape == (1, 24)


def test_dtype_and_device(tiny: dict[str, Path]) -> None:
    assert CLIPModel.from_pretrained(tiny["hf"], torch_dtype=torch.bfloat16, device_map="cpu").dtype == torch.bfloat16
    assert CLIPModel.from_pretrained(tiny["hf"], dtype="float16", attn_implementation="sdpa").dtype == torch.float16
    assert CLIPModel.from_pretrained(tiny["hf"], dtype="auto", device_map="auto").dtype == torch.float32
    with pytest.raises(InputError, match="dtype is 'auto', or a name such as .*, got 'float17'"):
        CLIPModel.from_pretrained(tiny["hf"], dtype="float17")


@pytest.mark.parametrize(
    ("kind", "name", "output"),
    [
        ("CLIPTextModel", "hf-text-4", "pooler_output"),
        ("CLIPTextModel", "hf-text-5", "pooler_output"),
        ("CLIPTextModelWithProjection", "hf-text-projection-5", "text_embeds"),
        ("CLIPTextModelWithProjection", "hf-clip-5", "text_embeds"),
        ("CLIPVisionModel", "hf-vision-5", "pooler_output"),
        ("CLIPVisionModelWithProjection", "hf-vision-projection-4", "image_embeds"),
        ("CLIPVisionModelWithProjection", "hf-clip-5", "image_embeds"),
        ("CLIPVisionModelWithProjection", "hf-chinese-clip-5", "image_embeds"),
    ],
)
def test_one_tower_gives_the_originals_numbers(kind: str, name: str, output: str) -> None:
    model = getattr(hf, kind).from_pretrained(DATA / name)
    expected = open_fixture(name)[1]
    part, given = ("text", "ids") if "Text" in kind else ("image", "pixels")
    outputs = model(torch.from_numpy(expected[given]), output_hidden_states=True)
    assert relative(outputs[output].detach(), expected[part]) <= RELATIVE
    for number, states in enumerate(outputs.hidden_states):
        assert relative(states.detach(), expected[f"{part}.hidden.{number}"]) <= RELATIVE
    last = outputs.last_hidden_state if part == "image" else None
    if last is not None:
        assert torch.equal(last, outputs.hidden_states[-1])
    assert outputs[0] is outputs[next(iter(outputs))]
    assert "hidden_states" not in [
        name for name, value in model(torch.from_numpy(expected[given])).items() if value is not None
    ]
    other = "image" if part == "text" else "text"
    assert not [name for name in model.state_dict() if name.startswith(other)]  # it takes no memory


def test_the_last_states_of_a_text_tower_are_normed_and_padding_is_not_seen() -> None:
    """transformers 5.24 gives the same to the bit (checked beside it); pooled is the state at the end of text."""
    model = hf.CLIPTextModel.from_pretrained(DATA / "hf-text-5")
    ids = torch.from_numpy(open_fixture("hf-text-5")[1]["ids"])
    outputs, end = model(ids), (ids == 299).int().argmax(dim=1)
    torch.testing.assert_close(outputs.last_hidden_state[torch.arange(len(ids)), end], outputs.pooler_output)
    mask = (torch.arange(ids.shape[1]) <= end[:, None]).long()
    masked = model(ids, attention_mask=mask)
    kept = mask[..., None].bool()
    torch.testing.assert_close(masked.last_hidden_state * kept, outputs.last_hidden_state * kept)


def test_a_tower_that_is_not_there_says_so(tiny: dict[str, Path]) -> None:
    for kind, name, section in (
        (hf.CLIPTextModel, DATA / "hf-vision-5", "has no text tower"),
        (hf.CLIPVisionModel, DATA / "hf-text-5", "has no image tower"),
        (hf.CLIPTextModelWithProjection, DATA / "hf-text-5", "has no projection; CLIPTextModel takes it as it is"),
        (hf.CLIPVisionModelWithProjection, DATA / "hf-vision-5", "has no projection; CLIPVisionModel takes it as it is"),
        (hf.CLIPVisionModel, "bundled", "is no ViT"),
    ):
        with pytest.raises(MissingCapability, match=section):
            kind.from_pretrained(name)


def test_auto_classes_take_what_is_there() -> None:
    for name, model, processor in (
        ("hf-clip-5", hf.CLIPModel, hf.CLIPProcessor),
        ("hf-chinese-clip-4", hf.ChineseCLIPModel, hf.ChineseCLIPProcessor),
        ("hf-text-projection-4", hf.CLIPTextModel, hf.CLIPTokenizerFast),
        ("hf-vision-5", hf.CLIPVisionModel, hf.CLIPImageProcessor),
    ):
        assert type(hf.AutoModel.from_pretrained(DATA / name)) is model
        assert type(hf.AutoProcessor.from_pretrained(DATA / name)) is processor


@pytest.mark.parametrize("name", ["hf-clip-5", "hf-chinese-clip-5"])
def test_a_configuration_says_what_the_file_says(name: str) -> None:
    config, file = hf.CLIPConfig.from_pretrained(DATA / name), json.loads((DATA / name / "config.json").read_text())
    assert (config.model_type, config.projection_dim) == (file["model_type"], file["projection_dim"])
    for part, keys in (("text_config", {"hidden_size", "vocab_size"}), ("vision_config", {"image_size", "patch_size"})):
        section = getattr(config, part)
        assert keys <= section.keys()
        assert {key: section[key] for key in keys} == {key: file[part][key] for key in keys}
        assert section.num_hidden_layers == 2
    with pytest.raises(ModelError, match="cannot express this model"):
        hf.AutoConfig.from_pretrained("bundled")


def test_what_is_absent_says_so_by_name() -> None:
    with pytest.raises(AttributeError, match="compat.hf has no 'SiglipModel' of transformers; it has AutoConfig, "):
        _ = hf.SiglipModel
    with pytest.raises(ImportError, match="'SiglipModel'"):
        from seesay.compat.hf import SiglipModel  # noqa: F401


def test_a_folder_that_lacks_something(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="came without its vocabulary"):
        CLIPProcessor.from_pretrained(DATA / "hf-clip-5")("a dog")
    with pytest.raises(MissingCapability, match="encodes pictures only"):
        CLIPProcessor.from_pretrained(DATA / "hf-vision-projection-5")
    with pytest.raises(MissingCapability, match="encodes texts only"):
        CLIPProcessor.from_pretrained(DATA / "hf-text-projection-5")
    with pytest.raises(ModelError, match="no model"):
        CLIPModel.from_pretrained("nothing-like-this")
