"""Every format against what its original library computed (see tests/parity/fixtures.py for how that was recorded)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from seesay.checkpoints.formats import eva_trunk, siglip_trunk
from seesay.checkpoints.names import Origin
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.models.clip import Clip
from tests.parity.fixtures import contrastive, summary

DATA = Path(__file__).parent / "data"
NAMES = sorted(folder.name for folder in DATA.iterdir() if (folder / "expected.npz").is_file())
UNIT = 1e-5  # largest difference of unit embeddings
RELATIVE = 1e-4  # of hidden states, logits and gradients, against their largest value


def overrides(facts: dict[str, Any]) -> Overrides:
    return Overrides(**facts.get("overrides", {}))


def open_fixture(name: str) -> tuple[Checkpoint, dict[str, np.ndarray]]:
    folder = DATA / name
    facts = json.loads((folder / "facts.json").read_text())
    expected = dict(np.load(folder / "expected.npz"))
    # timm's names stand for sizes, which are tiny here
    eva, siglip = (
        {model: replace(models[model], **sizes) for model, sizes in facts.get(kind, {}).items()}
        for kind, models in (("timm", eva_trunk.MODELS), ("siglip", siglip_trunk.MODELS))
    )
    with patch.dict(eva_trunk.MODELS, eva), patch.dict(siglip_trunk.MODELS, siglip):
        return open_checkpoint(folder / facts["file"], overrides(facts)), expected


def unit(x: torch.Tensor | np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def relative(actual: Any, reference: np.ndarray) -> float:
    actual = np.asarray(actual, dtype=np.float64)
    assert actual.shape == reference.shape, (actual.shape, reference.shape)
    return float(np.abs(actual - reference).max() / np.abs(reference).max())


def compare(clip: Clip, expected: dict[str, np.ndarray], origins: Mapping[str, Origin] | None) -> dict[str, float]:
    """Largest differences by kind; gradients are compared where `origins` has their foreign names."""
    # np.maximum below, because Python's max(0.0, nan) is 0.0
    worst: dict[str, float] = {"unit": 0.0, "hidden": 0.0, "logits": 0.0, "gradients": 0.0}
    vectors: dict[str, torch.Tensor] = {}
    for part, inputs_name in (("image", "pixels"), ("text", "ids")):
        if part not in expected:
            continue
        tower = getattr(clip, part)
        inputs = torch.from_numpy(expected[inputs_name])
        vectors[part] = tower(inputs)
        worst["unit"] = float(np.maximum(worst["unit"], np.abs(unit(vectors[part].detach()) - unit(expected[part])).max()))
        hidden = tower.hidden_states(inputs)
        stored = [name for name in expected if name.startswith(f"{part}.hidden.")]
        assert len(hidden) == len(stored) > 1
        for i, state in enumerate(hidden):
            worst["hidden"] = float(np.maximum(worst["hidden"], relative(state.detach(), expected[f"{part}.hidden.{i}"])))
    if len(vectors) == 2:
        logits = clip.logits(vectors["image"], vectors["text"])
        worst["logits"] = relative(logits.detach(), expected["logits"])
        loss = contrastive(logits)
    else:
        (vector,) = vectors.values()
        loss = (torch.nn.functional.normalize(vector, dim=-1) * torch.linspace(-1, 1, vector.shape[1])).sum()
    if origins is not None:
        clip.zero_grad()
        loss.backward()
        worst["gradients"] = _gradients(clip, expected, origins)
    return worst


def _gradients(clip: Clip, expected: dict[str, np.ndarray], origins: Mapping[str, Origin]) -> float:
    """The largest difference of gradients, transposed and stacked as the original's parameters."""
    foreign: dict[str, list[tuple[int, np.ndarray]]] = {}
    for name, parameter in clip.named_parameters():
        if parameter.grad is None or name not in origins:
            continue
        origin = origins[name]
        gradient = parameter.grad.numpy()
        foreign.setdefault(origin.foreign, []).append((origin.part, gradient.T if origin.how == "transpose" else gradient))
    worst, largest = (
        0.0,
        max((float(value[0]) for name, value in expected.items() if name.startswith("gradient/")), default=0.0),
    )
    stored = {name.removeprefix("gradient/"): value for name, value in expected.items() if name.startswith("gradient/")}
    assert stored.keys() <= foreign.keys()
    for name, value in stored.items():
        parts = [gradient for _, gradient in sorted(foreign[name], key=lambda pair: pair[0])]
        actual = summary(name, np.concatenate(parts) if len(parts) > 1 else parts[0])
        # A key's bias gets no gradient at all but rounding; hence a floor at a hundredth of the largest gradient.
        worst = float(np.maximum(worst, np.abs(actual - value).max() / max(value[0], 1e-2 * largest)))
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_gives_its_authors_numbers(name: str) -> None:
    checkpoint, expected = open_fixture(name)
    worst = compare(checkpoint.model(), expected, checkpoint.account.origins)
    assert worst["unit"] <= UNIT, worst
    assert worst["hidden"] <= RELATIVE, worst
    assert worst["logits"] <= RELATIVE, worst
    assert worst["gradients"] <= RELATIVE, worst
