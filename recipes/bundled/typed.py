"""The text tower's last lessons: what people type, against pictures that stay where they are.

`python -m recipes.bundled.typed MODEL OUT --data DIR` (build.py does it by itself)

Captions are sentences; people type "sunset", "dogs", "雪地里的狗" without a full stop. So captions come with and without one,
and single words that several captions of a photo agree on find all photos of which that is said. Pictures' vectors are made
once, and every text is compared with all 6,000 photos. Names are held where they are, in plural too, and of a photo's words all
parts of the space but the learnt one, since that is what tells things from each other (docs/bundled-model.md).
"""

import argparse
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import seesay
from recipes.bundled import drawings, materials, nouns, start
from recipes.bundled.bilingual import Switch, Traditional, cut, precision
from recipes.bundled.dictionary import Entry, entries
from recipes.bundled.materials import Captions, CaptionWords
from recipes.bundled.nouns import Noun
from recipes.bundled.places import LEARNT, SAID, STRESS, thing_called
from seesay.arrays import read_arrays, write_arrays
from seesay.checkpoints import open_checkpoint
from seesay.config import Gate
from seesay.images.augment import Augment, augment
from seesay.images.preprocess import normalize
from seesay.images.read import read
from seesay.models.bert import Bert
from seesay.tasks.encoder import unit
from seesay.tokenizers import Tokenizer
from seesay.training.state import CheckpointFolder

STEPS, RATE, WARMUP, DECAY = 200, 1e-4, 15, 0.05
CAPTIONS, WORDS, NAMES = 256, 160, 256  # in a batch
VIEWS = 4  # of each photo, the first as it is
CROPS = Augment(crop_scale=(0.5, 1.0), flip=True)
TEMPERATURE = 0.04
OF_WORDS, OF_NAMES, OF_REST = 1.2, 80.0, 20.0  # what losses count beside captions'
FEWEST = 3  # photos of a word
TAUGHT = 0.85  # of the way from the weights before to those after
GATE = Gate(LEARNT, middle=0.52, slope=0.05, least=0.3)  # names have more of the learnt part now, and as little use for it
LANGUAGES = {"en": 1.0, "zh": 2.0, "mixed": 0.25}
# Words of one character that stand in captions or end words there, such as 小狗 and 自行车.
CHARACTERS = set("人狗车球水雪船马树鸟花鱼火海桥牛墙路街床书伞猫帽草河湖门窗灯雨山云冰鸡鹅鹿")
DULL = {
    "are",
    "hi",
    "down",
    "over",
    "out",
    "three",
    "four",
    "behind",
    "background",
    "look",
    "between",
    "through",
    "several",
    "around",
}
PLURALS = {"man": "men", "woman": "women", "child": "children", "person": "people", "snowman": "snowmen"}
PART = 64


@dataclass(frozen=True)
class Word:
    text: str
    language: str
    photos: list[int]


def caption_words(captions: Captions, words: Sequence[Entry], known: dict[str, Noun]) -> list[Word]:
    """What at least two captions of a photo say, in either language."""
    named = CaptionWords(words, known)

    def chinese(texts: Sequence[str]) -> list[str]:
        said = [set(cut(text, named.dictionary, longest=4)) for text in texts]
        ends = [{word[-1] for word in each} & CHARACTERS for each in said]
        long = named.agreed(said, lambda word: len(word) > 1 and word not in materials.DULL_ZH)
        return long + named.agreed(ends, lambda word: True)

    found: dict[tuple[str, str], list[int]] = {}
    for photo, (english, translated) in enumerate(captions.values()):
        for language, said in (("en", named.english(english)), ("zh", chinese(translated))):
            for word in said:
                if word not in DULL:
                    found.setdefault((word, language), []).append(photo)
    return [Word(*key, photos) for key, photos in found.items() if len(photos) >= FEWEST]


def plural(name: str) -> str:
    if name in PLURALS:
        return PLURALS[name]
    if re.search(r"(s|x|z|ch|sh)$", name):
        return name + "es"
    return re.sub(r"(?<=[^aeiou])y$", "ie", name) + "s"


