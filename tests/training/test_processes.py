"""Several processes compute what one computes with the whole batch."""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from seesay.errors import InputError
from seesay.training.data.loader import Loader
from seesay.training.processes import ALONE, Processes
from seesay.training.setup import set_up
from tests.training.conftest import Make
from tests.training.process_cases import CASES, Case, dealt, gradients
from tests.training.test_shards import opened, pairs, tar

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """What 2 and what 4 processes found, by their number: the results of each, in order of rank."""
    folder = tmp_path_factory.mktemp("processes")
    results = {}
    for count in (2, 4):
        command = [sys.executable, "-W", "ignore", "-m", "tests.training.process_cases", str(folder)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        running = [
            subprocess.Popen([*command, str(rank), str(count)], cwd=PROJECT, env=environment, stderr=subprocess.PIPE)
            for rank in range(count)
        ]
        for process in running:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors.decode()
        results[count] = [torch.load(folder / f"{count}-{rank}.pt") for rank in range(count)]
    return results


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("count", [2, 4])
def test_gradients_are_those_of_one_process(found: dict[int, list[dict[str, Any]]], count: int, case: Case) -> None:
    expected = gradients(case, ALONE)
    exactness = 1e-12 if case[1] == torch.float64 else 1e-6  # of the length of the whole gradient
    for own in found[count]:
        assert own[str(case)].keys() == expected.keys()
        difference = flat(own[str(case)]) - flat(expected)
        assert float(difference.norm() / flat(expected).norm()) <= exactness


@pytest.mark.parametrize("count", [2, 4])
def test_batches_are_those_of_one_process_bad_samples_among_them(found: dict[int, list[dict[str, Any]]], count: int) -> None:
    whole = dealt(ALONE)
    for number, (values, position, left_out) in enumerate(whole):
        shares = [own["dealt"][number] for own in found[count]]
        assert all(len(share[0]) == len(values) // count for share in shares)
        assert sorted(value for share in shares for value in share[0]) == sorted(values)
        assert all(share[1:] == (position, left_out) for share in shares)


@pytest.mark.parametrize("count", [2, 4])
def test_exchanges_reach_everybody(found: dict[int, list[dict[str, Any]]], count: int) -> None:
    for rank, own in enumerate(found[count]):
        assert own["exchanged"] == {
            "json": [{"rank": r, "word": "词" * r} for r in range(count)],
            "lead": 0,
            "before": (rank - 1) % count,
            "any": [False, True],
            "first": rank,
            "arrays": list(range(count)),
        }


def test_whoever_does_not_answer_in_time_is_missed(found: dict[int, list[dict[str, Any]]]) -> None:
    for own in found[2][:-1] + found[4][:-1]:
        assert own["late"].startswith("TrainingError: another process of this run has ended, or did not answer in time")
        assert "--resume" in own["late"]


def flat(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.double().reshape(-1) for tensor in tensors.values()])


class Rank(Processes):
    """One of several processes that are never told of a fault."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count


@pytest.mark.parametrize("count", [2, 4])
def test_one_shard_is_enough_for_many_processes(tmp_path: Path, count: int) -> None:
    tar(tmp_path / "only.tar", pairs(0, 20))
    source = opened(tmp_path, "only.tar", shuffle=5)

    def shares(processes: Processes) -> list[list[str]]:
        loader = Loader(source, lambda sample, rng: sample.text, batch=8, seed=1, threads=1, processes=processes)
        return [batch.values for batch in islice(loader, 6)]

    everybody = [shares(Rank(rank, count)) for rank in range(count)]
    together = [sorted(text for share in batch for text in share) for batch in zip(*everybody, strict=True)]
    assert together == [sorted(batch) for batch in shares(ALONE)]


class Three(Processes):
    """Three processes, of which this is the first."""

    count = 3


def test_a_batch_that_cannot_be_shared_is_told(recipe: Make) -> None:
    with pytest.raises(InputError, match=r"3 equal parts \(processes: 3, data.parts: 1\), got 16"):
        set_up(recipe(), processes=Three())
    with pytest.raises(InputError, match=r"27 equal parts \(processes: 3, data.parts: 9\), got 18"):
        set_up(recipe("data.batch=18", "data.parts=9"), processes=Three())
    set_up(recipe("data.batch=18", "data.parts=1"), processes=Three())
