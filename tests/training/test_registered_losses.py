"""A loss is added by registering it: recipes name it, and runs train with it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import seesay
from seesay.errors import InputError
from seesay.training import losses
from seesay.training.losses.registry import ContrastiveLoss, DistillationLoss, ScaledPairs
from seesay.training.processes import Processes
from seesay.training.setup import set_up
from seesay.training.trainer import Trainer, train
from tests.training.conftest import Make


def triplet(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    *,
    bias: Tensor,
    image_ids: Tensor | None,
    text_ids: Tensor | None,
    processes: Processes,
) -> Tensor:
    """A hinge between each image's own caption and the next one; `bias` is the margin."""
    own, other = (images * texts).sum(1), (images * texts.roll(1, 0)).sum(1)
    return (scale * (other - own) + bias).relu().mean()


def rotation(student: ScaledPairs, teacher: ScaledPairs, processes: Processes) -> Tensor:
    """The distance between both models' cosines of images and captions."""
    cosines = [(pairs.images * pairs.texts).sum(1) for pairs in (student, teacher)]
    return (cosines[0] - cosines[1]).abs().mean()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = ContrastiveLoss("triplet", triplet, score="sigmoid", first_logit_scale=1.5, first_bias=0.25)
    monkeypatch.setitem(losses.CONTRASTIVE.losses, "triplet", loss)
    monkeypatch.setitem(losses.DISTILLATION.losses, "rotation", DistillationLoss("rotation", rotation, same_dim=False))


@pytest.mark.usefixtures("registered")
def test_a_registered_loss_trains_and_gives_the_model_its_score_scale_and_bias(world: Path, recipe: Make) -> None:
    parts = set_up(recipe("loss.kind=triplet", "steps=2"))
    before = {name: tensor.clone() for name, tensor in parts.clip.state_dict().items()}
    assert (before["logit_scale"], before["logit_bias"], parts.clip.config.score) == (1.5, 0.25, "sigmoid")
    result = Trainer(parts).run()
    assert result.model is not None
    assert seesay.load(result.model).encode_text("a red square").shape == (1, 24)
    after = parts.clip.state_dict()
    assert not torch.equal(before["text.token_embedding.weight"], after["text.token_embedding.weight"])
    assert before["logit_bias"] != after["logit_bias"]


@pytest.mark.usefixtures("registered")
def test_a_registered_distillation_loss_trains(world: Path, recipe: Make) -> None:
    result = train(recipe("loss.distillation.teacher=bundled", "loss.distillation.kind=rotation", "steps=2"))
    assert "distillation_loss" in (world / "run" / "log.jsonl").read_text()
    assert result.step == 2


def test_a_loss_that_is_not_registered_is_refused_with_the_names(recipe: Make) -> None:
    with pytest.raises(InputError, match="loss.kind: expected one of 'infonce', 'sigmoid', got 'triplet'"):
        recipe("loss.kind=triplet")
    names = "'similarity', 'embedding', 'interactive'"
    with pytest.raises(InputError, match=f"loss.distillation.kind: expected one of {names}, got 'x'"):
        recipe("loss.distillation.kind=x", "loss.distillation.teacher=bundled")
