"""Published snippets run with the imports changed: on tiny checkpoints under the published names, and on the bundled model.

With a tiny checkpoint nothing else is changed but the picture's file. With the bundled model its name is put in, and photos of
real things must get the labels of real things.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import seesay
from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.compat import lookup
from seesay.model import Model
from tests.compat import published
from tests.conftest import PHOTOS

CAT, DOG = PHOTOS / "animals" / "tabby-cat.jpg", PHOTOS / "animals" / "german-shepherd-on-grass.jpg"
IMPORTS = {
    "import clip\n": "from seesay.compat import clip\n",
    "import open_clip\n": "from seesay.compat import open_clip\n",
    "from transformers import ": "from seesay.compat.hf import ",
    "import requests\n": "",
    "requests.get(url, stream=True).raw": "picture",
    '"CLIP.png"': "picture",
    '"docs/CLIP.png"': "picture",
}
CIFAR = SimpleNamespace(classes=["cat", "dog", "helicopter", "pizza", "castle", "piano"])


def run(snippet: str, picture: Path, names: dict[str, str] | None = None) -> dict[str, Any]:
    for old, new in {**IMPORTS, **(names or {})}.items():
        assert old in snippet or old in IMPORTS, old
        snippet = snippet.replace(old, new)
    with Image.open(picture) as opened:
        image = opened.copy()
    space: dict[str, Any] = {"picture": picture, "image": image, "cifar100": CIFAR}
    exec(snippet, space)
    return space


@pytest.fixture
def on_the_shelf(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny checkpoints lie where the published ones would have been downloaded to."""
    shelf = {
        "ViT-B/32": tiny["openai"],
        "open_clip/ViT-B-32/laion2b_s34b_b79k": tiny["open_clip"],
        "openai/clip-vit-base-patch32": tiny["hf"],
        "OFA-Sys/chinese-clip-vit-base-patch16": tiny["hf_chinese"],
    }

    def locate(name: object, **_: object) -> tuple[Path, CatalogModel | None]:
        return shelf[str(name)], None

    monkeypatch.setattr(lookup, "locate", locate)


def probabilities(model: Model, picture: Path, texts: list[str], scale: float) -> np.ndarray:
    logits = scale * model.encode_image(picture) @ model.encode_text(texts).T
    return torch.from_numpy(logits).softmax(dim=-1).numpy()


LABELS = ["a diagram", "a dog", "a cat"]


