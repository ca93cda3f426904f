"""Model: inputs of every kind, one bad picture among good ones, similarity, classification."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError, ModelError, SkippedInput, UnreadableImage
from seesay.model import Model
from seesay.system.prefetch import prefetch
from tests.conftest import Paint


def test_encode_image_takes_one_or_many_of_any_kind(fake: Model, paint: Paint) -> None:
    path = paint("a.png", "blue")
    image = Image.open(path)
    array = np.asarray(image)
    one = fake.encode_image(path)
    assert one.shape == (1, 16)
    assert one.dtype == np.float32
    mixed = [path, str(path), path.read_bytes(), image, array]
    np.testing.assert_allclose(fake.encode_image(mixed), np.repeat(one, 5, axis=0), atol=1e-6)
    np.testing.assert_allclose(fake.encode_image(x for x in mixed), np.repeat(one, 5, axis=0), atol=1e-6)
    np.testing.assert_allclose(fake.encode_image(np.stack([array, array])), np.repeat(one, 2, axis=0), atol=1e-6)
    for single in mixed:
        assert fake.encode_image(single).shape == (1, 16)
    assert fake.encode_image([]).shape == (0, 16)
    assert fake.encode_text([]).shape == (0, 16)


def test_vectors_have_unit_length_unless_raw_is_asked_for(fake: Model, paint: Paint) -> None:
    path = paint("a.png", "blue")
    for unit, raw in (
        (fake.encode_image(path), fake.encode_image(path, normalize=False)),
        (fake.encode_text("blue"), fake.encode_text("blue", normalize=False)),
    ):
        assert np.linalg.norm(unit) == pytest.approx(1, abs=1e-6)
        assert abs(np.linalg.norm(raw) - 1) > 0.01
        np.testing.assert_allclose(raw / np.linalg.norm(raw), unit, atol=1e-6)


def test_order_is_kept_over_many_batches(fake: Model, paint: Paint) -> None:
    paths = [paint(f"{i}.png", ["red", "green", "blue"][i % 3]) for i in range(50)]
    together = fake.encode_image(paths)
    np.testing.assert_allclose(together, np.concatenate([fake.encode_image(path) for path in paths]), atol=1e-6)
    texts = ["red", "a much longer text about blue", "x"] * 60
    np.testing.assert_allclose(fake.encode_text(texts), np.concatenate([fake.encode_text(t) for t in texts]), atol=1e-6)


def test_a_bad_picture_fails_alone(fake: Model, paint: Paint, tmp_path: Path) -> None:
    good, bad = [paint(f"{i}.png") for i in range(20)], tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    items = [*good[:7], bad, *good[7:], b""]
    with pytest.raises(UnreadableImage, match=r"bad\.jpg: is not a picture"):
        fake.encode_image(items)
    with pytest.warns(SkippedInput, match=r"left out 2 of 22 pictures: .*bad\.jpg.*; picture 22: is empty"):
        vectors = fake.encode_image(items, on_error="skip")
    np.testing.assert_allclose(vectors, fake.encode_image(good), atol=1e-6)
    results = list(fake.each_image(items))
    assert [isinstance(r, UnreadableImage) for r in results] == [i in (7, 21) for i in range(22)]
    with pytest.raises(InputError, match="on_error is 'raise' or 'skip'"):
        fake.encode_image(good, on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected pictures or paths of pictures, got int"):
        fake.encode_image(3)  # type: ignore[arg-type]


def test_a_generator_is_not_read_far_ahead(fake: Model, paint: Paint) -> None:
    path, taken = paint("a.png"), 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield path

    results = fake.each_image(endless())
    for _ in range(3):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken < 80


def test_prefetch_keeps_order_and_raises_the_first_error() -> None:
    assert list(prefetch(lambda x: x * 2, range(100), threads=4, ahead=8)) == list(range(0, 200, 2))
    with pytest.raises(ZeroDivisionError):
        list(prefetch(lambda x: 1 // (x - 5), range(100), threads=4, ahead=8))


def test_similarity_of_any_two_kinds(fake: Model, paint: Paint) -> None:
    red, blue = paint("red.png", "red"), paint("blue.png", "blue")
    table = fake.similarity([red, str(blue)], ["red", "blue"])
    assert table.shape == (2, 2)
    assert table[0, 0] > 0.9 > 0.5 > table[0, 1]
    assert table[1, 1] > 0.9 > 0.5 > table[1, 0]
    assert fake.similarity("red", "blue")[0, 0] < 0.5
    np.testing.assert_allclose(fake.similarity(red, red), 1, atol=1e-6)
    vectors = fake.encode_image([red, blue])
    np.testing.assert_allclose(
        fake.similarity(3 * vectors, ["red", blue]), fake.similarity([red, blue], ["red", blue]), atol=1e-6
    )
    with pytest.raises(InputError, match=r"expected vectors \(N, 16\), got an array \(2, 3\)"):
        fake.similarity(np.zeros((2, 3)), "red")
    with pytest.raises(UnreadableImage, match=r"missing\.jpg: no such file"):
        fake.similarity("missing.jpg", "red")


def test_classify_gives_probabilities_with_the_models_own_scale(fake: Model, paint: Paint) -> None:
    pictures = [paint("r.png", "red"), paint("g.png", "green"), paint("b.png", "blue")]
    probabilities = fake.classify(pictures, ["red", "green", "blue"])
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    plain = fake.classify(pictures, ["red", "green", "blue"], templates="{}")
    cosines = np.exp(3.0) * fake.similarity(pictures, ["red", "green", "blue"]).astype(np.float64)
    expected = np.exp(cosines) / np.exp(cosines).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(plain, expected, atol=1e-5)


def test_prompt_ensemble_is_normalise_mean_normalise(bundled: Model) -> None:
    from seesay.tasks.prompts import label_embeddings

    templates = ["{}", "a photo of a {}.", "the {} in a very long sentence about something else"]
    got = label_embeddings(bundled, ["cat"], templates)[0]
    raw = bundled.encode_text([t.replace("{}", "cat") for t in templates], normalize=False).astype(np.float64)
    mean = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(got, mean / np.linalg.norm(mean), atol=1e-6)
    unnormalised = raw.mean(axis=0) / np.linalg.norm(raw.mean(axis=0))
    assert np.abs(got - unnormalised).max() > 1e-5  # the order of steps matters, and this is the right one


def test_a_label_gets_prompts_in_its_own_language(fake: Model) -> None:
    from seesay.tasks.prompts import TEMPLATES, TEMPLATES_ZH, filled, label_embeddings

    assert filled(["猫", "cat"]) == [*filled(["猫"], TEMPLATES_ZH), *filled(["cat"], TEMPLATES)]
    assert filled(["一只 golden retriever"])[1] == "一张一只 golden retriever的照片。"
    apart = [label_embeddings(fake, ["猫"], TEMPLATES_ZH), label_embeddings(fake, ["cat"], TEMPLATES)]
    np.testing.assert_array_equal(label_embeddings(fake, ["猫", "cat"]), np.concatenate(apart))


@pytest.mark.parametrize(
    ("labels", "templates", "message"),
    [
        ([], ["{}"], "expected at least one label, got an empty list"),
        ("cat", ["{}"], "expected a list of labels, got one string 'cat'"),
        (["cat", " "], ["{}"], "label 2 of 2 is empty"),
        (["cat"], [], "expected at least one template"),
        (["cat"], "a photo", "a template needs {} where the label goes"),
    ],
)
def test_wrong_labels_and_templates_are_explained(
    fake: Model, paint: Paint, labels: list[str], templates: list[str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        fake.classify(paint("a.png"), labels, templates)
    assert message in str(caught.value)


def test_sigmoid_models_give_each_label_its_own_probability(fake: Model, paint: Paint) -> None:
    from dataclasses import replace

    fake.config = replace(fake.config, score="sigmoid", logit_bias=-10.0)
    path = paint("r.png", "red")
    (got,) = fake.classify(path, ["red", "blue"], "{}")
    logits = np.exp(3.0) * fake.similarity(path, ["red", "blue"])[0] - 10
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_identities_and_card(bundled: Model) -> None:
    assert bundled.build_id == "onnx/int8+int8/exact"
    fast = bundled.with_decode("fast")
    assert (fast.build_id, fast.space_id) == ("onnx/int8+int8/fast", bundled.space_id)
    assert bundled.decode == "exact"
    assert bundled.dim == 512
    assert "seesay.Model 'bundled'" in repr(bundled)
    assert {score.task for score in bundled.card.scores} >= {
        "zero-shot caltech101",
        "Flickr8k val, English",
        "Flickr8k val, Chinese",
    }


def test_a_model_without_a_card_says_so(fake: Model) -> None:
    with pytest.raises(ModelError, match=r"model 'fake' has no card\.json"):
        _ = fake.card


def test_bundled_model_knows_the_example_photos(bundled: Model, photos: list[Path]) -> None:
    """Zero-shot over what the file names say: far above chance on real pictures."""
    kinds = [
        "strawberry",
        "pizza",
        "sunflower",
        "panda",
        "lobster",
        "butterfly",
        "starfish",
        "electric guitar",
        "laptop",
        "umbrella",
    ]
    named = [(path, kind) for path in photos for kind in kinds if path.stem.startswith(kind.replace(" ", "-"))]
    assert len(named) >= 6
    best = bundled.classify([path for path, _ in named], kinds).argmax(axis=1)
    right = [kinds[i] == kind for i, (_, kind) in zip(best, named, strict=True)]
    assert np.mean(right) >= 0.7


def test_bundled_model_reads_mixed_traditional_and_full_width_texts(bundled: Model) -> None:
    same = [
        ("一只 golden retriever", "a golden retriever"),
        ("a photo of 猫", "a photo of a cat"),
        ("一隻狗在草地上奔跑", "一只狗在草地上奔跑"),
        ("兩隻鳥在飛", "两只鸟在飞"),
        ("ａ　ｄｏｇ", "a dog"),
        ("１只狗", "1只狗"),
    ]
    a, b = (bundled.encode_text([pair[side] for pair in same]) for side in (0, 1))
    cosines = a @ b.T
    assert np.diag(cosines).min() > 0.9
    assert (cosines.argmax(axis=1) == np.arange(len(same))).all()
