"""Fine-tunes the text tower on short queries, against fixed image vectors.

`python -m recipes.bundled.typed MODEL OUT --data DIR` (build.py runs it too)

Captions are sentences; people type "sunset", "dogs", "雪地里的狗" without a full stop. So captions come with and without
one, and have to match their photos among all 6,000, whose vectors are precomputed. Words and short phrases in either language
move towards the captions and photos that contain them (word_targets.py), in several phrasings: in plural, with an article, as
"a photo of". All other names keep their vectors, which classification depends on (docs/bundled-model.md).
"""

import argparse
import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import seesay
from recipes.bundled import drawings, materials, nouns, start
from recipes.bundled.bilingual import CodeSwitch, Traditional, precision
from recipes.bundled.dictionary import entries
from recipes.bundled.materials import Captions
from recipes.bundled.targets import DIMENSION_WEIGHTS, LEARNT, PHRASINGS, Lesson, physical_noun
from recipes.bundled.word_targets import FOOD, Vectors, WordTarget, WordTargets
from recipes.bundled.words import plural
from seesay.checkpoints.reader import open_checkpoint
from seesay.images.augment import Augment, augment
from seesay.images.preprocess import normalize
from seesay.images.read import read
from seesay.models.families.bert.config import Gate
from seesay.models.families.bert.tower import Bert
from seesay.models.vectors import normalize as normalized
from seesay.system.files import read_arrays, write_arrays
from seesay.tokenizers import Tokenizer
from seesay.training.run.checkpoints import CheckpointFolder

STEPS = 400
RATE = 4e-4
WARMUP = 10
DECAY = 0.05
# In a batch
CAPTIONS = 112
TARGETS = 416
NAMES = 176
CHINESE_SHARE = 0.5  # share of Chinese among the word targets
VIEWS = 4  # of each photo, the first without augmentation
CROPS = Augment(crop_scale=(0.5, 1.0), flip=True)
TEMPERATURE = 0.04
# Weights of the losses
CAPTION_WEIGHT = 3.0
TARGET_WEIGHT = 100.0
NAME_WEIGHT = 120.0
NEW_SHARE = 0.9  # weight of the new weights in their mean with the previous ones
GATE = Gate(LEARNT, middle=0.52, slope=0.05, least=0.3)  # names have more of the learnt part now, and still little use for it
LANGUAGES = {"en": 1.0, "zh": 2.0, "mixed": 0.25}
QUERY_PHRASINGS = {  # templates for a word
    "en": (*PHRASINGS["en"], "the {}", "a photo of a {}", "there is a {} in the picture"),
    "zh": (*PHRASINGS["zh"], "一张{}的照片", "{}的照片"),
}
SHOP_PHRASINGS = ("a pile of {}s", "{}s for sale", "a box of {}s", "a package of {}")  # templates by which food is classified
# Texts per batch, and per sorting by length
PART = 64
CHUNK = 6400


