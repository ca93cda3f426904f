"""Quantizes the trained model for distribution: 8-bit weights and feature maps, with a check of what that costs.

`python -m recipes.bundled.publish MODEL OUT --data DIR --variant MODEL`; with `--text-only` the image tower in OUT stays, for a
MODEL that differs in its text tower only (typed.py on a published model).
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
from recipes.bundled.rounding import rounded
from recipes.bundled.targets import TEMPERATURE
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
CALIBRATION = 300  # images
# How searches use the model. Training brought a word to the vector of its phrasings, so one is enough; words and names get
# z-scores among neutral phrases; for sentences a quarter of what an image shares with its nearest ones is subtracted.
SEARCH = SearchSpec({"en": ("{}",), "zh": ("{}",)}, hub=0.0, spread=1.0, sentence_hub=0.25)
RANGE_SHARE = 0.8  # share of a map's measured range that is represented: values beyond are rare, and finer steps are worth more


def write_quantized(model: Path, out: Path, images: list[Path]) -> ModelConfig:
    """Writes the graphs, the vocabulary and config.json.

    images: calibrate the ranges of the image tower's maps; without any, the existing image graph stays.
    """
    config = read_config(model)
    weights = load_file(model / "model.safetensors")
    assert config.text is not None
    out.mkdir(parents=True, exist_ok=True)
    if images:
        _store_image(model, config, _part(weights, "image"), images, out)
    onnx.save(text_graph(config.text, config.dim, _part(weights, "text"), "int8"), out / "text.onnx")
    shutil.copy(model / "tokenizer.json", out / "tokenizer.json")
    config = replace(config, precision=STORED)
    (out / "config.json").write_text(json.dumps(to_json(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return config


def _store_image(model: Path, config: ModelConfig, image: dict[str, np.ndarray], images: list[Path], out: Path) -> None:
    assert isinstance(config.image, EfficientNetLiteConfig)
    pixels = seesay.load(model).preprocess(images)
    measured = map_ranges(config.image, image, pixels, open_graph)
    ranges = {name: (RANGE_SHARE * low, RANGE_SHARE * high) for name, (low, high) in measured.items()}
    tower = open_checkpoint(model).model().image
    assert isinstance(tower, EfficientNetLite)
    image |= rounded(tower.eval(), pixels)
    onnx.save(image_graph(config.image, config.dim, image, "int8", ranges=ranges), out / "image.onnx")


def _part(weights: dict[str, np.ndarray], tower: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{tower}."): value for name, value in weights.items() if name.startswith(f"{tower}.")}


def check_classes(model: Path) -> None:
    """Checks that the classifier and its tower are the published ones, bit for bit. Raises SystemExit."""
    weights = load_file(model / "model.safetensors")
    for name, value in sources.image_weights().items():
        expected = value / np.float32(TEMPERATURE) if name.startswith("classifier.") else value
        if not np.array_equal(weights[f"image.{name}"], expected):
            raise SystemExit(f"image.{name} is not what was published any more")


def publish(model: Path, out: Path, data: Path, variant: Path | None, work: Path, *, text_only: bool) -> None:
    """Writes the folder of the bundled model. variant: the model of `build --without-captions`, for its scores in the card."""
    photos: list[Path] = []
    before = seesay.load(out).card if text_only else None
    if not text_only:
        check_classes(model)
        photos = sorted((data / "flickr8k" / "images").glob("*"))[:: 6 * 1000 // CALIBRATION]
    config = write_quantized(model, out, photos)
    with TemporaryDirectory() as cache:
        # Vectors are cached by the model's identity, which does not depend on the rounding of its weights.
        os.environ["SEESAY_CACHE"] = cache
        measured = card.measured_card(model, out, data, variant, work)
    new_card = measured.card
    if before is not None:  # for the image tower, whose float32 weights are absent, and for other models
        image_part = {part.part: part for part in before.fidelity if part.part == "image"}
        parts = tuple(image_part.get(part.part, part) for part in new_card.fidelity)
        new_card = replace(new_card, fidelity=parts, variants=new_card.variants or before.variants)
    config = replace(config, name="bundled", logit_scale=measured.logit_scale, licence=card.LICENCE, search=SEARCH)
    for folder in (model, out):
        named = replace(config, precision=read_config(folder).precision)
        (folder / "config.json").write_text(json.dumps(to_json(named), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_phrases(out / FILE, seesay.load(out))
    (out / "card.json").write_text(json.dumps(to_json(new_card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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
