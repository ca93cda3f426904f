"""Builds the bundled model: `python -m recipes.bundled.build --data DIR` (README.md: how long, what of).

Every step keeps what it made in the work folder and is passed over when it is there, so that the command goes on where it was
stopped. `--without-captions` makes the variant that no photo of Flickr8k has taught: its text tower is taught where names
belong, and that is all.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from recipes.bundled import bilingual, drawings, heads, looks, materials, nouns, sources, start, teacher, typed
from recipes.bundled.bilingual import STRESSED_RATE, Kept, Switch, Traditional
from recipes.bundled.dictionary import Entry, entries
from recipes.bundled.heads import Heads
from recipes.bundled.nouns import Noun
from recipes.bundled.places import DIM, LEARNT, STRESS, Lesson, Places, classes, thing_called
from recipes.bundled.vocabulary import extend
from seesay.models.families.bert.tower import Bert
from seesay.tokenizers import Tokenizer

HERE = Path(__file__).parent
# Runs of train.toml, the later ones with more Chinese.
MORE_CHINESE = ("steps=170", "data.sources.0.languages.zh=2.0")
RUNS: dict[str, tuple[str, ...]] = {
    "run": (),
    "run-2": ("seed=2", *MORE_CHINESE),
    "run-3": ("seed=3", *MORE_CHINESE),
    "run-4": ("seed=4", "steps=170", "data.sources.0.languages.zh=3.0"),
}
TEACHING_STEPS, STEPS_ON_NAMES, STEPS_ON_THINGS, STEPS_ON_BOTH = 700, 300, 400, 200


class Build:
    """The steps in order. data: the folder with flickr8k; None: the variant without it, which is taught and not trained."""

    def __init__(self, data: Path | None, work: Path) -> None:
        self.data, self.work, self.shared = data, work, work.parent if data is None else work
        self.words: list[Entry] = entries(self.shared)
        self.nouns: dict[str, Noun] = nouns.nouns(self.shared)
        self.emoji = drawings.emoji_names(self.shared)
        self.senses = nouns.senses(self.shared)
        self.captions = materials.captions(data / "flickr8k" / "captions.tsv", "train") if data else {}
        self.chinese = [text for _, texts in self.captions.values() for text in texts]
        self.chinese += [c.zh for c in classes()] + [zh for zh, _ in self.emoji]
        self.traditional = Traditional(self.words)
        self.switch = Switch(self.words, "".join(self.chinese))

    def run(self) -> Path:
        """The finished model's folder, in float32."""
        self.work.mkdir(parents=True, exist_ok=True)
        drawn = looks.named_drawings(drawings.write(self.shared))
        self.classes = materials.class_names(self.words)
        self.names = materials.other_names(self.words, self.nouns, self.emoji)
        names = {name for lesson in (*self.classes, *self.names) for name in lesson.meanings}
        texts = Places.needed(names, self.nouns, self.senses) | {name for _, name in drawn}
        texts |= {text for english, _ in self.captions.values() for text in english}
        places = Places(teacher.vectors(texts, self.shared), self.nouns, self.senses)
        photos = self._see(places, drawn)
        if self.captions:
            places.heads = self._heads(places, photos)
        start_folder = self.work / "start"
        if not start_folder.exists():
            student, tokenizer = self._taught(places)
            start.write(start_folder, start.image_state(places), student.state_dict(), tokenizer)
        model = self.work / "model"
        gated = self.work / "gated" if self.captions else model
        if not gated.exists() and not model.exists():
            trained = self._trained(places) if self.captions else start_folder
            text = self._names_refreshed(trained, places).state_dict()
            # Partly back to what captions taught, since the gate keeps names apart from them.
            text = start.between(trained, text) if self.captions else text
            start.finish(trained, text, self._photos()[::6], gated)
        if not model.exists():
            assert self.data is not None
            sentences = materials.sentences(self.data)
            typed.typed(gated, self.captions, sentences, self._photos(), self.work, self.shared, model)
        return model

    def _see(self, places: Places, drawn: list[tuple[Path, str]]) -> np.ndarray:
        """Gives names their looks; the features of photos."""
        features = looks.features([file for file, _ in drawn], self.shared, "drawings")
        photos = looks.features(self._photos(), self.work, "photos")
        places.see(features, [name for _, name in drawn], photos)
        return photos

    def _photos(self) -> list[Path]:
        if self.data is None:
            return drawings.example_photos()
        return [self.data / "flickr8k" / "images" / image for image in self.captions]

    def _heads(self, places: Places, photos: np.ndarray) -> Heads:
        file = self.work / "heads.npz"
        if (found := heads.read(file)) is not None:
            return found
        assert places.looks is not None
        texts = [(text, photo) for photo, (english, _) in enumerate(self.captions.values()) for text in english]
        vectors = np.stack([places.vectors[text] for text, _ in texts])
        own = np.array([photo for _, photo in texts])
        made = heads.fit(
            photos - places.looks.mean,
            places.seen(photos),
            vectors - places.centre,
            places.of_captions(vectors)[:, LEARNT:],
            own,
            LEARNT,
        )
        heads.write(file, made)
        return made

    def _taught(self, places: Places) -> tuple[Bert, bytes]:
        """MiniLM with Chinese, and its tokenizer."""
        weights = sources.text_weights()
        english = [text for texts, _ in self.captions.values() for text in texts]
        english += [text for noun in self.nouns.values() for text in (*noun.names, noun.meaning)]
        english += [meaning for entry in self.words for meaning in entry.meanings]
        vocabulary = extend(teacher.tokenizer_json(), weights["embeddings.word.weight"], english, self.chinese, self.words)
        weights["embeddings.word.weight"] = vocabulary.rows
        tokenizer = Tokenizer(vocabulary.tokenizer, teacher.SPEC)
        minilm = {name: torch.from_numpy(value) for name, value in weights.items()}
        student = Bert(start.text_config(len(vocabulary.rows)), DIM)
        length = _length_of_features(minilm, tokenizer, english[:2000])
        student.load_state_dict(start.text_state(minilm, places, length))

        def on_names(number: int) -> Iterator[Lesson]:
            return bilingual.on_names(self._one_pass(number), np.random.default_rng((1, number)))

        bilingual.teach(student, tokenizer, places, self._one_pass, TEACHING_STEPS, self.work / "taught")
        named = self.work / "taught-names"
        bilingual.teach(student, tokenizer, places, on_names, STEPS_ON_NAMES, named, STRESSED_RATE, STRESS)
        return student.eval(), vocabulary.tokenizer

    def _one_pass(self, number: int) -> Iterator[Lesson]:
        rng, captions = np.random.default_rng((0, number)), self.captions.values()
        return bilingual.one_pass(self.classes, self.names, captions, self.traditional, self.switch, rng)

    def _trained(self, places: Places) -> Path:
        """The mean of the runs' models."""
        assert self.data is not None
        trained = self.work / "trained"
        if not trained.exists():
            if not (self.work / "names.npz").exists():
                self._write_materials(self.data / "flickr8k", places)
            for name, changes in RUNS.items():
                self._train(self.work / name, changes)
            start.average([self.work / name / "model" for name in RUNS], trained)
        return trained

    def _train(self, run: Path, changes: Sequence[str]) -> None:
        if (run / "model").exists():
            return
        kept = self.work / next(iter(RUNS)) / "features"  # what the locked part of the tower makes is the same in every run
        if kept.exists() and not run.exists():
            shutil.copytree(kept, run / "features", copy_function=os.link)
        command = [sys.executable, "-m", "seesay", "train", str(HERE / "train.toml")]
        root, out, precision = self.work.absolute(), run.absolute(), bilingual.precision()
        for said in (f"root={root}", f"out={out}", f"precision={precision}", *changes):
            command += ["--set", said]
        subprocess.run(command + (["--resume"] if list(run.glob("checkpoints/step-*.pt")) else []), check=True)

    def _names_refreshed(self, trained: Path, places: Places) -> Bert:
        """The trained text tower with lessons on what can be seen, at first with few captions, then with more."""
        (student, vocabulary), (before, _) = start.text_tower(trained), start.text_tower(trained)
        tokenizer = Tokenizer(vocabulary, teacher.SPEC)
        english = [text for texts, _ in self.captions.values() for text in texts]

        def is_thing(name: str) -> bool:
            return thing_called(name, self.nouns, self.senses) is not None

        def on_things(number: int, captions: float) -> Iterator[Lesson]:
            rng = np.random.default_rng((2, number))
            lessons = [lesson for lesson in bilingual.on_names(self._one_pass(number), rng, captions) if lesson.caption]
            lessons += materials.class_names(self.words, number) + materials.things(self.words, self.emoji, is_thing, number)
            return (lessons[at] for at in rng.permutation(len(lessons)))

        def teach(kept: Kept, captions: float, steps: int, folder: str) -> None:
            passes = partial(on_things, captions=captions)
            bilingual.teach(student, tokenizer, kept, passes, steps, self.work / folder, STRESSED_RATE, STRESS)

        teach(Kept(places, before, tokenizer, english), 0.25, STEPS_ON_THINGS, "taught-things")
        teach(Kept(places, before, tokenizer), 0.6, STEPS_ON_BOTH, "taught-both")
        return student.eval()

    def _write_materials(self, flickr: Path, places: Places) -> None:
        """What train.toml names."""
        images = (flickr / "images").absolute()
        materials.write_table(self.work / "val.tsv", materials.captions(flickr / "captions.tsv", "val"), images)
        materials.write_drawings(self.work / "drawings.jsonl", drawings.write(self.shared))
        single = materials.write_captions(self.work / "captions.jsonl", self.captions, images, self.words, self.nouns)
        materials.write_anchors(self.work / "classes.npz", self.classes, places)
        names = materials.other_names(self.words, self.nouns, self.emoji, free=single)
        materials.write_anchors(self.work / "names.npz", names, places)


def _length_of_features(minilm: dict[str, torch.Tensor], tokenizer: Tokenizer, texts: list[str]) -> float:
    """Mean length of a pooled vector, before anything is taught."""
    config = replace(teacher.CONFIG, vocabulary=len(minilm["embeddings.word.weight"]))
    untouched = Bert(config, config.width)
    untouched.load_state_dict(minilm)
    with torch.inference_mode():
        parts = [untouched.features(torch.from_numpy(tokenizer(texts[i : i + 100]).ids)) for i in range(0, len(texts), 100)]
    return float(torch.cat(parts).norm(dim=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with flickr8k, captions-text, caltech101, photos-1k, grocery, cifar10"
    )
    parser.add_argument("--work", type=Path, default=Path("out/bundled"))
    parser.add_argument("--without-captions", action="store_true")
    options = parser.parse_args()
    if options.without_captions:
        print(Build(None, options.work / "without-captions").run())
    else:
        print(Build(options.data, options.work).run())


if __name__ == "__main__":
    main()