class Texts:
    """What a step learns from; draws depend on the step's number alone, so that a resumed run goes on as it would have."""

    def __init__(self, captions: Captions, words: list[Entry], known: dict[str, Noun], work: Path) -> None:
        senses = nouns.senses(work)

        def is_thing(name: str) -> bool:
            return thing_called(name, known, senses) is not None

        self.captions = list(captions.values())
        self.traditional = Traditional(words)
        self.switch = Switch(words, "".join(text for _, translated in self.captions for text in translated))
        self.words = caption_words(captions, words, known)
        often = np.sqrt([len(word.photos) for word in self.words])
        self.often = often / often.sum()
        emoji = drawings.emoji_names(work)
        # Half of the names are classes', a quarter other things, a quarter anything.
        self.kinds = [
            [lesson.text for lesson in lessons]
            for lessons in (
                materials.class_names(words),
                materials.things(words, emoji, is_thing, 0),
                materials.other_names(words, known, emoji, free={word.text for word in self.words}),
            )
        ]

    def of_photos(self, photos: np.ndarray, rng: np.random.Generator) -> list[str]:
        """One for each, in either language, half of them without the full stop."""
        shares = np.array(list(LANGUAGES.values()))
        languages = rng.choice(list(LANGUAGES), len(photos), p=shares / shares.sum())
        return [
            self._caption(photo, language, rng) for photo, language in zip(photos.tolist(), languages.tolist(), strict=True)
        ]

    def _caption(self, photo: int, language: str, rng: np.random.Generator) -> str:
        english, chinese = self.captions[photo]
        text = str(rng.choice(chinese if language == "zh" else english))
        if language == "mixed":
            text = self.switch(text, rng)
        if rng.random() < 0.5:
            text = text.rstrip(" .。")
        return self.traditional(text) if language == "zh" and rng.random() < 0.1 else text

    def of_words(self, rng: np.random.Generator) -> tuple[list[Word], list[str]]:
        """Words, and as they may be put."""
        chosen = [self.words[at] for at in rng.choice(len(self.words), WORDS, replace=False, p=self.often)]
        return chosen, [
            plural(word.text)
            if word.language == "en" and rng.random() < 0.3
            else str(rng.choice(SAID[word.language])).format(word.text)
            for word in chosen
        ]

    def of_names(self, rng: np.random.Generator) -> tuple[list[str], list[str]]:
        """Names, and the same with some in plural."""
        parts = zip(self.kinds, (NAMES // 2, NAMES // 4, NAMES // 4), strict=True)
        names = [kind[at] for kind, count in parts for at in rng.integers(0, len(kind), count)]
        return names, [
            plural(name) if re.fullmatch("[a-z ]{2,}[a-rt-z]", name) and rng.random() < 0.3 else name for name in names
        ]


def pictures(model: Path, photos: Sequence[Path], work: Path) -> np.ndarray:
    """(VIEWS, N, D) unit vectors of the photos and of crops by chance, made once."""
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
                rows.append(unit(loaded.encode_pixels(normalize(levels, spec))))
        views.append(np.concatenate(rows))
        print(f"pictures' vectors: view {view + 1} of {VIEWS}", flush=True)
    write_arrays(file, vectors=np.stack(views))
    return np.stack(views)


def teach(tower: Bert, before: Bert, tokenizer: Tokenizer, texts: Texts, seen: np.ndarray, folder: Path) -> None:
    """Trains `tower` in place, from the newest checkpoint in `folder` if there is one. before: the same tower as it was;
    seen (VIEWS, N, D)."""
    views, stress = torch.from_numpy(seen), torch.from_numpy(STRESS)
    photos = torch.arange(views.shape[1])
    checkpoints = CheckpointFolder(folder, keep=1)
    optimizer = torch.optim.AdamW(tower.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY, fused=True)
    begin = 0
    if (state := checkpoints.last()) is not None:
        tower.load_state_dict(state["tower"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["step"]
    started, told = time.perf_counter(), []
    for step in range(begin, STEPS):
        rng = np.random.default_rng((3, step))
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.zero_grad(set_to_none=True)
        seen_now = views[torch.from_numpy(rng.integers(0, len(views), len(photos))), photos]  # (N, D)

        own = rng.permutation(len(photos))[:CAPTIONS]
        captions, said = vectors(tower, tokenizer, texts.of_photos(own, rng)), torch.from_numpy(own)
        to_photo = F.cross_entropy(captions @ seen_now.T / TEMPERATURE, said)
        to_caption = F.cross_entropy(seen_now[said] @ captions.T / TEMPERATURE, torch.arange(CAPTIONS))

        chosen, put = texts.of_words(rng)
        wanted = torch.zeros(len(chosen), len(photos))
        for row, word in zip(wanted, chosen, strict=True):
            row[word.photos] = 1 / len(word.photos)
        words = vectors(tower, tokenizer, put)
        found = F.cross_entropy(words @ seen_now.T / TEMPERATURE, wanted)

        names, renamed = texts.of_names(rng)
        with torch.no_grad():
            were, words_were = (vectors(before, tokenizer, each) for each in (names, [word.text for word in chosen]))
        held = 1 - F.cosine_similarity(vectors(tower, tokenizer, renamed) * stress, were * stress).mean()
        rest = 1 - F.cosine_similarity(words[:, LEARNT:], words_were[:, LEARNT:]).mean()

        loss = (to_photo + to_caption) / 2 + OF_WORDS * found + OF_NAMES * held + OF_REST * rest
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        told.append([part.item() for part in (to_photo, to_caption, found, held, rest)])
        if (step + 1) % 10 == 0:
            means = "captions {:.3f} {:.3f}, words {:.3f}, names {:.4f}, rest {:.4f}".format(*np.mean(told, axis=0))
            took = (time.perf_counter() - started) / (step + 1 - begin)
            print(f"typed: step {step + 1}/{STEPS}, {means}, {took:.2f} s a step", flush=True)
            told.clear()
        if (step + 1) % 50 == 0 or step + 1 == STEPS:
            checkpoints.save(step + 1, {"tower": tower.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})


def vectors(tower: Bert, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """(N, D), unit length, in their order; in parts of about equal length, since padding is work."""
    order = np.argsort([len(text.encode()) for text in texts], kind="stable")
    parts: list[Tensor] = []
    for at in range(0, len(order), PART):
        ids = torch.from_numpy(tokenizer([texts[i] for i in order[at : at + PART]]).ids)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision() == "bfloat16"):
            parts.append(tower(ids))
    return F.normalize(torch.cat(parts).float(), dim=1)[torch.from_numpy(np.argsort(order))]


def typed(model: Path, captions: Captions, photos: Sequence[Path], work: Path, shared: Path, out: Path) -> None:
    """Writes the model with its text tower taught; `model` may be one with float32 weights or one that ships, in 8 bits."""
    clip, before = (open_checkpoint(model).model() for _ in range(2))
    assert isinstance(clip.text, Bert)
    assert isinstance(before.text, Bert)
    assert clip.config.tokenizer_spec is not None
    vocabulary = (model / "tokenizer.json").read_bytes()
    texts = Texts(captions, entries(shared), nouns.nouns(shared), shared)
    tower = clip.text.train()
    tokenizer = Tokenizer(vocabulary, clip.config.tokenizer_spec)
    teach(tower, before.text, tokenizer, texts, pictures(model, photos, work), work / "typed")
    were = before.text.state_dict()
    taught = {f"text.{name}": (1 - TAUGHT) * were[name] + TAUGHT * value for name, value in tower.state_dict().items()}
    config = replace(clip.config, text=replace(tower.config, gate=GATE))
    start.write_model(out, config, clip.state_dict() | taught, vocabulary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k")
    parser.add_argument("--work", type=Path, default=Path("out/bundled"))
    options = parser.parse_args()
    captions = materials.captions(options.data / "flickr8k" / "captions.tsv", "train")
    photos = [options.data / "flickr8k" / "images" / image for image in captions]
    options.work.mkdir(parents=True, exist_ok=True)
    typed(options.model, captions, photos, options.work, options.work, options.out)


if __name__ == "__main__":
    main()
