"""Two text encoders: the same, rounded, fine-tuned, or others; and what a published one on this machine is recognised by."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seesay.checkpoints.diffusion import TextEncoderFile, text_encoders
from seesay.checkpoints.diffusion.fingerprint import fingerprint
from seesay.checkpoints.diffusion.kinship import Kinship, kinship
from seesay.checkpoints.diffusion.prompts import PROMPTS
from seesay.checkpoints.diffusion.tensors import clip_text_shapes
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.clip_text.tower import ClipText
from tests import generator_files as files

State = dict[str, torch.Tensor]


def encoder(state: State, path: Path, dtype: torch.dtype = torch.float32) -> TextEncoderFile:
    return text_encoders(files.write(state, path, dtype))[0]


def related(own: TextEncoderFile, other: TextEncoderFile) -> Kinship:
    return kinship(own, other, fingerprint(own), fingerprint(other))


@pytest.fixture(scope="module")
def state() -> State:
    return files.random_state(64, 2, 49408)


def test_the_shapes_without_torch_are_those_of_the_tower() -> None:
    config = ClipTextConfig(
        kind="clip-text",
        width=8,
        depth=2,
        heads=2,
        mlp_width=24,
        vocabulary=11,
        positions=5,
        activation="gelu",
        layer_norm_eps=1e-5,
        causal=True,
        pooling="eos",
        eos_id=10,
    )
    for each, dim in ((config, 6), (replace(config, projection="none"), 8)):
        expected = {f"text.{name}": tuple(tensor.shape) for name, tensor in ClipText(each, dim).state_dict().items()}
        assert clip_text_shapes(each, dim) == expected


def test_layout_position_ids_and_projection_do_not_matter(tmp_path: Path, state: State) -> None:
    one = encoder(files.sd1(state), tmp_path / "a.safetensors")
    two = encoder(files.merged_sd1(state), tmp_path / "b.safetensors")
    projected = encoder({**state, "text_projection.weight": torch.eye(64)}, tmp_path / "c.safetensors")
    assert fingerprint(one).digest == fingerprint(two).digest == fingerprint(projected).digest
    assert related(one, two) == Kinship("equal", 36)
    assert related(one, projected) == Kinship("equal", 36, other_only=("projection",))
    assert related(projected, one) == Kinship("equal", 36, own_only=("projection",))


def test_open_clips_layout_is_the_same_tower(tmp_path: Path, state: State) -> None:
    one = encoder(state, tmp_path / "a.safetensors")
    two = encoder(files.sd2(state), tmp_path / "b.safetensors")
    assert related(one, two).relation == "equal"


def test_a_missing_last_layer_is_named(tmp_path: Path, state: State) -> None:
    shorter = {name: tensor for name, tensor in state.items() if ".layers.1." not in name}
    found = related(encoder(shorter, tmp_path / "a.safetensors"), encoder(files.sd2(state), tmp_path / "b.safetensors"))
    assert (found.relation, found.other_only, found.own_only) == ("equal", ("layer 2",), ())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_copy_of_lower_precision_is_recognised(tmp_path: Path, state: State, dtype: torch.dtype) -> None:
    whole = encoder(files.sd1(state), tmp_path / "whole.safetensors")
    rounded = encoder(files.sd1(state), tmp_path / "rounded.safetensors", dtype)
    widened = {name: tensor.to(dtype).float() for name, tensor in state.items()}
    again = encoder(files.sd1(widened), tmp_path / "again.safetensors")
    found = related(rounded, whole)
    assert (found.relation, found.dtype, found.rounded_side) == ("rounded", str(dtype).removeprefix("torch."), "own")
    assert found.differing == 36
    assert related(whole, rounded).rounded_side == "other"
    assert related(rounded, again).relation == "equal"  # the same numbers, stored more widely


def test_float16_does_not_change_the_fingerprint(tmp_path: Path, state: State) -> None:
    whole, half = (encoder(state, tmp_path / f"{dtype}.safetensors", dtype) for dtype in (torch.float32, torch.float16))
    assert fingerprint(whole).digest == fingerprint(half).digest


def test_rounding_of_both_is_neithers(tmp_path: Path, state: State) -> None:
    base = {name: tensor.half().float() for name, tensor in state.items()}
    one, two = ({name: tensor * (1 + step) for name, tensor in base.items()} for step in (2**-15, 2**-16))
    found = related(encoder(one, tmp_path / "a.safetensors"), encoder(two, tmp_path / "b.safetensors"))
    assert (found.relation, found.dtype, found.rounded_side) == ("rounded", "float16", "neither")


def by_hand(own: TextEncoderFile, other: TextEncoderFile) -> torch.Tensor:
    """Cosines of the towers' own outputs, padded to 77 as generators do."""
    ids = torch.from_numpy(own.tokenizer()(list(PROMPTS)).ids)
    with torch.no_grad():
        return torch.nn.functional.cosine_similarity(own.load()(ids), other.load()(ids), dim=-1)


def test_a_fine_tuned_tower_is_measured_on_prompts(tmp_path: Path, state: State) -> None:
    generator = torch.Generator().manual_seed(1)
    tuned = {n: t + 0.02 * torch.randn(t.shape, generator=generator) if ".layers.1." in n else t for n, t in state.items()}
    own, other = encoder(files.sd1(tuned), tmp_path / "a.safetensors"), encoder(state, tmp_path / "b.safetensors")
    steps: list[tuple[int, int]] = []
    found = kinship(own, other, fingerprint(own), fingerprint(other), lambda done, total: steps.append((done, total)))
    expected = by_hand(own, other)
    assert (found.relation, found.prompts, found.differing) == ("fine-tuned", 200, 16)
    assert found.cosine == pytest.approx(float(expected.mean()), abs=1e-5)
    assert found.least_cosine == pytest.approx(float(expected.min()), abs=1e-5)
    assert found.cosine is not None
    assert 0.8 < found.cosine < 0.9999
    assert found.weight_cosine is not None
    assert found.weight_cosine > 0.98
    assert steps[-1] == (400, 400)


def test_a_tower_from_another_start_and_one_of_another_shape(tmp_path: Path, state: State) -> None:
    one = encoder(state, tmp_path / "a.safetensors")
    other = related(one, encoder(files.random_state(64, 2, 49408, seed=5), tmp_path / "b.safetensors"))
    assert other.relation == "unrelated"
    assert other.weight_cosine is not None
    assert abs(other.weight_cosine) < 0.1
    assert related(one, encoder(files.random_state(128, 2, 100), tmp_path / "c.safetensors")).relation == "other shape"


def test_without_a_tokenizer_the_weights_tell(tmp_path: Path) -> None:
    state = files.random_state(64, 2, 90)
    nudged: dict[str, Any] = {name: tensor * 1.01 for name, tensor in state.items()}
    found = related(encoder(nudged, tmp_path / "a.safetensors"), encoder(state, tmp_path / "b.safetensors"))
    assert (found.relation, found.cosine, found.prompts) == ("fine-tuned", None, 0)


def test_there_are_two_hundred_prompts() -> None:
    assert len(set(PROMPTS)) == 200
