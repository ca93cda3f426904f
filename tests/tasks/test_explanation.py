"""Heat maps are hot where a text's thing is; removing that part costs most of the score."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seesay.engines.fake import FakeEngine
from seesay.errors import InputError, MissingCapability
from seesay.images.preprocess import shown_whole
from seesay.model import Model
from seesay.tasks.explanation import SHARES, Explanation, Way, deletion, explain, fits, hottest, insertion


def square(size: int = 96) -> tuple[Image.Image, np.ndarray]:
    """A red square in a black picture, and where it is."""
    where = np.zeros((size, size), dtype=bool)
    where[size // 8 : size // 2, size // 8 : size // 2] = True
    return Image.fromarray(np.where(where[:, :, None], (255, 0, 0), (0, 0, 0)).astype(np.uint8)), where


@pytest.mark.parametrize("way", ["cells", "occlusion"])
def test_the_heat_lies_where_the_thing_is(fake: Model, way: Way) -> None:
    picture, where = square()
    found = explain(fake, picture, "red", way)
    assert found.heat.shape == (64, 64)
    assert found.heat.dtype == np.float32
    assert found.score == pytest.approx(float((fake.encode_image(picture) @ fake.encode_text("red").T)[0, 0]), abs=1e-6)
    small = np.asarray(Image.fromarray(where).resize((64, 64)))
    assert small[hottest(found.heat, 0.08)].mean() > 0.9
    assert found.heat[small].mean() > found.heat[~small].mean() + 0.01


def test_removing_the_hot_part_costs_more_than_removing_others(fake: Model) -> None:
    picture, where = square()
    text = fake.encode_text("red")[0]
    heat = where.astype(np.float32)
    (whole, without), (_, other) = deletion(fake, picture, text, heat, (0, 0.2)), deletion(fake, picture, text, -heat, (0, 0.2))
    assert whole - without > 2 * abs(whole - other)


def test_deletion_and_insertion_end_where_the_other_begins(fake: Model) -> None:
    picture, where = square()
    text, heat = fake.encode_text("red")[0], where.astype(np.float32)
    less, more = deletion(fake, picture, text, heat), insertion(fake, picture, text, heat)
    assert less.shape == more.shape == (len(SHARES),)
    assert less[0] == pytest.approx(more[-1])
    assert less[-1] == pytest.approx(more[0])
    assert less[0] == pytest.approx(float((fake.encode_image(picture) @ text)[0]), abs=1e-6)


def test_the_hottest_share_is_as_large_as_asked_and_of_equals_the_first() -> None:
    heat = np.array([[1.0, 3.0], [3.0, 2.0]])
    assert hottest(heat, 0.25).tolist() == [[False, True], [False, False]]
    assert hottest(heat, 0.75).tolist() == [[False, True], [True, True]]
    assert not hottest(heat, 0).any()
    assert hottest(heat, 1).all()


@pytest.mark.parametrize("way", ["cells", "occlusion"])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (300, 2)])
def test_tiny_and_thin_pictures(fake: Model, way: Way, size: tuple[int, int]) -> None:
    heat = explain(fake, Image.new("RGB", size, "red"), "red", way).heat
    assert np.isfinite(heat).all()
    assert heat.ndim == 2
    assert max(heat.shape) <= 64


def test_occlusion_needs_no_cells(fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability("no features per patch")

    monkeypatch.setattr(type(fake.engine), "encode_dense", fail)
    with pytest.raises(MissingCapability):
        explain(fake, square()[0], "red")
    assert explain(fake, square()[0], "red", "occlusion").heat.max() > 0


@pytest.fixture
def seeing(fake: Model) -> Model:
    """The fake model with a small ViT in torch, every weight random, in place of its image tower."""
    pytest.importorskip("torch")
    from seesay.engines.torch import TorchEngine
    from seesay.models.clip import Clip
    from tests.models.test_dense_modes import CONFIG, tower

    clip = Clip(replace(fake.config, image=CONFIG, dim=12, text=None, tokenizer_spec=None))
    clip.image = tower()

    class Seeing(TorchEngine):
        def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
            return FakeEngine(12).encode_tokens(ids)

    spec = replace(fake.image_spec, size_px=24, resize_px=32)
    config = replace(clip.config, image_spec=spec, text=fake.config.text, tokenizer_spec=fake.config.tokenizer_spec)
    return Model(config, fake.tokenizer, Seeing(clip))


def test_attention_explains_the_whole_picture(seeing: Model) -> None:
    picture = square()[0].resize((96, 48))
    text = seeing.encode_text(["red"])
    legrad, other = (explain(seeing, picture, word, "legrad").heat for word in ("red", "blue"))
    rollout, same = (explain(seeing, picture, word, "rollout").heat for word in ("red", "blue"))
    assert legrad.shape == rollout.shape == (32, 64)
    assert not np.array_equal(legrad, other)
    np.testing.assert_array_equal(rollout, same)
    squashed = shown_whole(picture, (0, 0, 96, 48), seeing.image_spec)
    (relevance,) = seeing.patch_relevance([squashed], text)
    small = np.asarray(Image.fromarray(legrad).resize((3, 3), Image.Resampling.BOX))
    assert np.corrcoef(small.ravel(), relevance.ravel())[0, 1] > 0.95  # where it was, however it was enlarged
    assert legrad.min() >= 0


def test_without_attention_that_can_be_seen(fake: Model, bundled: Model) -> None:
    with pytest.raises(MissingCapability, match="does not see the attention"):
        explain(fake, square()[0], "red", "legrad")
    with pytest.raises(MissingCapability, match="engine='torch'"):
        explain(bundled, square()[0], "red", "rollout")


def test_small_numbers_keep_their_digits() -> None:
    assert Explanation(0.5, np.array([[0.1234567, 0.00001234567]])).rows() == [[0.12346, 1.2346e-05]]


def test_a_text_fits_if_most_phrases_fit_worse() -> None:
    phrases = np.linspace(0, 1, 101)
    assert fits(0.85, phrases)
    assert not fits(0.7, phrases)


def test_an_empty_text_is_refused(fake: Model) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        explain(fake, square()[0], " \n")
