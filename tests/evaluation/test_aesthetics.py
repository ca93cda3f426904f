from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from seesay.errors import CheckpointError, InputError
from seesay.evaluation.aesthetics import read_head


class Predictor(nn.Module):
    """The layers of the improved aesthetic predictor, at other widths, with its dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = (width, 12, 8, 6, 4)
        parts: list[nn.Module] = []
        for start, end in pairwise(sizes):
            parts += [nn.Linear(start, end), *([nn.Dropout(0.2)] if end > 4 else [])]
        self.layers = nn.Sequential(*parts, nn.Linear(4, 1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(rows)
        return found


def vectors(width: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, width)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", ["linear", "named", "several"])
def test_scores_are_those_of_the_layers(tmp_path: Path, suffix: str, kind: str) -> None:
    torch.manual_seed(0)
    net: nn.Module = Predictor(10) if kind == "several" else nn.Linear(10, 1)
    net.eval()
    state = {f"linear.{name}" if kind == "named" else name: value for name, value in net.state_dict().items()}
    file = tmp_path / f"head{suffix}"
    if suffix == ".pth":
        torch.save(state, file)
    else:
        save_file(state, file)
    head, rows = read_head(file), vectors(10)
    assert head.width == 10
    with torch.no_grad():
        expected = net(torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)))[:, 0].numpy()
    np.testing.assert_allclose(head.scores(rows), expected, atol=1e-6)
    np.testing.assert_allclose(head.scores(4 * rows), expected, atol=1e-6)


def test_a_head_of_another_width(tmp_path: Path) -> None:
    torch.save(nn.Linear(768, 1).state_dict(), tmp_path / "head.pth")
    with pytest.raises(InputError, match=r"trained on vectors of 768 dimensions; those of tiny have 16\."):
        read_head(tmp_path / "head.pth").check(16, "tiny")
    with pytest.raises(InputError, match="NaN"):
        read_head(tmp_path / "head.pth").scores(np.full((1, 768), np.nan))


def test_other_files_are_no_heads(tmp_path: Path) -> None:
    def refused(state: dict[str, torch.Tensor], match: str) -> None:
        save_file(state, tmp_path / "x.safetensors")
        with pytest.raises(CheckpointError, match=match):
            read_head(tmp_path / "x.safetensors")

    one, many = torch.zeros(1), torch.zeros(1, 8)
    refused({"a": one}, "is no aesthetic head: expected weight and bias .* got a")
    refused({"weight": many}, "is no aesthetic head")
    refused({"weight": many, "bias": one, "more": torch.ones(2)}, "is no aesthetic head")
    refused({"weight": torch.zeros(2, 8), "bias": torch.zeros(2)}, "end in one number, got 8 to 2")
    refused({"weight": many, "bias": torch.zeros(3)}, r"got \(1, 8\) and \(3,\)")
    refused({"weight": many.log(), "bias": one}, "finite")
    layers = {"layers.0.weight": torch.zeros(4, 8), "layers.0.bias": torch.zeros(4)}
    refused(layers | {"layers.2.weight": torch.zeros(1, 5), "layers.2.bias": one}, "8 to 4, 5 to 1")


def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    torch.save({"weight": Bomb()}, tmp_path / "head.pth")
    with pytest.raises(CheckpointError, match="without running what is in it"):
        read_head(tmp_path / "head.pth")
    assert not (tmp_path / "ran").exists()
