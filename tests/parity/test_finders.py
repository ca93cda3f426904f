"""What towers find, against Hugging Face transformers: the boxes of OWL-ViT and OWLv2, CLIPSeg's masks; and mistakes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seesay.checkpoints.export import write_graphs
from seesay.checkpoints.reader import Checkpoint
from seesay.engines import OnnxEngine
from seesay.engines.protocol import Engine
from seesay.engines.torch import TorchEngine
from seesay.models.clip import Clip
from seesay.models.regions import Regions
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
