"""What towers find, against Hugging Face transformers: the boxes of OWL-ViT and OWLv2, CLIPSeg's masks; and mistakes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from seesay.checkpoints.export import write_graphs
from seesay.checkpoints.reader import Checkpoint
from seesay.engines import OnnxEngine
from seesay.engines.protocol import Engine
from seesay.engines.torch import TorchEngine
from seesay.images.spec import ImageSpec
from seesay.models.clip import Clip
from seesay.models.regions import Regions
from seesay.tasks.detection import select
from seesay.tasks.region_detection import LIKE, RegionDetector, in_pixels, probabilities
from tests.parity.finder_pictures import PIXELS, SPECS, chosen
from tests.parity.pictures import STORED, digest, ours
from tests.parity.test_checkpoints import NAMES, open_fixture, relative
from tests.parity.test_mutations import Mutation, changed, dropped, swapped, with_image, with_text

BOXES = [name for name in NAMES if name.startswith("hf-owl")]
MASKS = [name for name in NAMES if name.startswith("hf-clipseg")]
CLOSE = 1e-5  # of boxes, which are shares of the picture, and of probabilities
RELATIVE = 1e-4  # of logits, against their largest value


def engines(clip: Clip, folder: Path) -> list[Engine]:
    write_graphs(clip, folder)
    return [TorchEngine(clip), OnnxEngine(folder)]


def compare_boxes(engine: Engine, expected: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest differences: of boxes and probabilities absolute, of logits and vectors relative."""
    texts = engine.encode_tokens(expected["ids"])
    found = Regions.split(engine.find_regions(expected["pixels"]), texts.shape[1])
    probability = 1 / (1 + np.exp(-found.logits(texts).astype(np.float64)))
    worst = {
        "boxes": float(np.abs(found.boxes - expected["found.boxes"]).max()),
        "probabilities": float(np.abs(probability - 1 / (1 + np.exp(-expected["found.logits"].astype(np.float64)))).max()),
        "logits": relative(found.logits(texts), expected["found.logits"]),
        "classes": relative(
            found.embeddings / np.linalg.norm(found.embeddings, axis=-1, keepdims=True), expected["found.classes"]
        ),
    }
    assert (found.objectness is None) == ("found.objectness" not in expected)
    if found.objectness is not None:
        worst["objectness"] = relative(found.objectness, expected["found.objectness"])
    return worst


