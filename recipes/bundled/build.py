"""Builds the bundled model: `python -m recipes.bundled.build --data DIR` (README.md: how long, what of).

Every step keeps what it made in the work folder and is passed over when it is there, so that the command goes on where it was
stopped. `--without-captions` makes the variant that no photo of Flickr8k has taught.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from recipes.bundled import bilingual, drawings, looks, materials, sources, start, teacher
from recipes.bundled.dictionary import Entry, entries
from recipes.bundled.nouns import Noun, nouns
from recipes.bundled.places import Places, classes
from recipes.bundled.vocabulary import extend
from seesay.config import BertConfig
from seesay.models.bert import Bert
from seesay.tokenizers import Tokenizer

HERE = Path(__file__).parent
TEACHING_STEPS = {True: 400, False: 300}  # with captions, without


class Build:
    """The steps in order. data: the folder with flickr8k; None: the variant without it."""

    def __init__(self, data: Path | None, work: Path) -> None:
        self.data, self.work, self.shared = data, work, work.parent if data is None else work
        self.words: list[Entry] = entries(self.shared)
        self.nouns: dict[str, Noun] = nouns(self.shared)
        self.drawn = drawings.drawings(self.shared)
        self.emoji = sorted({(d.names[1][1], d.names[0][1]) for d in self.drawn if len(d.names) > 1})
        self.captions = materials.captions(data / "flickr8k" / "captions.tsv", "train") if data else {}

    def run(self) -> Path:
        self.work.mkdir(parents=True, exist_ok=True)
        manifest = drawings.write(self.shared)
        single = self._write_captions()
        names = [(c.zh, c.en) for c in classes()] + self.emoji
        held = {
            "classes": materials.class_names(self.words),
            "names": materials.other_names(self.words, self.nouns, self.emoji, single),
        }
        texts = Places.texts_needed(self.nouns) | {m for each in held.values() for _, meanings in each for m in meanings}
        texts |= {m for entry in self.words for m in entry.meanings[:2]} | {en for _, en in names}
        named = looks.named_drawings(json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines())
        texts |= {name for _, name in named}
        vectors = teacher.vectors(texts | {t for english, _ in self.captions.values() for t in english}, self.work)
        places = Places(vectors, self.nouns)
        photos = self._see(places, manifest.parent / "images", named)
        for name, each in held.items():
            materials.write_anchors(self.work / f"{name}.npz", each, places)
        student, tokenizer = self._taught(names, vectors)
        if not (self.work / "start").exists():
            self._start(student, tokenizer, places, photos, [text for text, _ in held["names"][:2000]])
        return self._trained()

    def _see(self, places: Places, images: Path, named: list[tuple[str, str]]) -> np.ndarray:
        """Gives names their looks; the features of some photos."""
        drawn = looks.features([images / file for file, _ in named], self.shared, "drawings")
        if self.data is not None:
            files = [self.data / "flickr8k" / "images" / image for image in list(self.captions)[::5]]
        else:
            files = drawings.example_photos()
        photos = looks.features(files, self.work, "photos")
        places.see(drawn, [name for _, name in named], photos)
        return photos

    def _write_captions(self) -> set[str]:
        if self.data is None:
            return set()
        flickr = self.data / "flickr8k"
        with (
            (flickr / "captions.tsv").open(encoding="utf-8") as table,
            (self.work / "val.tsv").open("w", encoding="utf-8") as out,
        ):
            rows = [row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE) if row["split"] == "val"]
            out.write("image\tlang\ttext\n")
            out.writelines(f"{(flickr / 'images' / row['image']).absolute()}\t{row['lang']}\t{row['text']}\n" for row in rows)
        images = (flickr / "images").absolute()
        return materials.write_captions(self.work / "captions.jsonl", self.captions, images, self.words, self.nouns)

    def _taught(self, names: list[tuple[str, str]], vectors: dict[str, np.ndarray]) -> tuple[Bert, Tokenizer]:
        """MiniLM with Chinese."""
        folder = self.work / "taught"
        folder.mkdir(exist_ok=True)
        weights = sources.text_weights()
        english = [text for texts, _ in self.captions.values() for text in texts]
        english += [text for noun in self.nouns.values() for text in (*noun.names, noun.meaning)]
        english += [meaning for entry in self.words for meaning in entry.meanings]
        chinese = [text for _, texts in self.captions.values() for text in texts] + [zh for zh, _ in names]
        vocabulary = extend(teacher.tokenizer_json(), weights["embeddings.word.weight"], english, chinese, self.words)
        (folder / "tokenizer.json").write_bytes(vocabulary.tokenizer)
        weights["embeddings.word.weight"] = vocabulary.rows
        width = vocabulary.rows.shape[1]
        config = BertConfig("bert", width, 6, 12, 1536, len(vocabulary.rows), 512, "gelu", 1e-12, "mean", "none")
        student = Bert(config, width)
        student.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        tokenizer = Tokenizer(folder / "tokenizer.json", start.TOKENIZER_SPEC)

        def one_pass(number: int) -> Iterator[tuple[str, tuple[str, ...]]]:
            return bilingual.pairs(self.words, names, self.captions, np.random.default_rng((0, number)))

        steps = TEACHING_STEPS[self.data is not None]
        bilingual.teach(student, tokenizer, vectors, one_pass, steps, folder / "checkpoints")
        return student.eval(), tokenizer

    def _start(self, student: Bert, tokenizer: Tokenizer, places: Places, photos: np.ndarray, sample: list[str]) -> None:
        with torch.inference_mode():
            parts = [student.features(torch.from_numpy(tokenizer(sample[i : i + 100]).ids)) for i in range(0, len(sample), 100)]
        length = float(torch.cat(parts).norm(dim=1).mean())
        text = start.text_state(student.state_dict(), places, length)
        start.write(
            self.work / "start", start.image_state(places, photos), text, (self.work / "taught" / "tokenizer.json").read_bytes()
        )

    def _trained(self) -> Path:
        """The model of the run, in float32."""
        recipe, run = HERE / ("train.toml" if self.data else "train-without-captions.toml"), self.work / "run"
        if not (run / "model").exists():
            command = [sys.executable, "-m", "seesay", "train", str(recipe)]
            command += ["--set", f"root={self.work.absolute()}", "--set", f"out={run.absolute()}"]
            subprocess.run(command + (["--resume"] if list(run.glob("checkpoints/step-*.pt")) else []), check=True)
        return run / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with flickr8k, caltech101, photos-1k, grocery, cifar10"
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
