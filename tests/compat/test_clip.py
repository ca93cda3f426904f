"""seesay.compat.clip beyond the snippets: the original's numbers, whose ids are whose, and what is wrong with a tensor."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seesay
from seesay.compat import clip
from seesay.compat.clip import CLIP, TextTooLong, decode
from seesay.errors import CheckpointError, DownloadError, InputError, MissingCapability, ModelError
from seesay.tokenizers.cleaning import clip as cleaned
from tests.parity.strings import kind_of, strings
from tests.parity.test_checkpoints import DATA, RELATIVE, open_fixture, relative


@pytest.fixture(scope="module")
def bundled_clip() -> CLIP:
    return clip.load("bundled", device="cpu")[0]


@pytest.fixture(scope="module")
def openai(tiny: dict[str, Path]) -> CLIP:
    return clip.load(tiny["openai"], device="cpu")[0]


@pytest.mark.parametrize("name", ["openai-vit-archive", "openai-resnet-archive"])
def test_the_originals_numbers_with_gradients(name: str) -> None:
    model, _ = clip.load(str(DATA / name / "model.pt"), device="cpu")
    expected = open_fixture(name)[1]
    pixels, ids = torch.from_numpy(expected["pixels"]), torch.from_numpy(expected["ids"])
    assert relative(model.encode_image(pixels).detach(), expected["image"]) <= RELATIVE
    assert relative(model.encode_text(ids.int()).detach(), expected["text"]) <= RELATIVE
    per_image, per_text = model(pixels, ids)
    assert relative(per_image.detach(), expected["logits"]) <= RELATIVE
    assert torch.equal(per_text, per_image.T)
    per_image.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.no_grad():
        assert not model.encode_image(pixels).requires_grad


def test_what_code_reads_off_a_model(openai: CLIP) -> None:
    assert not openai.training
    assert (openai.visual.input_resolution, openai.visual.output_dim, openai.context_length, openai.vocab_size) == (
        *(32, 24),
        *(77, 49408),
    )
    assert openai.dtype == torch.float32
    assert openai.device == openai.logit_scale.device == torch.device("cpu")
    assert openai.state_dict().keys() == {name for name, _ in openai.named_parameters()}
    pixels = torch.randn(2, 3, 32, 32)
    assert torch.equal(openai.visual(pixels), openai.encode_image(pixels))


def test_half_precision_and_back(tiny: dict[str, Path]) -> None:
    model, _ = clip.load(tiny["openai"], device="cpu")
    pixels, ids = torch.randn(2, 3, 32, 32), clip.tokenize(["a dog", "a cat"])
    expected = model(pixels, ids)[0]
    model = model.half().eval()
    assert model.dtype == torch.float16
    torch.testing.assert_close(model(pixels, ids)[0].float(), expected, rtol=0.02, atol=0.02)
    assert model.float().to("cpu").dtype == torch.float32


def test_preprocess_is_the_models_own(photos: list[Path]) -> None:
    _, preprocess = clip.load("bundled")
    with Image.open(photos[0]) as image:
        pixels = preprocess(image)
    assert pixels.shape == (3, 280, 280)
    np.testing.assert_array_equal(pixels[None].numpy(), seesay.load().preprocess(photos[0]))
    with pytest.raises(InputError, match="expected a path, .* got float"):
        preprocess(0.5)  # type: ignore[arg-type]


def test_available_models_are_openais_and_have_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    names = clip.available_models()
    assert len(names) == 9
    for name in names:
        file = name.replace("/", "-").replace("@", "-") + ".pt"
        with pytest.raises(DownloadError, match=file):
            clip.load(name)
    with pytest.raises(ModelError, match="no model 'ViT-B/33'.*near: ViT-B/32"):
        clip.load("ViT-B/33")


def test_tokenize_gives_openais_ids() -> None:
    ids = clip.tokenize(["a diagram", "a dog"])
    assert (ids.shape, ids.dtype) == ((2, 77), torch.int32)
    assert ids[1, :5].tolist() == [49406, 320, 1929, 49407, 0]
    assert clip.tokenize("a dog", context_length=4).tolist() == [[49406, 320, 1929, 49407]]
    with pytest.raises(RuntimeError, match="Input a dog on grass is too long for context length 4"):
        clip.tokenize(["a dog", "a dog on grass"], context_length=4)
    assert clip.tokenize("a dog on grass", context_length=4, truncate=True).tolist() == [[49406, 320, 1929, 49407]]
    with pytest.raises(InputError, match="expected a string or a list of strings, got int"):
        clip.tokenize(5)  # type: ignore[arg-type]


def test_a_models_own_tokenize(bundled_clip: CLIP, bundled: seesay.Model) -> None:
    ids = bundled_clip.tokenize(["A dog on grass", "two"])
    assert (ids.shape, ids.dtype) == ((2, 77), torch.int32)
    own = bundled.tokenize(["A dog on grass", "two"])
    np.testing.assert_array_equal(ids[:, : own.shape[1]].numpy(), own)
    long = "dog " * 100
    with pytest.raises(TextTooLong, match="pass truncate=True"):
        bundled_clip.tokenize(long)
    assert bundled_clip.tokenize(long, context_length=256).shape == (1, 256)
    assert bundled_clip.tokenize(long, truncate=True)[0, -1] == own[0, 5]  # [SEP]
    with pytest.raises(InputError, match="at least 1, got -1"):
        bundled_clip.tokenize("a dog", context_length=-1)


def test_another_vocabulary_reads_openais_ids_as_words(bundled_clip: CLIP) -> None:
    texts = ["A photo of a dog.", "Don't — it's a café: 20:24!", "close-up", ""]
    ids = clip.tokenize(texts)
    torch.testing.assert_close(bundled_clip.encode_text(ids), bundled_clip.encode_text(bundled_clip.tokenize(texts)))
    moved = torch.cat([clip.tokenize(text) for text in texts])[:2].long()
    torch.testing.assert_close(bundled_clip.encode_text(moved), bundled_clip.encode_text(bundled_clip.tokenize(texts[:2])))


def test_ordinary_words_come_back_from_openais_ids(bundled_clip: CLIP) -> None:
    """Without digits beside each other, which nothing can tell apart. Quotes are straight afterwards."""
    english = [t for number, t in enumerate(strings()) if number < 30_000 and kind_of(number) == "english"]
    texts = [cleaned(text) for text in english if not any(c.isdigit() for c in text)]
    assert len(texts) > 300
    ids = clip.tokenize(texts, truncate=True)
    whole = [i for i, row in enumerate(ids.tolist()) if row[-1] == 0]
    back = bundled_clip.tokenize([decode(ids[i].tolist()) for i in whole], 256)
    assert torch.equal(back, bundled_clip.tokenize([texts[i] for i in whole], 256))


def test_a_digit_beside_a_word_brings_a_warning(bundled_clip: CLIP) -> None:
    with pytest.warns(UserWarning, match=r"\('mp3' or 'mp 3'\).* model.tokenize\(texts\) keeps") as caught:
        bundled_clip.encode_text(clip.tokenize("an mp3 player"))
    assert caught[0].filename == __file__


def test_a_vocabulary_with_capitals_does_not_take_openais_ids(tmp_path: Path, tiny: dict[str, Path]) -> None:
    import json
    import shutil

    folder = tmp_path / "cased"
    shutil.copytree(tiny["hf_chinese"], folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    model, _ = clip.load(folder, device="cpu")
    assert model.encode_text(model.tokenize("两只狗")).shape == (1, 24)
    with pytest.raises(InputError, match="ids 0 to 21127, got 0 to 49407. Make the ids for model 'cased' with model.tokenize"):
        model.encode_text(clip.tokenize("a dog"))


def test_chinese_clip_reads_openais_ids(tiny: dict[str, Path]) -> None:
    model, _ = clip.load(tiny["hf_chinese"], device="cpu")
    texts = ["两只狗在草地上", "皮卡丘"]
    torch.testing.assert_close(model.encode_text(clip.tokenize(texts)), model.encode_text(model.tokenize(texts)))


def test_ids_that_are_not_the_models_are_refused(bundled_clip: CLIP, openai: CLIP) -> None:
    theirs, last = bundled_clip.tokenize("a dog"), seesay.load().config.text.vocabulary - 1
    with pytest.raises(InputError, match="every text ends with the id 49407, which some row lacks. .*model.tokenize"):
        openai.encode_text(theirs)
    with pytest.raises(InputError, match="every text begins with the id 2, got 5"):
        bundled_clip.encode_text(torch.cat([theirs, torch.full((1, 77), 5)]))
    with pytest.raises(InputError, match=f"ids 0 to {last}, got 0 to 49407"):  # some rows are OpenAI's
        bundled_clip.encode_text(torch.cat([theirs, clip.tokenize("a dog")]))
    with pytest.raises(InputError, match="at most 77 tokens, got 80"):
        openai.encode_text(clip.tokenize("a dog", context_length=80))
    with pytest.raises(InputError, match=r"expected token ids \(N, L\) as whole numbers, got \(77,\) torch.int32"):
        openai.encode_text(clip.tokenize("a dog")[0])
    with pytest.raises(InputError, match="torch.float32"):
        openai.encode_text(torch.zeros(1, 77))
    small, _ = clip.load(DATA / "openai-vit-archive" / "model.pt")
    with pytest.raises(InputError, match="ids 0 to 299, got 0 to 49407"):
        small.encode_text(clip.tokenize("a dog", context_length=16))
    with pytest.raises(InputError, match=r"got \(0, 77\) torch.int32"):
        openai.encode_text(clip.tokenize([]))


def test_pixels_that_are_not_the_models_are_refused(openai: CLIP) -> None:
    with pytest.raises(InputError, match=r"takes pixels \(N, 3, 32, 32\) as floats, got \(3, 32, 32\) .*unsqueeze\(0\)"):
        openai.encode_image(torch.zeros(3, 32, 32))
    with pytest.raises(InputError, match=r"got \(1, 3, 224, 224\)"):
        openai(torch.zeros(1, 3, 224, 224), clip.tokenize("a dog"))
    with pytest.raises(InputError, match="uint8"):
        openai.encode_image(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def test_what_a_file_leaves_open_is_passed_to_load() -> None:
    file = DATA / "open-clip-training" / "epoch_2.pt"
    with pytest.raises(CheckpointError, match="Pass activation="):
        clip.load(file)
    model, _ = clip.load(file, activation="gelu", image_heads=4, text_heads=3, preprocessing="openai")
    expected = open_fixture("open-clip-training")[1]
    assert relative(model.encode_image(torch.from_numpy(expected["pixels"])).detach(), expected["image"]) <= RELATIVE


def test_a_missing_tower_or_vocabulary() -> None:
    with pytest.raises(MissingCapability, match="encodes texts only"):
        clip.load(DATA / "hf-text-projection-5")
    pictures, _ = clip.load(DATA / "hf-vision-projection-5")
    assert (pictures.context_length, pictures.vocab_size) == (0, 0)
    for call in (pictures.tokenize, lambda text: pictures.encode_text(clip.tokenize(text))):
        with pytest.raises(MissingCapability, match="encodes pictures only"):
            call("a dog")
    without, _ = clip.load(DATA / "hf-clip-5")
    with pytest.raises(ModelError, match="came without its vocabulary; put its tokenizer.json beside"):
        without.tokenize("a dog")


def test_one_text_in_two_brackets_is_one_text(tiny: dict[str, Path]) -> None:
    """As a published course has it: (1, 1, 77). Several texts in brackets of their own are no ids, as before."""
    model, _ = clip.load(tiny["openai"])
    for ids in (model.tokenize("a dog"), clip.tokenize("a dog")):
        assert torch.equal(model.encode_text(ids.unsqueeze(0)), model.encode_text(ids))
    for odd in (model.tokenize(["a dog", "a cat"]).unsqueeze(0), model.tokenize("a dog")[None, None]):
        with pytest.raises(InputError, match=r"expected token ids \(N, L\)"):
            model.encode_text(odd)


def test_what_is_absent_says_so_by_name() -> None:
    with pytest.raises(
        AttributeError, match=r"compat.clip has no 'build_model' of clip; it has CLIP, TextTooLong, available_mo"
    ):
        _ = clip.build_model
    assert not hasattr(clip, "build_model")
    with pytest.raises(ImportError, match="'build_model'"):
        from seesay.compat.clip import build_model  # noqa: F401


def test_download_root_is_answered(tiny: dict[str, Path], tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="SEESAY_CACHE"):
        clip.load(tiny["openai"], jit=True, download_root=str(tmp_path))


@pytest.mark.parametrize(
    "code", ["import seesay.compat.clip", "from seesay.compat import hf", "import seesay; seesay.CLIP.pretrained()"]
)
def test_without_torch_the_extra_is_named(code: str) -> None:
    """As where torch is not installed: no finder knows it."""
    hide = """
import importlib.abc, importlib.machinery, sys
class Hidden(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "torch" else super().find_spec(name, path, target)
sys.meta_path[:] = [Hidden if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
from seesay import *
"""
    done = subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True, check=False)
    assert "MissingExtra: seesay.compat needs an optional package. Install it with: pip install 'seesay[torch]'" in done.stderr
