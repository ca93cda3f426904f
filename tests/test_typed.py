"""What the bundled recipe's last lessons draw from captions."""

from pathlib import Path

import numpy as np
import torch

import seesay
from recipes.bundled.dictionary import Entry
from recipes.bundled.nouns import Noun
from recipes.bundled.typed import caption_words, plural, vectors
from seesay.config import BertConfig, TokenizerSpec
from seesay.models.bert import Bert
from seesay.tokenizers import Tokenizer

BUNDLED = Path(seesay.__file__).parent / "bundled"


def test_words_are_what_two_captions_of_a_photo_say_in_either_language() -> None:
    captions = {
        f"{photo}.jpg": (["A dog runs .", "Two dogs run over grass .", "a hat"], ["一只小狗在草地上跑。", "草地上的狗", "帽子"])
        for photo in range(3)
    }
    words = [Entry("小狗", "小狗", ("puppy",)), Entry("草地", "草地", ("lawn",)), Entry("帽子", "帽子", ("hat",))]
    known = {str(at): Noun((name,), (), "") for at, name in enumerate(("dog", "grass", "run", "hat"))}
    found = {(word.text, word.language): word.photos for word in caption_words(captions, words, known)}
    everywhere = [0, 1, 2]
    assert found == dict.fromkeys([("dog", "en"), ("run", "en"), ("草地", "zh"), ("狗", "zh")], everywhere)
    captions.popitem()
    assert caption_words(captions, words, known) == []


def test_plurals() -> None:
    said = {"dog": "dogs", "bus": "buses", "church": "churches", "city": "cities", "boy": "boys", "man": "men", "fox": "foxes"}
    assert {name: plural(name) for name in said} == said


def test_vectors_come_in_the_order_of_their_texts() -> None:
    config = BertConfig("bert", 16, 1, 2, 32, 32822, 64, "gelu", 1e-12, "mean", "linear")
    torch.manual_seed(0)
    tower = Bert(config, 8).eval()
    spec = TokenizerSpec(context_length=64, pad_id=0, padding="longest")
    tokenizer = Tokenizer((BUNDLED / "tokenizer.json").read_bytes(), spec)
    texts = ["a long sentence about a dog on a beach", "dog", *(f"{'word ' * (at % 7)}{at}" for at in range(100)), "a cat"]
    with torch.inference_mode():
        together = vectors(tower, tokenizer, texts).numpy()
        apart = np.concatenate([vectors(tower, tokenizer, [text]).numpy() for text in texts])
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, apart, atol=2e-2)  # bfloat16, where the processor has it
