"""Runs whose weights are shared among processes (FSDP2), and runs that go on with another number of processes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seesay.errors import InputError, ModelError
from seesay.training.processes import Processes
from seesay.training.recipe import read_recipe
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.log import read_log
from seesay.training.setup import set_up
from seesay.training.trainer import train
from tests.training.conftest import VALIDATION, Make
from tests.training.process_runs import run_together

SHARDED = "distributed.strategy=fsdp2"
COMMON = ("checkpoints.every=2", "optimizer.schedule=constant", "optimizer.ema=0.8", "optimizer.clip_norm=0.5", "data.parts=2")
TUNED = """
[model]
start = "bundled"

[model.image]
unlocked_groups = 2
{image}

[model.text]
unlocked_groups = 1
"""
LORA = 'lora = { rank = 2, targets = ["projection", "pointwise"] }'


def values(folder: str, name: str) -> list[float]:
    return [record[name] for record in read_log(Path(folder) / "log.jsonl") if name in record]


def weights_of(folder: str) -> dict[str, torch.Tensor]:
    """Of the last checkpoint, statistics of norms among them."""
    content = CheckpointFolder(Path(folder) / "checkpoints", 2).last()
    assert content is not None
    return {name: tensor for name, tensor in content["weights"].items() if tensor.is_floating_point()}


def farthest(one: str, other: str) -> float:
    """The largest difference between the weights of two models."""
    first, second = (load_file(Path(folder) / "model" / "model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


@pytest.mark.parametrize(("first", "then"), [(("fsdp2", 2), ("fsdp2", 4)), (("fsdp2", 4), ("ddp", 2))], ids=str)
def test_a_run_goes_on_with_another_number_of_processes_and_another_strategy(
    world: Path, recipe: Make, first: tuple[str, int], then: tuple[str, int]
) -> None:
    recipe(more=VALIDATION.replace("20", "4"))
    train(read_recipe(world / "recipe.toml", [*COMMON, "steps=10", "out=whole"]))
    sets = [*COMMON, "out=broken"]
    run_together(world, first[1], [[*sets, "steps=4", f"distributed.strategy={first[0]}"]])
    names = {file.name for file in Path("broken/checkpoints").iterdir()}
    assert names >= ({"step-00000002", "step-00000004"} if first[0] == "fsdp2" else {"step-00000002.pt", "step-00000004.pt"})
    train(read_recipe(world / "recipe.toml", [*sets, "steps=6"]), resume=True)  # alone
    run_together(world, then[1], [[*sets, "steps=10", f"distributed.strategy={then[0]}"]])
    assert values("broken", "loss") == pytest.approx(values("whole", "loss"), abs=1e-5)
    assert farthest("broken", "whole") < 1e-4  # of float32 sums in another order, through AdamW
    assert len(CheckpointFolder(Path("broken/checkpoints"), 2).steps()) == 2
    assert not list(Path("broken/checkpoints").glob("*.part*"))


@pytest.mark.parametrize("image", ["", LORA], ids=["whole layers", "LoRA"])
def test_fine_tuning_in_two_processes_gives_the_weights_of_one(world: Path, recipe: Make, image: str) -> None:
    """Frozen parts, convolutions, changes of low rank. Colours vary, so that no run stores features, which would be float16.
    A large eps, since AdamW's first step without one makes as much of a gradient that is but rounding as of any other."""
    sets = ("steps=3", "optimizer.eps=0.1", "optimizer.warmup=0", "optimizer.clip_norm=1e6", "data.augment.colour=0.2")
    run = recipe(*sets, "out=one", towers=TUNED.format(image=image))
    before = {name: tensor.clone() for name, tensor in set_up(run).clip.state_dict().items()}
    train(run)
    run_together(world, 2, [[*sets, "out=two"], [*sets, "out=shards", SHARDED]])
    moved = {name: tensor - before[name] for name, tensor in weights_of("one").items() if tensor.is_floating_point()}
    length = sum(float(move.square().sum()) for move in moved.values()) ** 0.5
    assert length > 1e-4
    for other in ("two", "shards"):
        assert values(other, "loss") == pytest.approx(values("one", "loss"), abs=1e-4)
        assert values(other, "gradient_norm") == pytest.approx(values("one", "gradient_norm"), rel=1e-3)
        apart = sum(float((tensor - weights_of("one")[name]).square().sum()) for name, tensor in weights_of(other).items())
        assert apart**0.5 < 1e-2 * length


def test_a_damaged_folder_of_shards_is_named(world: Path, recipe: Make) -> None:
    recipe()
    run_together(world, 2, [["steps=2", SHARDED]])
    shard = next(Path("run/checkpoints/step-00000002").glob("shard-00002*"))
    shard.write_bytes(shard.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="step-00000002 is damaged; remove it to go on from the checkpoint before"):
        train(recipe("steps=4"), resume=True)


class Two(Processes):
    """Two processes, of which this is the first."""

    count = 2


def test_what_cannot_be_sharded_is_told(recipe: Make) -> None:
    with pytest.raises(InputError, match=r"distributed.strategy: expected .* float16, got .fsdp2."):
        set_up(recipe("precision=float16", SHARDED), processes=Two())
    with pytest.raises(InputError, match=r"distributed.strategy: expected .* unlocked_dims, got .fsdp2."):
        set_up(recipe("model.image.unlocked_dims=8", SHARDED), processes=Two())
