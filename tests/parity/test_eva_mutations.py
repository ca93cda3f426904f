"""Mistakes that people make with EVA-CLIP, each of which the comparison of its fixtures must notice."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seesay.checkpoints.reader import Checkpoint
from seesay.models.clip import Clip
from seesay.models.families.eva.tower import Eva, EvaBlock, Rotation
from tests.parity.test_checkpoints import RELATIVE, UNIT, compare, open_fixture
from tests.parity.test_mutations import Mutation, changed, dropped, swapped, with_image


def tower_of(clip: Clip) -> Eva:
    assert isinstance(clip.image, Eva)
    return clip.image


def with_angles(change: Any) -> Mutation:
    """Other cosines and sines (1 + N, head_width / 2)."""

    def mutate(checkpoint: Checkpoint) -> Clip:
        clip = checkpoint.model()
        tower = tower_of(clip)
        angles = tower._angles

        def other(like: torch.Tensor) -> Rotation:
            found = angles(like)
            assert found is not None
            return change(found[0]), change(found[1])

        tower._angles = other  # type: ignore[method-assign]
        return clip

    return mutate


def with_patch_for_class_token(angles: torch.Tensor) -> torch.Tensor:
    return torch.cat([angles[2:3], angles[1:]])


def with_columns_first(angles: torch.Tensor) -> torch.Tensor:
    return torch.cat([part.flip(0) for part in angles.chunk(2, dim=-1)[::-1]], dim=-1).flip(0)


def gated_by_gelu(checkpoint: Checkpoint) -> Clip:
    clip = checkpoint.model()
    for block in tower_of(clip).blocks:
        assert isinstance(block, EvaBlock)
        mlp = block.mlp
        mlp.forward = lambda x, mlp=mlp: mlp.down(mlp.norm(F.gelu(mlp.gate(x)) * mlp.up(x)))  # type: ignore[method-assign,misc]
    return clip


def first_patch_pooled(checkpoint: Checkpoint) -> Clip:
    clip = checkpoint.model()
    last = tower_of(clip).blocks[-1]
    forward = last.forward

    def next_one(x: torch.Tensor, angles: Rotation | None, *, first_only: bool = False) -> torch.Tensor:
        whole = forward(x, angles)
        return whole[:, 1:2] if first_only else whole  # type: ignore[no-any-return]

    last.forward = next_one
    return clip


def centred(checkpoint: Checkpoint) -> Clip:
    """Layer norm's mean in RMS norm."""
    clip = checkpoint.model()
    norm: Any = tower_of(clip).norm_after
    forward = norm.forward
    norm.forward = lambda x: forward(x - x.mean(dim=-1, keepdim=True))
    return clip


MUTATIONS: tuple[tuple[str, str, Mutation], ...] = (
    ("rotary positions forgotten", "open-clip-eva-02", with_image(rotary_grid=None)),
    ("rotary positions of the patches' own grid", "eva-clip-02", with_image(rotary_grid=4)),
    ("the class token turned, too", "eva-clip-02", with_angles(with_patch_for_class_token)),
    ("columns before rows", "open-clip-eva-02", with_angles(with_columns_first)),
    ("rotary positions of another grid", "open-clip-eva-resized", with_image(rotary_grid=14)),
    ("gate and value of SwiGLU swapped", "eva-clip-02", swapped("mlp.gate", "mlp.up")),
    ("GELU for SwiGLU's SiLU", "open-clip-eva-02", gated_by_gelu),
    ("norms of attention and MLP swapped", "eva-clip-01", swapped("image.blocks.0.norm1", "image.blocks.0.norm2")),
    ("the norm inside attention forgotten", "eva-clip-02", changed("image.blocks.0.attention.norm.weight", torch.ones_like)),
    ("the norm inside the MLP without bias", "open-clip-eva-02", dropped("image.blocks.1.mlp.norm.bias")),
    ("norms before instead of after each branch", "eva-clip-post-norm", with_image(norm_place="pre")),
    ("norms after instead of before each branch", "open-clip-eva-01", with_image(norm_place="post")),
    ("queries' and values' biases swapped", "eva-clip-01", swapped("query.bias", "value.bias")),
    ("queries' bias dropped", "open-clip-eva-02", dropped("image.blocks.0.attention.query.bias")),
    ("query and value swapped in the fused layer", "open-clip-eva-01", swapped("query.weight", "value.weight")),
    ("layer scale forgotten", "eva-clip-layer-scale", changed("image.blocks.0.scale2.weight", torch.ones_like)),
    ("the head's bias dropped", "eva-clip-02", dropped("image.projection.bias")),
    ("the patches' bias dropped", "open-clip-eva-post-norm", dropped("image.patch_embedding.bias")),
    ("the first patch pooled", "eva-clip-02", first_patch_pooled),
    ("wrong heads", "open-clip-eva-02", with_image(heads=2)),
    ("RMS norm with a mean", "eva-clip-8b", centred),
)


@pytest.mark.parametrize(("name", "fixture", "mutate"), MUTATIONS, ids=[name for name, *_ in MUTATIONS])
def test_a_mistake_is_noticed(name: str, fixture: str, mutate: Mutation) -> None:
    checkpoint, expected = open_fixture(fixture)
    clip = mutate(checkpoint)
    with torch.no_grad():
        worst = compare(clip, expected, None)
    assert worst["unit"] > 3 * UNIT or worst["hidden"] > 3 * RELATIVE, worst


@pytest.mark.parametrize("fixture", ["eva-clip-02", "eva-clip-post-norm", "eva-clip-8b", "eva-clip-layer-scale"])
def test_every_parameter_matters(fixture: str) -> None:
    checkpoint, expected = open_fixture(fixture)
    clip = checkpoint.model()
    random = np.random.default_rng(0)
    for name, tensor in clip.state_dict().items():
        if name.startswith("text.") and name.endswith("key.bias"):
            continue
        before = tensor.clone()
        with torch.no_grad():
            tensor += 0.1 * torch.from_numpy(random.standard_normal(tuple(tensor.shape)).astype(np.float32)).abs()
            worst = compare(clip, expected, None)
            tensor.copy_(before)
        assert max(worst.values()) > 3 * RELATIVE, name
