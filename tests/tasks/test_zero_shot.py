"""Labels, template sets and the classifier, against slow arithmetic on the same vectors."""

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.model import Model
from seesay.models.logits import Logits
from seesay.tasks import zero_shot
from seesay.tasks.label_sets import LABEL_SETS, PLAIN, label_set
from seesay.tasks.labels import Label, as_labels, split_label
from seesay.tasks.prompts import LANGUAGES, SETS, filled, label_embeddings, template_set
from seesay.tasks.zero_shot import NEIGHBOURS, Classifier, none_of_these


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def images(count: int = 5, dim: int = 16) -> np.ndarray:
    random = np.random.default_rng(0).standard_normal((count, dim))
    return np.stack([unit(row) for row in random]).astype(np.float32)


@pytest.mark.parametrize("names", ["mean", "max"])
def test_several_names_are_their_mean_or_their_best(fake: Model, names: zero_shot.Names) -> None:
    labels = ["red", ["blue", "cold sea", "蓝"], Label("dark", ("black", "night"))]
    got = Classifier.of(fake, labels, names=names)
    assert [label.name for label in got.labels] == ["red", "blue", "dark"]
    vectors = {name: label_embeddings(fake, [name])[0] for name in ("red", "blue", "cold sea", "蓝", "black", "night")}
    for row, image in zip(got.cosines(images()), images(), strict=True):
        for cosine, group in zip(row, (("red",), ("blue", "cold sea", "蓝"), ("black", "night")), strict=True):
            each = [float(image @ vectors[name]) for name in group]
            mean = float(image @ unit(np.mean([vectors[name] for name in group], axis=0)))
            assert cosine == pytest.approx(max(each) if names == "max" else mean, abs=1e-6)


def test_one_name_a_label_is_what_it_always_was(fake: Model) -> None:
    labels = ["red", "green", "blue"]
    wanted = fake.logits.probabilities(images() @ label_embeddings(fake, labels).T)
    for names in zero_shot.NAMES:
        np.testing.assert_array_equal(zero_shot.classify(fake, images(), labels, names=names), wanted)


def test_none_of_these_is_the_mean_of_the_nearest_phrases(fake: Model) -> None:
    phrases = np.stack([unit(row) for row in np.random.default_rng(1).standard_normal((50, 16))])
    got = none_of_these(images(), phrases)
    for one, image in zip(got, images(), strict=True):
        assert one == pytest.approx(np.mean(sorted(phrases @ image)[-NEIGHBOURS:]), abs=1e-6)
    few = none_of_these(images(), phrases[:3])
    np.testing.assert_allclose(few, (images() @ phrases[:3].T).mean(axis=1), atol=1e-6)
    classifier = Classifier.of(fake, ["red", "blue"])
    shares = classifier.probabilities(images(), got)
    assert shares.shape == (5, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    above = np.exp(fake.scale * (classifier.cosines(images()) - got[:, None]))
    np.testing.assert_allclose(shares[:, :2] / shares[:, 2:], above, rtol=1e-4)
    np.testing.assert_allclose(classifier.single_probabilities(images(), got), above / (1 + above), atol=1e-6)


def test_a_sigmoid_model_needs_no_phrases_for_several_labels(fake: Model) -> None:
    classifier = Classifier.of(fake, ["red", "blue"])
    own = Classifier(classifier.labels, classifier.vectors, classifier.counts, Logits(1.0, -2.0, "sigmoid"))
    single = own.single_probabilities(images(), np.zeros(5))
    np.testing.assert_array_equal(single, own.probabilities(images()))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "at least one label"),
        ("red", "split it into a list"),
        (["red", " "], "label 2 of 2 is empty"),
        (["red", []], "label 2 of 2 is empty"),
        ([["red", ""]], "label 1 of 1 is empty"),
        ([["dog", "puppy"], ["cat", "puppy"]], "'puppy' is a name of two labels, 'dog' and 'cat'"),
    ],
)
def test_bad_labels_are_named(labels: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_labels(labels)


def test_names_are_split_at_bars() -> None:
    assert split_label(" dog | puppy|狗|dog ") == Label("dog", ("dog", "puppy", "狗"))
    for bad in ("dog|", "|", "a||b"):
        with pytest.raises(InputError, match="has an empty name"):
            split_label(bad)


def test_an_unknown_way_to_combine_names_is_refused(fake: Model) -> None:
    with pytest.raises(InputError, match="one of mean, max"):
        Classifier.of(fake, ["red"], names="median")  # type: ignore[arg-type]


def test_every_set_of_templates_speaks_both_languages() -> None:
    for name in SETS:
        by_language = template_set(name)
        assert set(by_language) == set(LANGUAGES)
        assert len({len(templates) for templates in by_language.values()}) == 1
        for templates in by_language.values():
            assert len(set(templates)) == len(templates) or name == "imagenet"  # whose translation has two twice
            assert all("{}" in template for template in templates)
    with pytest.raises(InputError, match="one of short, photo"):
        template_set("movies")


def test_a_label_is_put_into_templates_of_its_language() -> None:
    food = template_set("food")
    assert filled(["rice", "米饭"], food) == [
        *(template.replace("{}", "rice") for template in food["en"]),
        *(template.replace("{}", "米饭") for template in food["zh"]),
    ]
    for bad in ({"en": ["{}"]}, {"en": ["{}"], "zh": ["{}", "一个{}"]}):
        with pytest.raises(InputError, match="as many templates in each of en, zh"):
            filled(["rice"], bad)


@pytest.mark.parametrize("name", LABEL_SETS)
def test_a_ready_set_has_the_same_labels_in_both_languages(name: str) -> None:
    chinese = {"quality": "画质", "kind": "类型", "scene": "场景", "style": "风格"}[name]
    english, translated = label_set(name), label_set(chinese)
    assert [len(label.names) for label in english] == [len(label.names) for label in translated]
    assert as_labels(english) == english
    assert as_labels(translated) == translated
    assert all(label.name.isascii() for label in english)
    assert not any(label.name.isascii() for label in translated)
    assert len(filled([phrase for label in english for phrase in label.names], PLAIN)) == sum(len(x.names) for x in english)


def test_an_unknown_set_lists_those_there_are() -> None:
    with pytest.raises(InputError, match="quality .画质., kind .类型., scene"):
        label_set("mood")
