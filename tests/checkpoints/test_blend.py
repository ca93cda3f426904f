"""Blends: exact at their ends, the mean between, and refused for models that differ."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import seesay
from seesay.checkpoints.blend import blend, weighted_mean
from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.reader import digest, open_checkpoint, space_of
from seesay.errors import InputError
from tests.parity.test_checkpoints import DATA

VIT, RESNET = DATA / "hf-clip-4", DATA / "open-clip-resnet"
Tuned = Callable[..., Path]


@pytest.fixture
def tuned(tmp_path: Path) -> Tuned:
    """tuned("name", source, seed) writes a folder whose weights are the source's and some noise, as fine-tuning leaves them."""

    def write(name: str, source: Path = VIT, seed: int = 0) -> Path:
        checkpoint = open_checkpoint(source)
        clip = checkpoint.model()
        generator = torch.Generator().manual_seed(seed)
        state = {
            key: value + 0.02 * torch.randn(value.shape, generator=generator).abs() if value.is_floating_point() else value + 3
            for key, value in clip.state_dict().items()
        }
        clip.load_state_dict(state)
        sha256 = digest(clip.state_dict().items())
        config = replace(clip.config, logit_scale=float(state["logit_scale"]))
        clip.config = replace(config, space_id=space_of(config, sha256))
        with new_folder(tmp_path / name) as draft:
            write_folder(clip, checkpoint.tokenizer(), draft, "float32")
        return tmp_path / name

    return write


def weights(path: Path) -> dict[str, torch.Tensor]:
    return open_checkpoint(path).model().state_dict()


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("source", [VIT, RESNET])
def test_a_blend_is_its_ends_bit_for_bit_and_the_mean_between(source: Path, tuned: Tuned, tmp_path: Path) -> None:
    a, b = weights(source), weights(other := tuned("other", source))
    for share, end in ((0.0, a), (1.0, b)):
        done = blend([source, other], [1 - share, share], tmp_path / f"at-{share}")
        assert all(same_bits(value, end[name]) for name, value in weights(done.folder).items())
    blend([source, other], [0.75, 0.25], tmp_path / "between")
    for name, value in weights(tmp_path / "between").items():
        if value.is_floating_point():
            np.testing.assert_allclose(value, 0.75 * a[name].double() + 0.25 * b[name].double(), rtol=1e-7, atol=0)
        else:
            assert torch.equal(value, a[name])  # the counters of batch norms, of the larger share


def test_a_blend_has_its_own_space_except_at_its_ends(tuned: Tuned, tmp_path: Path) -> None:
    other = tuned("other")
    spaces = {
        share: blend([VIT, other], [1 - share, share], tmp_path / f"at-{share}").space_id for share in (0.0, 0.4, 0.5, 1.0)
    }
    assert spaces[0.0] == seesay.load(VIT).space_id
    assert spaces[1.0] == seesay.load(other).space_id
    assert len(set(spaces.values())) == 4


def test_the_card_says_what_was_blended(tuned: Tuned, tmp_path: Path) -> None:
    blend([VIT, tuned("other")], [0.5, 0.5], tmp_path / "mine")
    model = seesay.load(tmp_path / "mine")
    assert model.name == "mine"
    assert "0.5 of hf-clip-4, 0.5 of other" in model.card.summary
    assert [source.package.rpartition(" ")[2] for source in model.config.provenance][-1] == "blend"
    assert model.card.limits == ()


def test_a_soup_of_three_is_their_mean(tuned: Tuned, tmp_path: Path) -> None:
    parts = [tuned(f"part-{seed}", seed=seed) for seed in (1, 2, 3)]
    blend(parts, [1 / 3] * 3, tmp_path / "soup")
    states = [weights(part) for part in parts]
    for name, value in weights(tmp_path / "soup").items():
        np.testing.assert_allclose(value, sum(state[name].double() for state in states) / 3, rtol=2e-7, atol=0)


def test_statistics_of_batch_norms_are_averaged_and_said(tuned: Tuned, tmp_path: Path) -> None:
    done = blend([RESNET, tuned("other", RESNET)], [0.5, 0.5], tmp_path / "blend")
    assert any("batch norms have different statistics" in note for note in done.notes)
    assert seesay.load(done.folder).card.limits == tuple(f"{note}." for note in done.notes)
    assert not any("statistics" in note for note in blend([RESNET, RESNET], [0.5, 0.5], tmp_path / "same").notes)


def test_models_without_a_common_origin_are_said(tmp_path: Path, tuned: Tuned) -> None:
    other = tuned("other")
    config = (other / "config.json").read_text(encoding="utf-8")
    start = config.index('"sha256": "') + len('"sha256": "')
    (other / "config.json").write_text(config[:start] + "0" * 64 + config[start + 64 :], encoding="utf-8")
    assert "no common origin" in " ".join(blend([VIT, other], [0.5, 0.5], tmp_path / "apart").notes)
    assert blend([VIT, tuned("near")], [0.5, 0.5], tmp_path / "near-blend").notes == ()


def test_other_architectures_are_refused_with_every_difference(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="where they are of one architecture") as raised:
        blend([VIT, RESNET], [0.5, 0.5], tmp_path / "blend")
    message = str(raised.value)
    assert f"image is vit in {VIT}, but modified-resnet in {RESNET}" in message
    assert "fine-tuned from it" in message
    assert not (tmp_path / "blend").exists()


def test_other_sizes_of_one_family_are_named(tmp_path: Path, tuned: Tuned) -> None:
    other = tuned("other")
    text = (other / "config.json").read_text(encoding="utf-8")
    (other / "config.json").write_text(text.replace('"quick_gelu"', '"gelu"', 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"image\.activation is quick_gelu in .*, but gelu in"):
        blend([VIT, other], [0.5, 0.5], tmp_path / "blend")


@pytest.mark.parametrize(
    ("count", "shares", "message"),
    [
        (1, [1.0], "at least two models to blend, got 1"),
        (2, [0.5, 0.6], "whose sum is 1, got 0.5, 0.6"),
        (2, [1.5, -0.5], "from 0 to 1"),
        (3, [0.5, 0.5], "expected 3 shares"),
    ],
)
def test_wrong_shares_are_refused(count: int, shares: list[float], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        blend([VIT] * count, shares, tmp_path / "blend")


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        blend([VIT, VIT], [0.5, 0.5], tmp_path)


def test_a_share_of_zero_leaves_no_trace() -> None:
    a, b = {"x": torch.tensor([-0.0, 1.0])}, {"x": torch.tensor([float("inf"), float("nan")])}
    mean, uneven = weighted_mean(iter([a, b]), [1.0, 0.0])
    assert same_bits(mean["x"], a["x"])
    assert uneven == ["x"]
