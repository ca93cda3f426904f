"""Graphs in the layouts of others against the torch models that they were exported from (see make_graphs.py).

GRAPHS names another folder than the stored one: `make parity` makes them again with the live libraries.
"""

import functools
import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import seesay
from seesay.model import Model

GRAPHS = Path(os.environ.get("GRAPHS") or Path(__file__).parent / "data" / "graphs")
NAMES = sorted(folder.name for folder in GRAPHS.iterdir())
TEXTS = ["a red dog", "two cats on a mat by the sea, and a boat", "A", "Caf\u00e9 & <b>crême</b>"]
UNIT = 1e-5  # largest difference of unit embeddings


def opened(name: str) -> tuple[Model, dict[str, np.ndarray]]:
    return seesay.load(GRAPHS / name), dict(np.load(GRAPHS / name / "expected.npz"))


def pixels() -> np.ndarray:
    return np.random.default_rng(6).standard_normal((3, 3, 32, 32)).astype(np.float32)


def picture() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_graphs_encode_as_the_model_that_they_were_exported_from(name: str) -> None:
    model, expected = opened(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one text is longer than the model's context
        ids, texts = model.tokenize(TEXTS), model.encode_text(TEXTS)
    np.testing.assert_array_equal(ids, expected["ids"])
    np.testing.assert_allclose(texts, expected["text"], atol=UNIT)
    np.testing.assert_allclose(model.encode_pixels(pixels()), expected["image"], atol=UNIT)
    np.testing.assert_array_equal(model.preprocess(picture()), expected["prepared"])
    np.testing.assert_allclose(model.encode_image(picture()), expected["picture"], atol=UNIT)


@pytest.mark.parametrize("name", NAMES)
def test_one_text_alone_is_the_same_text_in_a_batch(name: str) -> None:
    model, _ = opened(name)
    alone = np.concatenate([model.encode_text(text) for text in (TEXTS[0], TEXTS[2])])
    np.testing.assert_allclose(alone, model.encode_text([TEXTS[0], TEXTS[2]]), atol=UNIT)


def test_quantized_graphs_are_near_and_their_rows_do_not_depend_on_each_other() -> None:
    model = seesay.load(GRAPHS / "clip", variant="quantized")
    _, expected = opened("clip")
    together = model.encode_pixels(pixels())
    assert (together * expected["image"]).sum(axis=1).min() > 0.999
    apart = np.concatenate([model.encode_pixels(row[None]) for row in pixels()])
    np.testing.assert_array_equal(together, apart)
    assert model.space_id != seesay.load(GRAPHS / "clip").space_id
    assert model.build_id == "onnx/quantized+quantized/exact"


def test_a_graph_of_both_towers_knows_the_scale_of_its_cosines() -> None:
    model, expected = opened("chinese-clip")
    assert model.scale == pytest.approx(float(expected["scale"]), rel=1e-4)
    assert model.classify(picture(), ["dog", "a boat"]).sum() == pytest.approx(1)


def test_a_sigmoid_model_gives_each_label_its_own_probability() -> None:
    _, expected = opened("siglip")
    scale, bias = float(expected["scale"]), float(expected["bias"])
    model = seesay.load(GRAPHS / "siglip", scale=scale, bias=bias)
    shares = model.classify(picture(), ["dog", "boat"], templates=["{}"])
    cosines = expected["picture"] @ model.encode_text(["dog", "boat"]).T
    np.testing.assert_allclose(shares, 1 / (1 + np.exp(-(scale * cosines + bias))), atol=1e-5)


MISTAKES: dict[str, tuple[str, dict[str, object]]] = {
    "another mean": ("immich", {"image_spec.mean": [0.5, 0.5, 0.6]}),
    "another deviation": ("clip", {"image_spec.std": [0.26, 0.27, 0.26]}),
    "another resize": ("clip", {"image_spec.resize_px": 32}),
    "squashed": ("immich", {"image_spec.resize": "squash"}),
    "another interpolation": ("siglip", {"image_spec.interpolation": "bilinear"}),
    "padding cut off": ("siglip", {"tokenizer_spec.padding": "longest"}),
    "another padding": ("siglip", {"tokenizer_spec.pad_id": 1}),
    "texts lowered": ("immich-mclip", {"tokenizer_spec.cleaning": "lower"}),
    "padding seen": ("immich-mclip", {"text.signature.mask.pad_id": 3}),
    "end masked": ("immich-mclip", {"text.signature.mask.pad_id": 2, "tokenizer_spec.pad_id": 2}),
    "shorter texts": ("chinese-clip", {"tokenizer_spec.context_length": 8}),
    "a batch with one scale": ("clip quantized", {"image.signature.batch": None}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_what_was_read_is_noticed(mistake: str, tmp_path: Path) -> None:
    name, changes = MISTAKES[mistake]
    name, _, variant = name.partition(" ")
    right = seesay.load(GRAPHS / name, variant=variant) if variant else seesay.load(GRAPHS / name)
    assert right.folder is not None
    folder = Path(shutil.copytree(right.folder, tmp_path / "wrong"))
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        *outer, last = key.split(".")
        functools.reduce(dict.__getitem__, outer, config)[last] = value
    (folder / "config.json").write_text(json.dumps(config))
    differences = []
    encoders: list[Callable[[Model], np.ndarray]] = [
        lambda model: model.encode_pixels(pixels()),
        lambda model: model.encode_image(picture()),
        lambda model: np.concatenate([model.encode_text(text) for text in TEXTS]),
    ]
    for encode in encoders:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            differences.append(float(np.abs(encode(seesay.load(folder)) - encode(right)).max()))
    assert max(differences) > 10 * UNIT, differences