@pytest.mark.usefixtures("on_the_shelf")
def test_openai_usage_on_a_tiny_checkpoint(tiny: dict[str, Path]) -> None:
    namespace = run(published.OPENAI_USAGE, CAT)
    model = seesay.load(tiny["openai"], engine="torch")
    np.testing.assert_allclose(namespace["probs"], probabilities(model, CAT, LABELS, model.scale), atol=1e-5)
    torch.testing.assert_close(namespace["logits_per_text"], namespace["logits_per_image"].T)
    expected = model.encode_text(LABELS, normalize=False)
    np.testing.assert_allclose(namespace["text_features"].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(("picture", "best"), [(CAT, "a cat"), (DOG, "a dog")])
def test_openai_usage_on_the_bundled_model(picture: Path, best: str) -> None:
    namespace = run(published.OPENAI_USAGE, picture, {"ViT-B/32": "bundled"})
    assert LABELS[namespace["probs"].argmax()] == best
    assert namespace["probs"].max() > 0.7


@pytest.mark.usefixtures("on_the_shelf")
def test_openai_zero_shot_on_a_tiny_checkpoint(tiny: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    namespace = run(published.OPENAI_ZERO_SHOT, CAT)
    model = seesay.load(tiny["openai"], engine="torch")
    expected = probabilities(model, CAT, [f"a photo of a {c}" for c in CIFAR.classes], 100)
    np.testing.assert_allclose(namespace["similarity"].numpy(), expected, atol=1e-4)
    assert capsys.readouterr().out.count("%") == 5


@pytest.mark.parametrize(("picture", "best"), [(CAT, "cat"), (DOG, "dog"), (PHOTOS / "food" / "pizza-1.jpg", "pizza")])
def test_openai_zero_shot_on_the_bundled_model(picture: Path, best: str) -> None:
    namespace = run(published.OPENAI_ZERO_SHOT, picture, {"ViT-B/32": "bundled"})
    assert CIFAR.classes[namespace["similarity"].argmax()] == best


@pytest.mark.usefixtures("on_the_shelf")
@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_open_clip_usage_on_a_tiny_checkpoint(tiny: dict[str, Path]) -> None:
    namespace = run(published.OPEN_CLIP_USAGE, CAT)
    expected = probabilities(seesay.load(tiny["open_clip"], engine="torch"), CAT, LABELS, 100)
    np.testing.assert_allclose(namespace["text_probs"].numpy(), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize(("picture", "best"), [(CAT, "a cat"), (DOG, "a dog")])
def test_open_clip_usage_on_the_bundled_model(picture: Path, best: str) -> None:
    names = {"'ViT-B-32', pretrained='laion2b_s34b_b79k'": "'bundled'", "get_tokenizer('ViT-B-32')": "get_tokenizer('bundled')"}
    namespace = run(published.OPEN_CLIP_USAGE, picture, names)
    assert LABELS[namespace["text_probs"].argmax()] == best
    assert namespace["text_probs"].max() > 0.99


PROMPTS = ["a photo of a cat", "a photo of a dog"]
NAME = "openai/clip-vit-base-patch32"


@pytest.mark.usefixtures("on_the_shelf")
def test_hf_card_on_a_tiny_checkpoint(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "find", lambda name: None)  # this one has a tokenizer and preprocessing of its own
    namespace = run(published.HF_CARD, CAT)
    model = seesay.load(tiny["hf"], engine="torch")
    expected = probabilities(model, CAT, PROMPTS, model.scale)
    np.testing.assert_allclose(namespace["probs"].detach().numpy(), expected, atol=1e-5)
    assert namespace["probs"].requires_grad


@pytest.mark.parametrize(("picture", "best"), [(CAT, 0), (DOG, 1)])
def test_hf_card_on_the_bundled_model(bundled: Model, picture: Path, best: int) -> None:
    namespace = run(published.HF_CARD, picture, {NAME: "bundled"})
    assert namespace["probs"][0].argmax() == best
    assert namespace["probs"].max() > 0.8


@pytest.mark.usefixtures("on_the_shelf")
def test_hf_features_on_a_tiny_checkpoint(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "find", lambda name: None)
    namespace = run(published.HF_FEATURES, CAT)
    expected = seesay.load(tiny["hf"], engine="torch").similarity(CAT, PROMPTS)
    np.testing.assert_allclose(namespace["similarity"].detach().numpy(), expected, atol=1e-5)


def test_hf_features_on_the_bundled_model() -> None:
    namespace = run(published.HF_FEATURES, CAT, {NAME: "bundled"})
    expected = seesay.load(engine="torch").similarity(CAT, PROMPTS)
    np.testing.assert_allclose(namespace["similarity"].detach().numpy(), expected, atol=1e-5)
    assert namespace["similarity"][0, 0] > namespace["similarity"][0, 1]


@pytest.mark.usefixtures("on_the_shelf")
def test_hf_chinese_on_a_tiny_checkpoint(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "find", lambda name: None)
    namespace = run(published.HF_CHINESE, CAT)
    model = seesay.load(tiny["hf_chinese"], engine="torch")
    expected = probabilities(model, CAT, namespace["texts"], model.scale)
    np.testing.assert_allclose(namespace["probs"].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("picture", "best"), [(CAT, 0), (DOG, 1)])
def test_the_teaching_form(picture: Path, best: int) -> None:
    namespace = run(published.TEACHING, picture)
    assert namespace["similarity"][0, best] > 0.99


def test_the_teaching_form_with_another_model(tiny: dict[str, Path]) -> None:
    namespace = run(published.TEACHING, CAT, {"CLIP.pretrained()": f"CLIP.pretrained({str(tiny['openai'])!r}, device='cpu')"})
    expected = probabilities(seesay.load(tiny["openai"], engine="torch"), CAT, ["a cat", "a dog"], 100)
    np.testing.assert_allclose(namespace["similarity"].detach().numpy(), expected, atol=1e-4)