def compare_masks(engine: Engine, expected: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest differences of logits, relative, with texts and with pictures as queries."""
    found = engine.find_masks(expected["pixels"], engine.encode_tokens(expected["ids"]))
    by_picture = engine.find_masks(expected["pixels"], engine.encode_pixels(expected["guided.queries"]))
    own = by_picture[np.arange(3), np.arange(3)]  # each picture with its own query
    return {"masks": relative(found, expected["masks"]), "guided": relative(own, expected["guided.masks"])}


def close(worst: dict[str, float]) -> bool:
    return all(value <= (CLOSE if name in ("boxes", "probabilities") else RELATIVE) for name, value in worst.items())


@pytest.mark.parametrize("name", BOXES)
def test_boxes_are_the_originals(name: str, tmp_path: Path) -> None:
    checkpoint, expected = open_fixture(name)
    for engine in engines(checkpoint.model(), tmp_path):
        assert close(worst := compare_boxes(engine, expected)), worst


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_the_originals(name: str, tmp_path: Path) -> None:
    checkpoint, expected = open_fixture(name)
    for engine in engines(checkpoint.model(), tmp_path):
        assert close(worst := compare_masks(engine, expected)), worst


def with_decoder(**changes: Any) -> Mutation:
    def mutate(checkpoint: Checkpoint) -> Clip:
        return with_image(decoder=replace(checkpoint.description.image.decoder, **changes))(checkpoint)  # type: ignore[union-attr]

    return mutate


def patched(change: Callable[[Clip], None]) -> Mutation:
    def mutate(checkpoint: Checkpoint) -> Clip:
        clip = checkpoint.model()
        change(clip)
        return clip

    return mutate


def unmerged(clip: Clip) -> None:
    """Patches without the class token."""
    forward = clip.image.heads.forward  # type: ignore[union-attr]
    clip.image.heads.forward = lambda x: forward(torch.cat([torch.ones_like(x[:, :1]), x[:, 1:]], dim=1))  # type: ignore[union-attr]


def middles(clip: Clip) -> None:
    """Boxes that start from the patches' middles, not their corners."""
    heads: Any = clip.image.heads
    forward = heads.forward

    def moved(x: torch.Tensor) -> torch.Tensor:
        out = forward(x)
        column = heads.embedding.out_features + 2
        out[..., column : column + 2] = torch.sigmoid(torch.logit(out[..., column : column + 2]) - 0.1)
        return out  # type: ignore[no-any-return]

    heads.forward = moved


def antialiased(clip: Clip) -> None:
    """Positions interpolated as OpenCLIP does."""
    from seesay.models.layers.positions import resize_grid

    tower: Any = clip.image
    tower.positions = lambda: resize_grid(tower.position_embedding, tower.config.grid)


def reversed_states(clip: Clip) -> None:
    decoder: Any = clip.image.decoder
    forward = decoder.forward
    decoder.forward = lambda states, queries: forward(states[::-1], queries)


def gelu_decoder(clip: Clip) -> None:
    for block in clip.image.decoder.blocks:  # type: ignore[union-attr]
        block.mlp.activation = torch.nn.functional.gelu


MUTATIONS: tuple[tuple[str, str, Mutation], ...] = (
    ("the class token not merged", "hf-owl-vit-5", patched(unmerged)),
    ("boxes from the patches' middles", "hf-owl-vit-4", patched(middles)),
    ("shift and scale swapped", "hf-owl-vit-5", swapped("heads.shift", "heads.scale")),
    ("the shift forgotten", "hf-owl-v2-5", dropped("heads.shift.bias")),
    ("the heads' norm forgotten", "hf-owl-v2-4", dropped("heads.norm.bias")),
    ("the class head's bias dropped", "hf-owl-vit-4", dropped("heads.embedding.bias")),
    ("objectness from the boxes' layers", "hf-owl-v2-5", swapped("heads.box.first", "heads.objectness.first")),
    ("layers of the box head swapped", "hf-owl-vit-5", swapped("heads.box.first", "heads.box.second")),
    ("width and height swapped", "hf-owl-vit-5", changed("heads.box.last.weight", lambda w: w[[0, 1, 3, 2]])),
    ("GELU for QuickGELU in a tower that finds boxes", "hf-owl-v2-5", with_image(activation="gelu")),
    ("another end of texts", "hf-owl-vit-5", with_text(eos_id=298)),
    ("positions interpolated with antialiasing", "hf-clipseg-5", patched(antialiased)),
    ("the first block for the last", "hf-clipseg-4", patched(reversed_states)),
    ("other blocks", "hf-clipseg-fine-5", with_decoder(blocks=(0, 1))),
    ("the query before another block", "hf-clipseg-fine-4", with_decoder(query_at=0)),
    ("GELU for ReLU in the decoder", "hf-clipseg-5", patched(gelu_decoder)),
    ("wrong heads in the decoder", "hf-clipseg-5", with_decoder(heads=2)),
    ("the query's factor and term swapped", "hf-clipseg-5", swapped("decoder.multiply", "decoder.add")),
    ("the drawing's bias dropped", "hf-clipseg-4", dropped("decoder.draw.0.bias")),
    ("the second convolution's bias dropped", "hf-clipseg-fine-4", dropped("decoder.draw.1.bias")),
    (
        "norms of the decoder swapped",
        "hf-clipseg-fine-5",
        swapped("image.decoder.blocks.0.norm1", "image.decoder.blocks.0.norm2"),
    ),
    ("another epsilon in the decoder", "hf-clipseg-fine-5", with_image(layer_norm_eps=1e-5)),
)


@pytest.mark.parametrize(("name", "fixture", "mutate"), MUTATIONS, ids=[name for name, *_ in MUTATIONS])
def test_a_mistake_is_noticed(name: str, fixture: str, mutate: Mutation) -> None:
    checkpoint, expected = open_fixture(fixture)
    engine = TorchEngine(mutate(checkpoint))
    worst = compare_boxes(engine, expected) if fixture in BOXES else compare_masks(engine, expected)
    assert max(worst.values()) > 3 * RELATIVE, worst


@pytest.mark.parametrize("fixture", ["hf-owl-vit-5", "hf-owl-v2-5", "hf-clipseg-5", "hf-clipseg-fine-5"])
def test_every_parameter_of_the_heads_matters(fixture: str) -> None:
    checkpoint, expected = open_fixture(fixture)
    clip = checkpoint.model()
    engine = TorchEngine(clip)
    for name, tensor in clip.state_dict().items():
        if not name.startswith(("image.heads.", "image.decoder.")) or name.endswith("key.bias"):
            continue
        before = tensor.clone()
        with torch.no_grad():
            tensor += 0.1 * torch.linspace(0.5, 1.5, tensor.numel()).view_as(tensor)
            worst = compare_boxes(engine, expected) if fixture in BOXES else compare_masks(engine, expected)
            tensor.copy_(before)
        assert max(worst.values()) > 3 * RELATIVE, name


class Recorded:
    """A `RegionEncoder` that was shown a fixture's pixels: pictures have their number as red level."""

    def __init__(self, engine: Engine, expected: dict[str, np.ndarray], spec: ImageSpec) -> None:
        self.engine, self.expected, self.image_spec = engine, expected, spec

    def encode_text(self, texts: str | Sequence[str]) -> np.ndarray:
        return self.engine.encode_tokens(self.expected["ids"][: len(texts)])

    def find_regions(self, items: Any) -> list[Regions]:
        row = int(np.asarray(items)[0, 0, 0])
        name, row = ("guided.queries", row - 100) if row >= 100 else ("pixels", row)
        columns = self.engine.find_regions(self.expected[name][row : row + 1])[0]
        return [Regions.split(columns, 24)]


SIZES = ((64, 48), (30, 100), (32, 32))  # width and height, as in make_hugging_face_finders


def detector(name: str) -> tuple[RegionDetector, dict[str, np.ndarray]]:
    checkpoint, expected = open_fixture(name)
    assert checkpoint.description.image_spec is not None
    return RegionDetector(Recorded(TorchEngine(checkpoint.model()), expected, checkpoint.description.image_spec)), expected


def picture(number: int, size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, (number, 0, 0))
    image.putpixel((size[0] - 1, size[1] - 1), (number, 9, 0))  # a query picture of one colour shows nothing
    return image


def within(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.clip(boxes, 0, [*size, *size])


@pytest.mark.parametrize("name", BOXES)
def test_what_is_shown_is_what_transformers_shows(name: str) -> None:
    """Threshold 0.1, each box with its best label; theirs may reach beyond the picture, ours end there."""
    finder, expected = detector(name)
    shown = 0
    for number, size in enumerate(SIZES):
        image = picture(number, size)
        rows = expected["shown.pictures"] == number
        wanted, scores, labels = (expected[f"shown.{part}"][rows] for part in ("kept", "scores", "labels"))
        regions = finder.encoder.find_regions(image)[0]
        all_scores = probabilities(regions.logits(finder.encoder.encode_text(["a", "b", "c"])).max(axis=1))
        np.testing.assert_allclose(in_pixels(regions, size, finder.encoder.image_spec)[all_scores > 0.1], wanted, atol=1e-3)
        inside = (np.diff(within(wanted, size).reshape(-1, 2, 2), axis=1) > 0).all(axis=(1, 2))
        found = select(finder.detect(image, ["a", "b", "c"]), finder.selection)
        order = np.argsort(-scores[inside], kind="stable")
        np.testing.assert_allclose(found.scores, scores[inside][order], atol=CLOSE)
        np.testing.assert_allclose(found.boxes, within(wanted, size)[inside][order], atol=1e-3)
        np.testing.assert_array_equal(found.labels, labels[inside][order])
        shown += len(found)
    assert shown > 10


@pytest.mark.parametrize("name", [name for name in BOXES if "guided.boxes" in open_fixture(name)[1]])
def test_what_is_like_a_picture_is_what_transformers_shows(name: str) -> None:
    """Threshold 0.6 and overlaps of 0.3; their scores are spread from 0 to 1, ours are probabilities."""
    finder, expected = detector(name)
    for number, size in enumerate(SIZES):
        image, query = picture(number, size), picture(100 + number, (9, 9))
        logits, regions = finder.similarity(image, query)
        assert relative(logits[:, None], expected["guided.logits"][number]) <= RELATIVE
        np.testing.assert_allclose(regions.boxes, expected["guided.boxes"][number], atol=CLOSE)
        rows = expected["guided.pictures"] == number
        wanted, scores = expected["guided.kept"][rows], expected["guided.scores"][rows]
        found = select(finder.detect_like(image, query), LIKE)
        inside = (np.diff(within(wanted, size).reshape(-1, 2, 2), axis=1) > 0).all(axis=(1, 2))
        order = np.argsort(-scores[inside], kind="stable")
        np.testing.assert_allclose(found.boxes, within(wanted, size)[inside][order], atol=1e-3)
        if len(found):
            best = float(probabilities(logits).max()) + 1e-6
            spread = np.clip((found.scores - 0.1 * best) / (0.9 * best), 0, 1)
            np.testing.assert_allclose(spread, scores[inside][order], atol=CLOSE)


@pytest.mark.parametrize("name", SPECS)
def test_pictures_are_prepared_as_by_transformers_4(name: str) -> None:
    stored = json.loads(PIXELS.read_text())[name]
    assert len(stored) == 30
    known = json.loads(STORED.read_text())
    if known["versions"]["pillow"].partition(".")[0] != PIL.__version__.partition(".")[0]:
        pytest.skip("stored with another Pillow")
    drawn = {n: image for n, image in chosen().items() if digest(np.asarray(image)) == known["pictures"][n]}
    assert len(drawn) > 15
    assert not [picture for picture, image in drawn.items() if digest(ours(image, SPECS[name])) != stored[picture]]