class QueryTexts:
    """The texts of each step. Draws depend on the step's number alone, so that a resumed run continues identically."""

    def __init__(self, captions: Captions, word_targets: WordTargets, targets: Sequence[WordTarget]) -> None:
        words, nouns_by_offset = word_targets.words, word_targets.nouns
        self.captions = list(captions.values())
        self.traditional = Traditional(words)
        self.code_switch = CodeSwitch(words, "".join(text for _, translated in self.captions for text in translated))
        self.targets = list(targets)
        shares = {"en": 1 - CHINESE_SHARE, "zh": CHINESE_SHARE}
        total = {language: sum(target.weight for target in targets if target.language == language) for language in shares}
        self.probabilities = np.array([shares[target.language] * target.weight / total[target.language] for target in targets])
        words_with_targets = {target.text for target in targets if not target.is_class}

        def is_thing(name: str) -> bool:
            return physical_noun(name, nouns_by_offset, word_targets.senses) is not None

        def retained(lessons: Iterable[Lesson]) -> list[str]:
            """Lessons on names without a word target, in either language."""
            singular = word_targets.singular
            return [lesson.text for lesson in lessons if singular(lesson.meanings[0].lower()) not in words_with_targets]

        emoji, rng = word_targets.emoji, np.random.default_rng(0)
        kind_names = sorted({name for kind in word_targets.kinds for name in kind.names})
        phrased = [str(rng.choice(PHRASINGS["en"])).format(name) for name in kind_names for _ in range(4)]
        foods = sorted(
            {
                name
                for kind, noun in nouns_by_offset.items()
                if nouns.hypernyms(kind, nouns_by_offset).keys() & FOOD
                for name in noun.names
            }
        )
        shop_phrases = [str(rng.choice(SHOP_PHRASINGS)).format(name) for name in foods for _ in range(2)]
        self.names = [  # and the number of each in a batch
            (4 * NAMES // 11, retained(materials.class_names(words))),
            (4 * NAMES // 11, phrased),
            (NAMES // 11, retained(materials.things(words, emoji, is_thing, 0))),
            (NAMES // 11, retained(materials.other_names(words, nouns_by_offset, emoji))),
            (NAMES // 11, shop_phrases),
        ]

    def caption_batch(self, photos: np.ndarray, rng: np.random.Generator) -> list[str]:
        """A caption for each photo, in either language, half of them without the full stop."""
        shares = np.array(list(LANGUAGES.values()))
        languages = rng.choice(list(LANGUAGES), len(photos), p=shares / shares.sum())
        return [
            self._caption(photo, language, rng) for photo, language in zip(photos.tolist(), languages.tolist(), strict=True)
        ]

    def _caption(self, photo: int, language: str, rng: np.random.Generator) -> str:
        english, chinese = self.captions[photo]
        text = str(rng.choice(chinese if language == "zh" else english))
        if language == "mixed":
            text = self.code_switch(text, rng)
        if rng.random() < 0.5:
            text = text.rstrip(" .。")
        return self.traditional(text) if language == "zh" and rng.random() < 0.1 else text

    def target_batch(self, rng: np.random.Generator) -> tuple[list[WordTarget], list[str]]:
        """Words and phrases, and a phrasing of each."""
        drawn_targets = [self.targets[at] for at in rng.choice(len(self.targets), TARGETS, replace=False, p=self.probabilities)]
        return drawn_targets, [self._phrased(target, rng) for target in drawn_targets]

    @staticmethod
    def _phrased(target: WordTarget, rng: np.random.Generator) -> str:
        in_plural = target.language == "en" and re.fullmatch("[a-z ]{2,}[a-rt-z]", target.text) and rng.random() < 0.2
        text = plural(target.text) if in_plural else target.text
        return text if rng.random() < 0.35 else str(rng.choice(QUERY_PHRASINGS[target.language])).format(text)

    def name_batch(self, rng: np.random.Generator) -> tuple[list[str], list[str]]:
        """Names, and the same names with some in plural."""
        names = [group[at] for count, group in self.names for at in rng.integers(0, len(group), count)]
        return names, [
            plural(name) if re.fullmatch("[a-z ]{2,}[a-rt-z]", name) and rng.random() < 0.3 else name for name in names
        ]


def image_vectors(model: Path, photos: Sequence[Path], work: Path) -> np.ndarray:
    """(VIEWS, N, D) unit vectors of the photos and of random crops, computed once."""
    file = work / "typed-pictures.npz"
    if (stored := read_arrays(file)) is not None:
        return stored["vectors"]
    loaded, rng = seesay.load(model), np.random.default_rng(0)
    spec = loaded.config.image_spec
    assert spec is not None
    views = []
    for view in range(VIEWS):
        rows = []
        for at in range(0, len(photos), PART):
            part = photos[at : at + PART]
            if view == 0:
                rows.append(loaded.encode_image(part))
            else:
                levels = np.stack([augment(read(photo), spec, CROPS, rng) for photo in part])
                rows.append(normalized(loaded.encode_pixels(normalize(levels, spec))))
        views.append(np.concatenate(rows))
        print(f"pictures' vectors: view {view + 1} of {VIEWS}", flush=True)
    write_arrays(file, vectors=np.stack(views))
    return np.stack(views)


def train(tower: Bert, before: Bert, tokenizer: Tokenizer, texts: QueryTexts, photo_vectors: np.ndarray, folder: Path) -> None:
    """Trains `tower` in place, from the newest checkpoint in `folder` if there is one.

    before: the tower before training; photo_vectors (VIEWS, N, D).
    """
    views, dimension_weights = torch.from_numpy(photo_vectors), torch.from_numpy(DIMENSION_WEIGHTS)
    photos = torch.arange(views.shape[1])
    checkpoints = CheckpointFolder(folder, keep=1)
    optimizer = torch.optim.AdamW(tower.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY, fused=True)
    first_step = 0
    if (state := checkpoints.last()) is not None:
        tower.load_state_dict(state["tower"])
        optimizer.load_state_dict(state["optimizer"])
        first_step = state["step"]
    started, losses = time.perf_counter(), []
    for step in range(first_step, STEPS):
        rng = np.random.default_rng((3, step))
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.zero_grad(set_to_none=True)
        view_vectors = views[torch.from_numpy(rng.integers(0, len(views), len(photos))), photos]  # (N, D)

        photo_numbers = rng.permutation(len(photos))[:CAPTIONS]
        targets, phrased = texts.target_batch(rng)
        names, varied = texts.name_batch(rng)
        embeddings = vectors(tower, tokenizer, [*texts.caption_batch(photo_numbers, rng), *phrased, *varied])
        captions, words, name_vectors = embeddings[:CAPTIONS], embeddings[CAPTIONS:-NAMES], embeddings[-NAMES:]
        with torch.no_grad():
            previous = vectors(before, tokenizer, names)
        photo_indices = torch.from_numpy(photo_numbers)
        word_target_vectors = torch.from_numpy(np.stack([target.vector for target in targets]))

        to_photo = F.cross_entropy(captions @ view_vectors.T / TEMPERATURE, photo_indices)
        to_caption = F.cross_entropy(view_vectors[photo_indices] @ captions.T / TEMPERATURE, torch.arange(CAPTIONS))
        to_targets = 1 - F.cosine_similarity(words, word_target_vectors).mean()
        retained = 1 - F.cosine_similarity(name_vectors * dimension_weights, previous * dimension_weights).mean()
        loss = CAPTION_WEIGHT * (to_photo + to_caption) / 2 + TARGET_WEIGHT * to_targets + NAME_WEIGHT * retained
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        losses.append([part.item() for part in (to_photo, to_caption, to_targets, retained)])
        if (step + 1) % 10 == 0:
            means = "captions {:.3f} {:.3f}, places {:.4f}, names {:.4f}".format(*np.mean(losses, axis=0))
            seconds = (time.perf_counter() - started) / (step + 1 - first_step)
            print(f"typed: step {step + 1}/{STEPS}, {means}, {seconds:.2f} s a step", flush=True)
            losses.clear()
        if (step + 1) % 50 == 0 or step + 1 == STEPS:
            checkpoints.save(step + 1, {"tower": tower.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})


def vectors(tower: Bert, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Unit vectors (N, D) in the order of the texts; encoded in order of length, which saves padding."""
    order = np.argsort([len(text.encode()) for text in texts], kind="stable")
    parts: list[Tensor] = []
    for at in range(0, len(order), PART):
        ids = torch.from_numpy(tokenizer([texts[i] for i in order[at : at + PART]]).ids)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision() == "bfloat16"):
            parts.append(tower(ids))
    return F.normalize(torch.cat(parts).float(), dim=1)[torch.from_numpy(np.argsort(order))]


def targets(word_targets: WordTargets, before: Bert, tokenizer: Tokenizer, photos: np.ndarray, work: Path) -> list[WordTarget]:
    """The word targets by the tower before training; the captions' vectors are computed once. photos: vectors (N, D)."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        with torch.no_grad():
            parts = [vectors(before, tokenizer, texts[at : at + CHUNK]) for at in range(0, len(texts), CHUNK)]
        return torch.cat(parts).numpy()

    file = work / "typed-captions.npz"
    if (embeddings := read_arrays(file)) is None:
        print(f"captions' vectors: {len(word_targets.english)} in English, {len(word_targets.chinese)} in Chinese", flush=True)
        embeddings = {"english": encode(word_targets.english), "chinese": encode(word_targets.chinese)}
        write_arrays(file, **embeddings)
    return word_targets.targets(encode, Vectors(**embeddings), photos)


def tune(
    model: Path, captions: Captions, sentences: Sequence[str], photos: Sequence[Path], work: Path, shared: Path, out: Path
) -> None:
    """Writes the model with its text tower fine-tuned; `model` may have float32 or 8-bit weights.

    sentences: English captions of other photos, which are not used.
    """
    clip, before = (open_checkpoint(model).model() for _ in range(2))
    assert isinstance(clip.text, Bert)
    assert isinstance(before.text, Bert)
    assert clip.config.tokenizer_spec is not None
    vocabulary = (model / "tokenizer.json").read_bytes()
    tower, tokenizer = clip.text.train(), Tokenizer(vocabulary, clip.config.tokenizer_spec)
    for each in (tower, before.text):
        each.config = replace(each.config, gate=GATE)
    photo_vectors = image_vectors(model, photos, work)
    emoji = drawings.emoji_names(shared)
    word_targets = WordTargets(captions, sentences, entries(shared), nouns.nouns(shared), nouns.senses(shared), emoji)
    found_targets = targets(word_targets, before.text.eval(), tokenizer, photo_vectors[0], work)
    train(tower, before.text, tokenizer, QueryTexts(captions, word_targets, found_targets), photo_vectors, work / "typed")
    previous = before.text.state_dict()
    mixed = {f"text.{name}": (1 - NEW_SHARE) * previous[name] + NEW_SHARE * value for name, value in tower.state_dict().items()}
    start.write_model(out, replace(clip.config, text=tower.config), clip.state_dict() | mixed, vocabulary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k and captions-text")
    parser.add_argument("--work", type=Path, default=Path("out/bundled"))
    options = parser.parse_args()
    captions = materials.captions(options.data / "flickr8k" / "captions.tsv", "train")
    photos = [options.data / "flickr8k" / "images" / image for image in captions]
    options.work.mkdir(parents=True, exist_ok=True)
    tune(options.model, captions, materials.sentences(options.data), photos, options.work, options.work, options.out)


if __name__ == "__main__":
    main()
