"""Prompts from pictures, with an encoder whose vectors are sums of words' vectors: what is planted must be found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seesay.engines.fake import FakeTokenizer
from seesay.errors import InputError
from seesay.models.logits import Logits
from seesay.models.vectors import normalize
from seesay.tasks.interrogation.bank import KINDS, PhraseBank, phrase_bank
from seesay.tasks.interrogation.captions import nearest_captions
from seesay.tasks.interrogation.chain import GAIN, Link, best_chain
from seesay.tasks.interrogation.context import fits, own_tokens
from seesay.tasks.interrogation.interrogator import MODES, Interrogator, Mode
from seesay.tasks.interrogation.ranking import corrected, diverse, hubs
from seesay.tasks.interrogation.vectors import cache_file, text_vectors

WORDS = [f"w{number:02}" for number in range(60)]
DIM = 96


class BagOfWords:
    """Texts are the normalised sums of their words' vectors, which are random, fixed, and nearly orthogonal."""

    space_id = "ba90" * 8

    def __init__(self) -> None:
        rows = np.random.default_rng(7).standard_normal((len(WORDS), DIM))
        self.words = dict(zip(WORDS, normalize(np.linalg.qr(rows.T)[0].T), strict=True))
        self.tokenizer = FakeTokenizer()
        self.encoded: list[str] = []

    @property
    def logits(self) -> Logits:
        return Logits(3.0, None, "softmax")

    def encode_text(self, texts: str | Sequence[str], *, normalize: bool = True) -> np.ndarray:
        texts = [texts] if isinstance(texts, str) else texts
        self.encoded += texts
        rows = [np.sum([self.words[word] for word in text.replace(",", "").split()], axis=0) for text in texts]
        vectors = np.asarray(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors

    def sum(self, *words: str, less: Sequence[str] = ()) -> np.ndarray:
        """The planted picture of these words, without and against others."""
        return normalize(np.sum([self.words[word] for word in words], axis=0) - sum(self.words[word] for word in less))


@pytest.fixture
def encoder() -> BagOfWords:
    return BagOfWords()


def bank(words: Sequence[str] = WORDS) -> PhraseBank:
    kinds = ("subject", "action", "place")
    return PhraseBank(tuple(words), tuple(kinds[at % 3] for at in range(len(words))), ", ")


def of(encoder: BagOfWords) -> Interrogator:
    return Interrogator.of(encoder, bank())


def test_the_chain_recovers_what_was_planted(encoder: BagOfWords) -> None:
    interrogator = of(encoder)
    for planted in (("w00", "w01", "w02"), ("w10", "w14", "w21", "w33", "w44"), ("w59",)):
        found = interrogator.prompt(encoder.sum(*planted))
        assert {phrase.text for phrase in found.phrases} == set(planted)
        assert found.cosine == pytest.approx(1, abs=1e-3)
        assert set(found.text.split(", ")) == set(planted)


def test_similarity_never_falls_and_is_what_the_text_has(encoder: BagOfWords) -> None:
    interrogator = of(encoder)
    rng = np.random.default_rng(3)
    for _ in range(20):
        picture = normalize(rng.standard_normal(DIM))
        for mode, sign in (("best", 1), ("negative", -1)):
            found = interrogator.prompt(picture, mode)  # type: ignore[arg-type]
            assert all(sign * (b - a) >= GAIN - 1e-6 for a, b in zip(found.steps, found.steps[1:], strict=False))
            assert len(found.steps) == len(found.phrases)
            assert found.cosine == pytest.approx(float(encoder.encode_text(found.text)[0] @ picture), abs=1e-5)
            assert found.cosine == found.steps[-1]


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_never_exceeds_the_context(encoder: BagOfWords, mode: Mode) -> None:
    triples = [" ".join(WORDS[at : at + 3]) for at in range(0, 60, 3)]  # the context is 8 words: two phrases and no third
    encoder.tokenizer = FakeTokenizer()
    interrogator = Interrogator.of(encoder, bank(triples))
    found = interrogator.prompt(encoder.sum(*WORDS[:15], less=WORDS[15:30]), mode)
    assert len(found.phrases) == 2
    assert not encoder.tokenizer([found.text]).truncated[0]
    assert not any(encoder.tokenizer(encoder.encoded[len(triples) :]).truncated)  # nothing longer was even tried
    long = Interrogator.of(encoder, bank([" ".join(WORDS[:9]), " ".join(WORDS[9:20])]))
    with pytest.raises(InputError, match="no phrase fits"):
        long.prompt(encoder.sum("w00"), mode)


def test_negative_gives_the_planted_opposite(encoder: BagOfWords) -> None:
    planted, against = ("w03", "w08", "w22"), ("w11", "w30", "w40")
    picture = encoder.sum(*planted, less=against)
    interrogator = of(encoder)
    assert {phrase.text for phrase in interrogator.prompt(picture).phrases} == set(planted)
    negative = interrogator.prompt(picture, "negative")
    assert {phrase.text for phrase in negative.phrases} == set(against)
    assert negative.cosine < 0
    assert all(phrase.cosine < 0 < phrase.score for phrase in negative.phrases)


def test_fast_takes_what_differs_and_encodes_only_the_result(encoder: BagOfWords) -> None:
    doubles = ["w00", "w00 w00", "w00 w00 w00", "w01", "w02", "w03", "w04"]
    interrogator = Interrogator.of(encoder, PhraseBank(tuple(doubles), ("subject",) * len(doubles), ", "))
    before = len(encoder.encoded)
    found = interrogator.prompt(encoder.sum("w00", "w01", "w02"), "fast", count=3)
    assert {phrase.text for phrase in found.phrases} == {"w00", "w01", "w02"}
    assert encoder.encoded[before:] == [found.text]


def test_prompts_are_deterministic(encoder: BagOfWords) -> None:
    picture = normalize(np.random.default_rng(5).standard_normal(DIM))
    for mode in MODES:
        first = of(encoder).prompt(picture, mode)
        assert of(BagOfWords()).prompt(picture, mode) == first


def test_vectors_are_cached_by_list_and_space(encoder: BagOfWords) -> None:
    first = text_vectors(encoder, encoder.space_id, WORDS)
    np.testing.assert_allclose(first, encoder.encode_text(WORDS), atol=1e-3)
    count = len(encoder.encoded)
    np.testing.assert_array_equal(text_vectors(encoder, encoder.space_id, WORDS), first)
    assert len(encoder.encoded) == count
    reverse = text_vectors(encoder, encoder.space_id, WORDS[::-1])  # another order is another list
    np.testing.assert_array_equal(reverse, first[::-1])
    assert len(encoder.encoded) == count + len(WORDS)
    text_vectors(encoder, "0the" * 8, WORDS)
    text_vectors(encoder, encoder.space_id, [*WORDS[:-1], "w00 w01"])
    assert len(encoder.encoded) == count + 3 * len(WORDS)
    cache_file(encoder.space_id, WORDS).write_bytes(b"damaged")
    np.testing.assert_array_equal(text_vectors(encoder, encoder.space_id, WORDS), first)


def test_a_hub_loses_its_head_start() -> None:
    rng = np.random.default_rng(0)
    reference = normalize(rng.standard_normal((200, 32)) + 1.5)
    phrases = normalize(np.stack([np.ones(32), *rng.standard_normal((30, 32))]))  # the first is near to every reference
    picture = normalize(reference[0] + 3 * phrases[4])
    cosines = phrases @ picture
    lead = cosines[0] - cosines[4]
    scores = corrected(cosines, hubs(phrases, reference))
    assert scores[0] - scores[4] < lead - 0.3
    slow = [np.mean([float(phrase @ other) for other in reference]) for phrase in phrases]
    np.testing.assert_allclose(hubs(phrases, reference), slow, atol=1e-6)


def test_diverse_is_maximal_marginal_relevance() -> None:
    rng = np.random.default_rng(1)
    vectors = normalize(rng.standard_normal((40, 8)))
    scores = rng.random(40).astype(np.float32)
    for weight in (0.0, 0.3, 0.8):
        chosen: list[int] = []
        while len(chosen) < 10:  # slow and obvious
            left = [at for at in range(40) if at not in chosen]
            value = {
                at: (1 - weight) * scores[at] - weight * max((float(vectors[at] @ vectors[c]) for c in chosen), default=0)
                for at in left
            }
            chosen.append(max(left, key=lambda at: value[at]))
        assert diverse(scores, vectors, 10, weight=weight).tolist() == chosen
    assert diverse(scores, vectors, 100).size == 40


def test_a_chain_takes_no_more_of_a_group_than_may_be(encoder: BagOfWords) -> None:
    links = [Link(word, "one" if at < 5 else "many", 1 if at < 5 else 9) for at, word in enumerate(WORDS[:10])]
    vectors = encoder.encode_text(WORDS[:10])
    chain = best_chain(
        encoder, encoder.sum(*WORDS[:10]), links, vectors, most=8, separator=", ", fits=lambda texts: [True] * len(texts)
    )
    assert chain is not None
    assert sum(links[at].group == "one" for at in chain.positions) == 1
    assert sum(links[at].group == "many" for at in chain.positions) == 5


def test_the_packaged_banks_are_whole() -> None:
    for language, separator in (("en", ", "), ("zh", "，")):
        packaged = phrase_bank(language)
        assert len(packaged.texts) >= 3000
        assert len(set(packaged.texts)) == len(packaged.texts)
        assert set(packaged.kinds) == set(KINDS)
        assert packaged.separator == separator
        assert not [text for text in packaged.texts if set(text) & set("{}|,，、\t") or text != text.strip()]
        assert max(map(len, packaged.texts)) < 60
    with pytest.raises(InputError, match="got 'fr'"):
        phrase_bank("fr")


def test_lists_of_ones_own() -> None:
    parsed = PhraseBank.parse("a {red|blue} {hat|cap}, a cat\n\na dog\n# light\nfog, a cat\n", "mine.txt")
    assert parsed.texts == ("a red hat", "a red cap", "a blue hat", "a blue cap", "a cat", "a dog", "fog")
    assert parsed.kinds == ("subject",) * 6 + ("light",)
    assert PhraseBank.parse("猫，狗\n# light\n阳光", "mine.txt").separator == "，"
    for content, message in (
        ("", "has no phrases"),
        ("# lights\nfog", "line 1: expected a kind"),
        ("a" * 300, "at most 200 letters, got 300"),
        ("{0|1|2|3|4|5|6|7|8|9}" * 6, "at most 100,000 phrases"),
    ):
        with pytest.raises(InputError, match=message):
            PhraseBank.parse(content, "mine.txt")


def test_a_list_of_one_kind_is_used(encoder: BagOfWords) -> None:
    interrogator = Interrogator.of(encoder, PhraseBank(tuple(WORDS), ("light",) * 60, ", "))
    for mode in ("fast", "best"):
        assert interrogator.prompt(encoder.sum("w05"), mode, count=1).text == "w05"


def test_bad_calls(encoder: BagOfWords) -> None:
    interrogator = of(encoder)
    picture = encoder.sum("w00")
    with pytest.raises(InputError, match="the mode is one of best, fast, negative, got 'good'"):
        interrogator.prompt(picture, "good")  # type: ignore[arg-type]
    for count in (0, 51):
        with pytest.raises(InputError, match=f"1 to 50 phrases, got {count}"):
            interrogator.prompt(picture, count=count)
    with pytest.raises(InputError, match="a vector for each of 60 phrases, got 2"):
        Interrogator(encoder, bank(), np.zeros((2, DIM)), fits=fits(encoder.tokenizer))


def test_own_tokens_of_every_kind_of_frame(tmp_path: Path) -> None:
    from seesay.tokenizers import Tokens
    from seesay.tokenizers.spec import TokenizerSpec

    def tokenizer(begin: list[int], end: list[int], pad: int, length: int | None) -> "Framed":
        return Framed(begin, end, pad, length)

    class Framed:
        spec = TokenizerSpec(context_length=9, pad_id=0, padding="longest")

        def __init__(self, begin: list[int], end: list[int], pad: int, length: int | None) -> None:
            self.begin, self.end, self.pad, self.length = begin, end, pad, length

        def __call__(self, texts: list[str]) -> Tokens:
            rows = [[*self.begin, *map(int, text.split()), *self.end] for text in texts]
            rows = [row + [self.pad] * ((self.length or len(row)) - len(row)) for row in rows]
            return Tokens(np.array(rows, dtype=np.int64).reshape(len(rows), -1), np.zeros(len(rows), dtype=bool))

    for frame in (
        tokenizer([90], [91], 0, None),  # CLIP, padded to the longest
        tokenizer([90], [91], 0, 9),
        tokenizer([90], [91], 91, 9),  # padded with the end of text
        tokenizer([], [1], 1, 9),  # SigLIP
        tokenizer([], [], 0, None),
    ):
        for text in ("5 6 7", "8", ""):
            ids, own = own_tokens(frame, text)
            assert ids[own].tolist() == [int(part) for part in text.split()]


def test_the_caption_is_the_one_that_others_agree_with(encoder: BagOfWords) -> None:
    captions = ["w00 w01", "w00 w01 w02", "w00 w01 w03", "w00 w20 w21", "w30", "w31 w32"]
    vectors = encoder.encode_text(captions)
    picture = encoder.sum("w00", "w00", "w01", "w20", "w21")
    best, second, *_ = nearest_captions(picture, vectors, 3)
    assert captions[best.position].startswith("w00")
    assert best.cosine == pytest.approx(float(vectors[best.position] @ picture))
    assert best.position != second.position
    assert len(nearest_captions(picture, vectors[:1], 3)) == 1
