"""Towers that no other library has, against slow numpy; and what all towers promise."""

from pathlib import Path

import numpy as np
import pytest
import torch

import seesay
from seesay.config import CbowConfig, ModelConfig
from seesay.engines import OnnxEngine
from seesay.engines.export import verify, write_graphs
from seesay.errors import MissingCapability
from seesay.models import Clip
from seesay.models.positions import resize_grid, resize_line
from tests.parity.test_checkpoints import DATA, NAMES, open_fixture

CBOW = CbowConfig("cbow", width=12, vocabulary=40, pad_id=0)


def cbow() -> Clip:
    config = ModelConfig(1, "cbow", 5, None, CBOW, None, None, 0.0, None, "softmax", {}, (), "none", (), "0" * 32)
    torch.manual_seed(0)
    return Clip(config)


def test_cbow_is_the_mean_of_its_words_projected(tmp_path: Path) -> None:
    clip = cbow()
    ids = np.array([[3, 7, 0, 0], [5, 5, 9, 1], [0, 0, 0, 0]])
    table, projection = (
        clip.state_dict()[f"text.{name}.weight"].double().numpy() for name in ("token_embedding", "projection")
    )
    for row, ours in zip(ids, clip.text(torch.from_numpy(ids)).detach().numpy(), strict=True):
        words = [table[i] for i in row if i != 0]
        mean = np.sum(words, axis=0) / len(words) if words else np.zeros(12)
        np.testing.assert_allclose(ours, projection @ mean, atol=1e-6)
    write_graphs(clip, tmp_path)
    assert verify(clip, tmp_path)["text"] < 1e-5
    np.testing.assert_allclose(OnnxEngine(tmp_path).encode_tokens(ids[2:]), np.zeros((1, 5)), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_eval_mode_and_no_branch_on_the_batch(name: str) -> None:
    """A row's vector is the same alone and among others."""
    checkpoint, expected = open_fixture(name)
    clip = checkpoint.model()
    assert not any(module.training for module in clip.modules())
    for part, given in (("image", "pixels"), ("text", "ids")):
        if part in expected:
            inputs = torch.from_numpy(expected[given])
            with torch.no_grad():
                together, alone = getattr(clip, part)(inputs)[1:2], getattr(clip, part)(inputs[1:2])
            torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_padding_does_not_change_a_text() -> None:
    checkpoint, expected = open_fixture("hf-chinese-clip-5")
    clip, ids = checkpoint.model(), torch.from_numpy(expected["ids"])
    short = ids[1:2, :5]  # five tokens, no padding
    with torch.no_grad():
        torch.testing.assert_close(clip.text(short), clip.text(ids)[1:2], rtol=1e-5, atol=1e-5)


def test_hidden_states_are_a_declared_capability(photos: list[Path]) -> None:
    model = seesay.load(DATA / "hf-clip-5", engine="torch")
    assert "hidden_states" in model.engine.capabilities
    assert [state.shape for state in model.image_hidden_states(photos[:2])] == [(2, 17, 32)] * 3
    bundled = seesay.load(engine="torch")
    assert [state.shape[2] for state in bundled.text_hidden_states(["a dog", "two cats"])] == [384] * 7
    with pytest.raises(MissingCapability, match="engine='torch'"):
        seesay.load().text_hidden_states("a dog")


def test_positions_keep_their_size_and_their_prefix() -> None:
    table = torch.randn(1 + 16, 6)
    assert resize_grid(table, 4) is table
    resized = resize_grid(table, 6)
    assert resized.shape == (37, 6)
    torch.testing.assert_close(resized[0], table[0])
    torch.testing.assert_close(resize_grid(torch.ones(1 + 16, 6), 7), torch.ones(50, 6))
    with pytest.raises(ValueError, match="square grid"):
        resize_grid(torch.randn(18, 6), 5)
    line = torch.arange(8.0)[:, None].expand(8, 3)
    torch.testing.assert_close(resize_line(line, 4)[:, 0], torch.tensor([0.5, 2.5, 4.5, 6.5]))
