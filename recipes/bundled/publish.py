"""The trained model as it ships: narrow weights, 8-bit maps, and the proof of what that costs.

`python -m recipes.bundled.publish MODEL OUT --data DIR --variant MODEL`; with `--text-only` the image tower in OUT stays, for a
MODEL whose text tower alone is another (typed.py on a model that ships).
"""

import argparse
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from safetensors.numpy import load_file

import seesay
from recipes.bundled import card, sources
from recipes.bundled.places import TEMPERATURE
from recipes.bundled.rounding import rounded
from seesay.checkpoints.reader import open_checkpoint
from seesay.engines.onnx import open_graph
from seesay.library.search.background import FILE, write_phrases
from seesay.models.config import ModelConfig, SearchSpec, read_config
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.efficientnet_lite.graph import map_ranges
from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.graphs import image_graph, text_graph
from seesay.system.schema import to_json

STORED = {"image": "int8", "text": "int8"}
CALIBRATION = 300  # pictures
# How a search puts a query to it. A word is taught to stand where its phrasings do, so one is enough; z-scores among neutral
# phrases for words and names; for sentences a quarter of what a picture shares with its nearest ones off.
SEARCH = SearchSpec({"en": ("{}",), "zh": ("{}",)}, hub=0.0, spread=1.0, sentence_hub=0.25)
CUT = 0.8  # of the range that a map had on them: what lies beyond is rare, and finer steps are worth more


def stored(model: Path, out: Path, pictures: list[Path]) -> ModelConfig:
    """Writes the graphs, the vocabulary and config.json; `pictures` show the ranges of the image tower's maps: without any,
    the one that is there stays."""
    config = read_config(model)
    weights = load_file(model / "model.safetensors")
    assert config.text is not None
    out.mkdir(parents=True, exist_ok=True)
    if pictures:
        _store_image(model, config, _part(weights, "image"), pictures, out)
    onnx.save(text_graph(config.text, config.dim, _part(weights, "text"), "int8"), out / "text.onnx")
    shutil.copy(model / "tokenizer.json", out / "tokenizer.json")
    config = replace(config, precision=STORED)
    (out / "config.json").write_text(json.dumps(to_json(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return config


def _store_image(model: Path, config: ModelConfig, image: dict[str, np.ndarray], pictures: list[Path], out: Path) -> None:
    assert isinstance(config.image, EfficientNetLiteConfig)
    pixels = seesay.load(model).preprocess(pictures)
    measured = map_ranges(config.image, image, pixels, open_graph)
    ranges = {name: (CUT * low, CUT * high) for name, (low, high) in measured.items()}
    tower = open_checkpoint(model).model().image
    assert isinstance(tower, EfficientNetLite)
    image |= rounded(tower.eval(), pixels)
    onnx.save(image_graph(config.image, config.dim, image, "int8", ranges=ranges), out / "image.onnx")


def _part(weights: dict[str, np.ndarray], tower: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{tower}."): value for name, value in weights.items() if name.startswith(f"{tower}.")}


def check_classes(model: Path) -> None:
    """What tells the classes is still the published tower, bit for bit. Raises SystemExit."""
    weights = load_file(model / "model.safetensors")
    for name, value in sources.image_weights().items():
        told = value / np.float32(TEMPERATURE) if name.startswith("classifier.") else value
        if not np.array_equal(weights[f"image.{name}"], told):
            raise SystemExit(f"image.{name} is not what was published any more")


def publish(model: Path, out: Path, data: Path, variant: Path | None, work: Path, *, text_only: bool) -> None:
    """variant: the model of `build --without-captions`, of which the card tells the scores."""
    photos: list[Path] = []
    before = seesay.load(out).card if text_only else None
    if not text_only:
        check_classes(model)
        photos = sorted((data / "flickr8k" / "images").glob("*"))[:: 6 * 1000 // CALIBRATION]
    config = stored(model, out, photos)
    with TemporaryDirectory() as cache:
        # Vectors are kept by the model's identity, which is the same however its weights are rounded.
        os.environ["SEESAY_CACHE"] = cache
        scored = card.measured(model, out, data, variant, work)
    made = scored.card
    if before is not None:  # what it says of the image tower, whose float32 weights are not there, and of other models
        kept = {part.part: part for part in before.fidelity if part.part == "image"}
        parts = tuple(kept.get(part.part, part) for part in made.fidelity)
        made = replace(made, fidelity=parts, variants=made.variants or before.variants)
    config = replace(config, name="bundled", logit_scale=scored.logit_scale, licence=card.LICENCE, search=SEARCH)
    for folder in (model, out):
        said = replace(config, precision=read_config(folder).precision)
        (folder / "config.json").write_text(json.dumps(to_json(said), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_phrases(out / FILE, seesay.load(out))
    (out / "card.json").write_text(json.dumps(to_json(made), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    total = sum(file.stat().st_size for file in out.iterdir() if file.suffix in (".onnx", ".json", ".npz"))
    print(f"wrote {out}: {total / 1e6:.1f} MB, space {config.space_id}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("out/bundled"), help="where the recipe's packages are")
    parser.add_argument("--variant", type=Path, help="the model of build --without-captions, for the card")
    parser.add_argument("--text-only", action="store_true", help="the image tower in OUT stays")
    options = parser.parse_args()
    publish(options.model, options.out, options.data, options.variant, options.work, text_only=options.text_only)


if __name__ == "__main__":
    main()
