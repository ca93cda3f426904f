"""Words that captions say, and where the bundled recipe has them stand."""

import numpy as np

from recipes.bundled.dictionary import Entry
from recipes.bundled.materials import CaptionWords
from recipes.bundled.nouns import Noun
from recipes.bundled.places import classes
from recipes.bundled.standing import FEWEST, Seen, Standing, Vectors
from recipes.bundled.words import caption_words, chinese_words, english_phrases, plural, sayings, scored_words
from seesay.models.vectors import normalize

WORDS = [Entry("小狗", "小狗", ("puppy",)), Entry("草地", "草地", ("lawn",)), Entry("帽子", "帽子", ("hat",))]
KNOWN = {str(at): Noun((name,), (), "") for at, name in enumerate(("dog", "grass", "run", "hat"))}


def test_words_are_what_two_captions_of_a_photo_say_in_either_language() -> None:
    captions = {
        f"{photo}.jpg": (["A dog runs .", "Two dogs run over grass .", "a hat"], ["一只小狗在草地上跑。", "草地上的狗", "帽子"])
        for photo in range(3)
    }
    found = {(word.text, word.language): word.photos for word in caption_words(captions, WORDS, KNOWN)}
    everywhere = [0, 1, 2]
    assert found == dict.fromkeys([("dog", "en"), ("run", "en"), ("草地", "zh"), ("狗", "zh")], everywhere)
    captions.popitem()
    assert caption_words(captions, WORDS, KNOWN) == []


def test_plurals() -> None:
    said = {"dog": "dogs", "bus": "buses", "church": "churches", "city": "cities", "boy": "boys", "man": "men", "fox": "foxes"}
    assert {name: plural(name) for name in said} == said


def test_words_are_scored_that_enough_photos_have_and_no_function_words() -> None:
    captions = {
        f"{photo}.jpg": (["Two dogs run on it .", "a dog with dogs"], ["草地。", "草地上的小狗。"]) for photo in range(8)
    }
    found = {(word.text, word.language): len(word.photos) for word in scored_words(captions, WORDS, KNOWN)}
    assert found == {("dog", "en"): 8, ("草地", "zh"): 8}
    captions.popitem()
    assert {word.text for word in scored_words(captions, WORDS, KNOWN)} == {"草地"}


def test_phrases_neither_begin_nor_end_with_function_words() -> None:
    assert english_phrases("A city at night .") == {"city", "night", "city at night"}


def test_chinese_words_have_their_last_character_beside_them() -> None:
    assert chinese_words("草地上的小狗", CaptionWords(WORDS, KNOWN)) == {"草地", "小狗", "狗"}


def test_sayings_are_numbered() -> None:
    assert sayings([{"a", "b"}, {"b"}]) == {"a": [0], "b": [0, 1]}


def test_a_regression_finds_what_tells_the_photos_of_a_word() -> None:
    rng = np.random.default_rng(0)
    pictures = normalize(rng.normal(size=(200, 8)) + np.eye(8)[0])
    photos = [photo for photo in range(200) if pictures[photo, 3] > 0.4]
    direction, sure = Seen(pictures)([photo for photo in photos for _ in range(3)])
    assert sure == len(photos)
    assert direction.argmax() == 3
    assert direction[3] > 0.8
    assert Seen(pictures)([])[1] == 0


def test_a_word_moves_to_its_captions_and_what_classes_are_called_hardly() -> None:
    rng = np.random.default_rng(1)
    said = ["a photo of people .", "the tench by the lake .", "something else ."]
    captions = {f"{photo}.jpg": ([said[photo % 3]], ["人们。"]) for photo in range(3 * FEWEST)}
    of_classes = {c.wnid[1:]: Noun((c.en,), (), "") for c in classes()}
    standing = Standing(captions, [said[0]] * 5000, WORDS, KNOWN | of_classes, {}, [])
    towards = dict(zip(said, np.eye(3, 8, dtype=np.float32), strict=True))
    vectors = Vectors(np.stack([towards[text] for text in standing.english]), normalize(rng.normal(size=(3 * FEWEST, 8))))
    bare = np.eye(8, dtype=np.float32)[7]
    pictures = normalize(rng.normal(size=(3 * FEWEST, 8)))
    places = standing.places(lambda texts: np.tile(bare, (len(texts), 1)), vectors, pictures)
    at = {place.text: place for place in places if place.language == "en"}
    assert not at["people"].named
    assert at["people"].vector @ towards[said[0]] > 0.3
    assert at["tench"].named
    assert at["tench"].vector @ bare > 0.99
    assert at["people"].often > at["tench"].often
