"""Builds the bundled model: `python -m recipes.bundled.build --data DIR` (README.md: duration and data).

Every step stores its result in the work folder and is skipped if it is there, so that the command resumes where it was stopped.
`--without-captions` builds the variant without photos of Flickr8k: only its text tower is trained, on the targets of names.
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
from recipes.bundled.bilingual import NAMES_RATE, CodeSwitch, RetainedTargets, Traditional
from recipes.bundled.dictionary import Entry, entries
from recipes.bundled.heads import Heads
from recipes.bundled.nouns import Noun
from recipes.bundled.targets import DIM, DIMENSION_WEIGHTS, LEARNT, Lesson, Targets, classes, physical_noun
from recipes.bundled.vocabulary import extend
from seesay.models.families.bert.tower import Bert
from seesay.tokenizers import Tokenizer

HERE = Path(__file__).parent
# Runs of train.toml with their settings, the later ones with more Chinese.
MORE_CHINESE = ("steps=170", "data.sources.0.languages.zh=2.0")
RUNS: dict[str, tuple[str, ...]] = {
    "run": (),
    "run-2": ("seed=2", *MORE_CHINESE),
    "run-3": ("seed=3", *MORE_CHINESE),
    "run-4": ("seed=4", "steps=170", "data.sources.0.languages.zh=3.0"),
}
TEACHING_STEPS = 700
STEPS_ON_NAMES = 300
STEPS_ON_THINGS = 400
STEPS_ON_BOTH = 200


class Build:
    """The steps in order. data: the folder with flickr8k; None: the variant without it, whose image tower is not trained."""

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
        self.code_switch = CodeSwitch(self.words, "".join(self.chinese))

    def run(self) -> Path:
        """Runs all steps; returns the folder of the finished model, in float32."""
        self.work.mkdir(parents=True, exist_ok=True)
        labelled = looks.labelled_drawings(drawings.write(self.shared))
        self.classes = materials.class_names(self.words)
        self.names = materials.other_names(self.words, self.nouns, self.emoji)
        names = {name for lesson in (*self.classes, *self.names) for name in lesson.meanings}
        texts = Targets.required_texts(names, self.nouns, self.senses) | {name for _, name in labelled}
        texts |= {text for english, _ in self.captions.values() for text in english}
        targets = Targets(teacher.vectors(texts, self.shared), self.nouns, self.senses)
        photos = self._set_looks(targets, labelled)
        if self.captions:
            targets.heads = self._heads(targets, photos)
        start_folder = self.work / "start"
        if not start_folder.exists():
            student, tokenizer = self._bilingual_tower(targets)
            start.write(start_folder, start.image_state(targets), student.state_dict(), tokenizer)
        model = self.work / "model"
        gated = self.work / "gated" if self.captions else model
        if not gated.exists() and not model.exists():
            trained = self._averaged_runs(targets) if self.captions else start_folder
            text = self._tuned_on_things(trained, targets).state_dict()
            # Partly back to the weights trained on captions, since the gate separates names from captions.
            text = start.mixed(trained, text) if self.captions else text
            start.finish(trained, text, self._photos()[::6], gated)
        if not model.exists():
            assert self.data is not None
            sentences = materials.sentences(self.data)
            typed.tune(gated, self.captions, sentences, self._photos(), self.work, self.shared, model)
        return model

    def _set_looks(self, targets: Targets, labelled: list[tuple[Path, str]]) -> np.ndarray:
        """Sets the looks of names; returns the features of photos."""
        features = looks.features([file for file, _ in labelled], self.shared, "drawings")
        photos = looks.features(self._photos(), self.work, "photos")
        targets.set_looks(features, [name for _, name in labelled], photos)
        return photos

    def _photos(self) -> list[Path]:
        if self.data is None:
            return drawings.example_photos()
        return [self.data / "flickr8k" / "images" / image for image in self.captions]

    def _heads(self, targets: Targets, photos: np.ndarray) -> Heads:
        file = self.work / "heads.npz"
        if (stored := heads.read(file)) is not None:
            return stored
        assert targets.looks is not None
        texts = [(text, photo) for photo, (english, _) in enumerate(self.captions.values()) for text in english]
        vectors = np.stack([targets.vectors[text] for text, _ in texts])
        owners = np.array([photo for _, photo in texts])
        fitted = heads.fit(
            photos - targets.looks.mean,
            targets.image_vectors(photos),
            vectors - targets.centre,
            targets.caption_vectors(vectors)[:, LEARNT:],
            owners,
            LEARNT,
        )
        heads.write(file, fitted)
        return fitted

    def _bilingual_tower(self, targets: Targets) -> tuple[Bert, bytes]:
        """The bilingual MiniLM, and the content of its tokenizer.json."""
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
        student.load_state_dict(start.text_state(minilm, targets, length))

        def mostly_names(number: int) -> Iterator[Lesson]:
            return bilingual.mostly_names(self._epoch(number), np.random.default_rng((1, number)))

        bilingual.train(student, tokenizer, targets, self._epoch, TEACHING_STEPS, self.work / "taught")
        folder = self.work / "taught-names"
        bilingual.train(student, tokenizer, targets, mostly_names, STEPS_ON_NAMES, folder, NAMES_RATE, DIMENSION_WEIGHTS)
        return student.eval(), vocabulary.tokenizer

    def _epoch(self, number: int) -> Iterator[Lesson]:
        rng, captions = np.random.default_rng((0, number)), self.captions.values()
        return bilingual.epoch(self.classes, self.names, captions, self.traditional, self.code_switch, rng)

    def _averaged_runs(self, targets: Targets) -> Path:
        """The folder of the mean of the runs' models."""
        assert self.data is not None
        trained = self.work / "trained"
        if not trained.exists():
            if not (self.work / "names.npz").exists():
                self._write_materials(self.data / "flickr8k", targets)
            for name, changes in RUNS.items():
                self._train(self.work / name, changes)
            start.average([self.work / name / "model" for name in RUNS], trained)
        return trained

    def _train(self, run: Path, changes: Sequence[str]) -> None:
        if (run / "model").exists():
            return
        features = self.work / next(iter(RUNS)) / "features"  # features of the frozen part of the tower are equal in all runs
        if features.exists() and not run.exists():
            shutil.copytree(features, run / "features", copy_function=os.link)
        command = [sys.executable, "-m", "seesay", "train", str(HERE / "train.toml")]
        root, out, precision = self.work.absolute(), run.absolute(), bilingual.precision()
        for setting in (f"root={root}", f"out={out}", f"precision={precision}", *changes):
            command += ["--set", setting]
        subprocess.run(command + (["--resume"] if list(run.glob("checkpoints/step-*.pt")) else []), check=True)

    def _tuned_on_things(self, trained: Path, targets: Targets) -> Bert:
        """The trained text tower after lessons on physical things, at first with few captions, then with more."""
        (student, vocabulary), (before, _) = start.text_tower(trained), start.text_tower(trained)
        tokenizer = Tokenizer(vocabulary, teacher.SPEC)
        english = [text for texts, _ in self.captions.values() for text in texts]

        def is_thing(name: str) -> bool:
            return physical_noun(name, self.nouns, self.senses) is not None

        def on_things(number: int, captions: float) -> Iterator[Lesson]:
            rng = np.random.default_rng((2, number))
            lessons = [lesson for lesson in bilingual.mostly_names(self._epoch(number), rng, captions) if lesson.caption]
            lessons += materials.class_names(self.words, number) + materials.things(self.words, self.emoji, is_thing, number)
            return (lessons[at] for at in rng.permutation(len(lessons)))

        def train(retained: RetainedTargets, captions: float, steps: int, folder: str) -> None:
            epochs = partial(on_things, captions=captions)
            bilingual.train(student, tokenizer, retained, epochs, steps, self.work / folder, NAMES_RATE, DIMENSION_WEIGHTS)

        train(RetainedTargets(targets, before, tokenizer, english), 0.25, STEPS_ON_THINGS, "taught-things")
        train(RetainedTargets(targets, before, tokenizer), 0.6, STEPS_ON_BOTH, "taught-both")
        return student.eval()

    def _write_materials(self, flickr: Path, targets: Targets) -> None:
        """Writes the files that train.toml names."""
        images = (flickr / "images").absolute()
        materials.write_table(self.work / "val.tsv", materials.captions(flickr / "captions.tsv", "val"), images)
        materials.write_drawings(self.work / "drawings.jsonl", drawings.write(self.shared))
        single_words = materials.write_captions(self.work / "captions.jsonl", self.captions, images, self.words, self.nouns)
        materials.write_anchors(self.work / "classes.npz", self.classes, targets)
        names = materials.other_names(self.words, self.nouns, self.emoji, excluded=single_words)
        materials.write_anchors(self.work / "names.npz", names, targets)


def _length_of_features(minilm: dict[str, torch.Tensor], tokenizer: Tokenizer, texts: list[str]) -> float:
    """Mean length of a pooled vector of the published MiniLM."""
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
