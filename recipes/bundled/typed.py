"""The text tower's last lessons: what people type, against pictures that stay where they are.

`python -m recipes.bundled.typed MODEL OUT --data DIR` (build.py does it by itself)

Captions are sentences; people type "sunset", "dogs", "雪地里的狗" without a full stop. So captions come with and without
one, and find their photos among all 6,000, whose vectors are made once. Words and short phrases in either language are drawn
to where captions and photos have them (standing.py), however they are put: in plural, with an article, as "a photo of". All
other names are held where they are, since classes are told by them (docs/bundled-model.md).
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
from recipes.bundled.bilingual import Switch, Traditional, precision
from recipes.bundled.dictionary import entries
from recipes.bundled.materials import Captions
from recipes.bundled.places import LEARNT, SAID, STRESS, Lesson, thing_called
from recipes.bundled.standing import FOOD, Place, Standing, Vectors
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

STEPS, RATE, WARMUP, DECAY = 400, 4e-4, 10, 0.05
CAPTIONS, PLACES, NAMES = 112, 416, 176  # in a batch
CHINESE = 0.5  # of the places
VIEWS = 4  # of each photo, the first as it is
CROPS = Augment(crop_scale=(0.5, 1.0), flip=True)
TEMPERATURE = 0.04
OF_CAPTIONS, OF_PLACES, OF_NAMES = 3.0, 100.0, 120.0  # what losses count
TAUGHT = 0.9  # of the way from the weights before to those after
GATE = Gate(LEARNT, middle=0.52, slope=0.05, least=0.3)  # names have more of the learnt part now, and as little use for it
LANGUAGES = {"en": 1.0, "zh": 2.0, "mixed": 0.25}
PUT = {  # how a word may be put
    "en": (*SAID["en"], "the {}", "a photo of a {}", "there is a {} in the picture"),
    "zh": (*SAID["zh"], "一张{}的照片", "{}的照片"),
}
IN_SHOPS = ("a pile of {}s", "{}s for sale", "a box of {}s", "a package of {}")  # as food is told by
PART, CHUNK = 64, 6400  # texts at once, and those sorted by length together


class Texts:
    """What a step learns from; draws depend on the step's number alone, so that a resumed run goes on as it would have."""

    def __init__(self, captions: Captions, standing: Standing, places: Sequence[Place]) -> None:
        words, known = standing.words, standing.known
        self.captions = list(captions.values())
        self.traditional = Traditional(words)
        self.switch = Switch(words, "".join(text for _, translated in self.captions for text in translated))
        self.places = list(places)
        shares = {"en": 1 - CHINESE, "zh": CHINESE}
        total = {language: sum(place.often for place in places if place.language == language) for language in shares}
        self.often = np.array([shares[place.language] * place.often / total[place.language] for place in places])
        moved = {place.text for place in places if not place.named}

        def is_thing(name: str) -> bool:
            return thing_called(name, known, standing.senses) is not None

        def held(lessons: Iterable[Lesson]) -> list[str]:
            """Without what has a place of its own, in either language."""
            return [lesson.text for lesson in lessons if standing.singular(lesson.meanings[0].lower()) not in moved]

        emoji, rng = standing.emoji, np.random.default_rng(0)
        of_kinds = sorted({name for kind in standing.kinds for name in kind.names})
        put = [str(rng.choice(SAID["en"])).format(name) for name in of_kinds for _ in range(4)]
        foods = sorted({name for kind, noun in known.items() if nouns.above(kind, known).keys() & FOOD for name in noun.names})
        in_shops = [str(rng.choice(IN_SHOPS)).format(name) for name in foods for _ in range(2)]
        self.names = [  # and how many of each are in a batch
            (4 * NAMES // 11, held(materials.class_names(words))),
            (4 * NAMES // 11, put),
            (NAMES // 11, held(materials.things(words, emoji, is_thing, 0))),
            (NAMES // 11, held(materials.other_names(words, known, emoji))),
            (NAMES // 11, in_shops),
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

    def of_places(self, rng: np.random.Generator) -> tuple[list[Place], list[str]]:
        """Words and phrases, and as they may be put."""
        chosen = [self.places[at] for at in rng.choice(len(self.places), PLACES, replace=False, p=self.often)]
        return chosen, [self._put(place, rng) for place in chosen]

    @staticmethod
    def _put(place: Place, rng: np.random.Generator) -> str:
        several = place.language == "en" and re.fullmatch("[a-z ]{2,}[a-rt-z]", place.text) and rng.random() < 0.2
        text = plural(place.text) if several else place.text
        return text if rng.random() < 0.35 else str(rng.choice(PUT[place.language])).format(text)

    def of_names(self, rng: np.random.Generator) -> tuple[list[str], list[str]]:
        """Names, and the same with some in plural."""
        names = [of_kind[at] for count, of_kind in self.names for at in rng.integers(0, len(of_kind), count)]
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
                rows.append(normalized(loaded.encode_pixels(normalize(levels, spec))))
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
        places, put = texts.of_places(rng)
        names, renamed = texts.of_names(rng)
        made = vectors(tower, tokenizer, [*texts.of_photos(own, rng), *put, *renamed])
        captions, words, now = made[:CAPTIONS], made[CAPTIONS:-NAMES], made[-NAMES:]
        with torch.no_grad():
            were = vectors(before, tokenizer, names)
        said, belong = torch.from_numpy(own), torch.from_numpy(np.stack([place.vector for place in places]))

        to_photo = F.cross_entropy(captions @ seen_now.T / TEMPERATURE, said)
        to_caption = F.cross_entropy(seen_now[said] @ captions.T / TEMPERATURE, torch.arange(CAPTIONS))
        standing = 1 - F.cosine_similarity(words, belong).mean()
        held = 1 - F.cosine_similarity(now * stress, were * stress).mean()
        loss = OF_CAPTIONS * (to_photo + to_caption) / 2 + OF_PLACES * standing + OF_NAMES * held
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        told.append([part.item() for part in (to_photo, to_caption, standing, held)])
        if (step + 1) % 10 == 0:
            means = "captions {:.3f} {:.3f}, places {:.4f}, names {:.4f}".format(*np.mean(told, axis=0))
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


def places(standing: Standing, before: Bert, tokenizer: Tokenizer, photos: np.ndarray, work: Path) -> list[Place]:
    """Where words stand by the tower as it is; all captions' vectors are made once. photos (N, D)"""

    def encode(texts: Sequence[str]) -> np.ndarray:
        with torch.no_grad():
            parts = [vectors(before, tokenizer, texts[at : at + CHUNK]) for at in range(0, len(texts), CHUNK)]
        return torch.cat(parts).numpy()

    file = work / "typed-captions.npz"
    if (made := read_arrays(file)) is None:
        print(f"captions' vectors: {len(standing.english)} in English, {len(standing.chinese)} in Chinese", flush=True)
        made = {"english": encode(standing.english), "chinese": encode(standing.chinese)}
        write_arrays(file, **made)
    return standing.places(encode, Vectors(**made), photos)


def typed(
    model: Path, captions: Captions, sentences: Sequence[str], photos: Sequence[Path], work: Path, shared: Path, out: Path
) -> None:
    """Writes the model with its text tower taught; `model` may be one with float32 weights or one that ships, in 8 bits.
    sentences: English captions of other photos, which are not seen."""
    clip, before = (open_checkpoint(model).model() for _ in range(2))
    assert isinstance(clip.text, Bert)
    assert isinstance(before.text, Bert)
    assert clip.config.tokenizer_spec is not None
    vocabulary = (model / "tokenizer.json").read_bytes()
    tower, tokenizer = clip.text.train(), Tokenizer(vocabulary, clip.config.tokenizer_spec)
    for each in (tower, before.text):
        each.config = replace(each.config, gate=GATE)
    seen = pictures(model, photos, work)
    emoji = drawings.emoji_names(shared)
    standing = Standing(captions, sentences, entries(shared), nouns.nouns(shared), nouns.senses(shared), emoji)
    found = places(standing, before.text.eval(), tokenizer, seen[0], work)
    teach(tower, before.text, tokenizer, Texts(captions, standing, found), seen, work / "typed")
    were = before.text.state_dict()
    taught = {f"text.{name}": (1 - TAUGHT) * were[name] + TAUGHT * value for name, value in tower.state_dict().items()}
    start.write_model(out, replace(clip.config, text=tower.config), clip.state_dict() | taught, vocabulary)


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
    typed(options.model, captions, materials.sentences(options.data), photos, options.work, options.work, options.out)


if __name__ == "__main__":
    main()
