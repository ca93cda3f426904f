"""Words in captions, and their target vectors in the bundled recipe."""

import numpy as np

from recipes.bundled.dictionary import Entry
from recipes.bundled.materials import CaptionWords
from recipes.bundled.nouns import Noun
from recipes.bundled.targets import classes
from recipes.bundled.word_targets import FEWEST, PhotoDirection, Vectors, WordTargets
from recipes.bundled.words import caption_words, chinese_words, english_phrases, phrase_index, plural, scored_words
from seesay.models.vectors import normalize

WORDS = [Entry("小狗", "小狗", ("puppy",)), Entry("草地", "草地", ("lawn",)), Entry("帽子", "帽子", ("hat",))]
NOUNS = {str(number): Noun((name,), (), "") for number, name in enumerate(("dog", "grass", "run", "hat"))}


def test_words_are_what_two_captions_of_a_photo_say_in_either_language() -> None:
    captions = {
        f"{photo}.jpg": (["A dog runs .", "Two dogs run over grass .", "a hat"], ["一只小狗在草地上跑。", "草地上的狗", "帽子"])
        for photo in range(3)
    }
    photos_by_word = {(word.text, word.language): word.photos for word in caption_words(captions, WORDS, NOUNS)}
    all_photos = [0, 1, 2]
    assert photos_by_word == dict.fromkeys([("dog", "en"), ("run", "en"), ("草地", "zh"), ("狗", "zh")], all_photos)
    captions.popitem()
    assert caption_words(captions, WORDS, NOUNS) == []


def test_plurals() -> None:
    plurals = {
        "dog": "dogs",
        "bus": "buses",
        "church": "churches",
        "city": "cities",
        "boy": "boys",
        "man": "men",
        "fox": "foxes",
    }
    assert {name: plural(name) for name in plurals} == plurals


def test_words_are_scored_that_enough_photos_have_and_no_function_words() -> None:
    captions = {
        f"{photo}.jpg": (["Two dogs run on it .", "a dog with dogs"], ["草地。", "草地上的小狗。"]) for photo in range(8)
    }
    photos_by_word = {(word.text, word.language): len(word.photos) for word in scored_words(captions, WORDS, NOUNS)}
    assert photos_by_word == {("dog", "en"): 8, ("草地", "zh"): 8}
    captions.popitem()
    assert {word.text for word in scored_words(captions, WORDS, NOUNS)} == {"草地"}


def test_phrases_neither_begin_nor_end_with_function_words() -> None:
    assert english_phrases("A city at night .") == {"city", "night", "city at night"}


def test_chinese_words_have_their_last_character_beside_them() -> None:
    assert chinese_words("草地上的小狗", CaptionWords(WORDS, NOUNS)) == {"草地", "小狗", "狗"}


def test_sayings_are_numbered() -> None:
    assert phrase_index([{"a", "b"}, {"b"}]) == {"a": [0], "b": [0, 1]}


def test_a_regression_finds_what_tells_the_photos_of_a_word() -> None:
    rng = np.random.default_rng(0)
    images = normalize(rng.normal(size=(200, 8)) + np.eye(8)[0])
    photos = [photo for photo in range(200) if images[photo, 3] > 0.4]
    direction, certain = PhotoDirection(images)([photo for photo in photos for _ in range(3)])
    assert certain == len(photos)
    assert direction.argmax() == 3
    assert direction[3] > 0.8
    assert PhotoDirection(images)([])[1] == 0


def test_a_word_moves_to_its_captions_and_what_classes_are_called_hardly() -> None:
    rng = np.random.default_rng(1)
    texts = ["a photo of people .", "the tench by the lake .", "something else ."]
    captions = {f"{photo}.jpg": ([texts[photo % 3]], ["人们。"]) for photo in range(3 * FEWEST)}
    class_nouns = {c.wnid[1:]: Noun((c.en,), (), "") for c in classes()}
    word_targets = WordTargets(captions, [texts[0]] * 5000, WORDS, NOUNS | class_nouns, {}, [])
    vectors_by_text = dict(zip(texts, np.eye(3, 8, dtype=np.float32), strict=True))
    vectors = Vectors(
        np.stack([vectors_by_text[text] for text in word_targets.english]), normalize(rng.normal(size=(3 * FEWEST, 8)))
    )
    bare = np.eye(8, dtype=np.float32)[7]
    images = normalize(rng.normal(size=(3 * FEWEST, 8)))
    targets = word_targets.targets(lambda texts: np.tile(bare, (len(texts), 1)), vectors, images)
    targets_by_text = {target.text: target for target in targets if target.language == "en"}
    assert not targets_by_text["people"].is_class
    assert targets_by_text["people"].vector @ vectors_by_text[texts[0]] > 0.3
    assert targets_by_text["tench"].is_class
    assert targets_by_text["tench"].vector @ bare > 0.99
    assert targets_by_text["people"].weight > targets_by_text["tench"].weight
