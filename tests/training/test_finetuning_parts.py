"""The parts of fine-tuning in recipes: LoRA, rates by layer, kept statistics, class prompts, accuracy, early stops."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import seesay
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import InputError
from seesay.evaluation.datasets import read_labels
from seesay.models.layers.lora import is_lora
from seesay.tasks.zero_shot import classify
from seesay.training.optim.optimizer import layer_distances
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.observer import Observer
from seesay.training.setup import set_up
from seesay.training.trainer import train
from tests.training.conftest import TOWERS, Make

Records = Callable[[Path], list[dict[str, Any]]]
WITH_ATTENTION = TOWERS.replace(
    'kind = "cbow"\nwidth = 24\nvocabulary = 49408\n',
    'kind = "clip-text"\nwidth = 16\ndepth = 2\nheads = 2\nmlp_width = 32\nvocabulary = 49408\npositions = 77\n'
    'activation = "gelu"\nlayer_norm_eps = 1e-5\ncausal = true\npooling = "eos"\neos_id = 49407\n',
)
STARTED = '[model]\nstart = "base/model"\n'
LORA = STARTED + "[model.image.lora]\nrank = 3\nalpha = 6\n[model.text.lora]\nrank = 2\nalpha = 2\n"
LABELLED = """
[validation]
data = "captions.tsv"
split = "val"
label_column = "label"
every = 5
"""


@pytest.fixture
def base(recipe: Make) -> Path:
    """A model of two transformers to start from."""
    result = train(recipe("steps=3", "out=base", towers=WITH_ATTENTION))
    assert result.model is not None
    return result.model


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return open_checkpoint(folder).model().state_dict()


def test_lora_changes_its_layers_alone_and_leaves_an_adapter(base: Path, recipe: Make, world: Path) -> None:
    before = state_of(base)
    result = train(recipe("steps=6", towers=LORA))
    assert result.model is not None
    assert result.adapter == world / "run" / "adapter" or result.adapter == Path("run/adapter")
    trained: dict[str, torch.Tensor] = CheckpointFolder(Path("run/checkpoints"), 2).last()["weights"]  # type: ignore[index]
    for name, value in trained.items():  # frozen parameters are as they were, bit for bit
        if not is_lora(name) and name != "logit_scale":
            assert torch.equal(value, before[name]), name
    changed = {name for name, value in state_of(result.model).items() if not torch.equal(value, before[name])}
    layers = [f"blocks.{n}.attention.{part}.weight" for n in (0, 1) for part in ("query", "key", "value", "out")]
    assert changed <= {f"{tower}.{layer}" for tower in ("image", "text") for layer in layers} | {"logit_scale"}
    assert "image.blocks.1.attention.value.weight" in changed
    pixels = np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)
    beside = seesay.load(base, adapter=result.adapter).encode_pixels(pixels)
    assert np.abs(beside - seesay.load(result.model).encode_pixels(pixels)).max() <= 1e-6
    config = json.loads(Path("run/adapter/adapter_config.json").read_text())
    assert sorted({config["r"], *config["rank_pattern"].values()}) == [2, 3]


def test_a_resumed_run_with_lora_is_the_unbroken_one(base: Path, recipe: Make) -> None:
    class Stop(Observer):
        def should_stop(self) -> bool:
            return True

    train(recipe("steps=4", "out=whole", towers=LORA))
    train(recipe("steps=4", "out=broken", towers=LORA), observer=Stop())
    train(recipe("steps=4", "out=broken", towers=LORA), resume=True)
    whole, broken = state_of(Path("whole/model")), state_of(Path("broken/model"))
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())


def test_lora_of_unlocked_groups_is_of_these(base: Path, recipe: Make) -> None:
    parts = set_up(
        recipe("steps=1", "model.image.unlocked_groups=2", "model.text.unlocked_groups=0", towers=LORA.split("[model.text")[0])
    )
    own = [name for name, parameter in parts.clip.named_parameters() if parameter.requires_grad]
    assert {name.rpartition(".")[0] for name in own if is_lora(name)} == {
        f"image.blocks.1.attention.{part}" for part in ("query", "key", "value", "out")
    }
    assert [name for name in own if not is_lora(name)] == ["logit_scale"]


def test_adapters_for_a_tower_without_attention_are_refused(recipe: Make) -> None:
    with pytest.raises(InputError, match=r"model\.image\.lora: expected layers of 'attention' to adapt, got a tower") as raised:
        set_up(recipe(towers='[model]\nstart = "bundled"\n[model.image.lora]\nrank = 4\n'))
    message = str(raised.value)
    assert "it has 'pointwise' (" in message
    assert "model.text (bert) has 24 layers of attention" in message
    assert "ViTs, such as openai/ViT-B-32" in message


def test_lora_from_scratch_and_beside_unlocked_dims_is_refused(recipe: Make) -> None:
    with pytest.raises(InputError, match="expected lora for a tower that has weights already"):
        recipe("model.image.lora.rank=2")
    with pytest.raises(InputError, match="expected only one of lora and unlocked_dims"):
        recipe("model.image.unlocked_dims=3", towers=LORA)
    with pytest.raises(InputError, match=r"model\.image\.lora\.rank: expected at least 1"):
        recipe("model.image.lora.rank=0", towers=LORA)


def test_rates_decay_by_layer(base: Path, recipe: Make) -> None:
    """BEiT's rule: the projection has the full rate, and each group of layers before it the rate of the next times decay."""
    parts = set_up(recipe("optimizer.layer_decay=0.5", "optimizer.projection_factor=3", towers=STARTED))
    factor = {id(p): group["factor"] for group in parts.optimizer.param_groups for p in group["params"]}
    named = dict(parts.clip.named_parameters())
    for tower in ("image", "text"):
        assert factor[id(named[f"{tower}.projection.weight"])] == 3
        assert factor[id(named[f"{tower}.blocks.1.mlp.up.weight"])] == 0.5
        assert factor[id(named[f"{tower}.blocks.0.mlp.up.weight"])] == 0.25
    assert factor[id(named["image.patch_embedding.weight"])] == 0.125
    assert factor[id(named["logit_scale"])] == 1
    assert sum(len(group["params"]) for group in parts.optimizer.param_groups) == len(named)
    distances = layer_distances(parts.clip)
    assert all(factor[i] == (3 if d == 0 else 0.5**d) for i, d in distances.items())


def test_another_layer_decay_on_resume_is_an_error(base: Path, recipe: Make) -> None:
    train(recipe("steps=2", towers=STARTED))
    with pytest.raises(InputError, match=r"optimizer\.layer_decay: expected the value with which"):
        train(recipe("steps=4", "optimizer.layer_decay=0.5", towers=STARTED), resume=True)


def test_kept_statistics_stay(recipe: Make) -> None:
    resnet = TOWERS.replace(
        'kind = "vit"\nimage_px = 32\npatch_px = 8\nwidth = 32\ndepth = 2\nheads = 2\nmlp_width = 64\nactivation = "gelu"\n'
        "layer_norm_eps = 1e-5\n",
        'kind = "modified-resnet"\nimage_px = 32\nwidth = 4\nstages = [1, 1, 1, 1]\nheads = 2\n',
    )
    train(recipe("steps=2", "out=base", towers=resnet))
    before = state_of(Path("base/model"))
    statistics = [name for name in before if "running" in name]
    assert statistics
    train(recipe("steps=2", "out=kept", "model.image.keep_statistics=true", towers=STARTED))
    train(recipe("steps=2", "out=changed", towers=STARTED))
    kept, changed = state_of(Path("kept/model")), state_of(Path("changed/model"))
    assert all(torch.equal(kept[name], before[name]) for name in statistics)
    assert not torch.equal(kept["image.stem.0.conv.weight"], before["image.stem.0.conv.weight"])
    assert not any(torch.equal(changed[name], before[name]) for name in statistics)


def test_class_prompts_are_classified_by_cross_entropy(base: Path, recipe: Make, records: Records) -> None:
    sources = "\n[[data.sources]]\nkind = 'labels'\npath = 'captions.tsv'\nsplit = 'train'\ntemplates = ['a {}']\n"
    towers = STARTED + sources  # the manifest of the recipe follows, which --set turns into the same table of labels
    made = recipe("steps=1", "loss.candidates=classes", towers=towers)
    made = replace(made, data=replace(made.data, sources=made.data.sources[:1]))
    parts = set_up(made)
    assert parts.prompts is not None
    assert parts.prompts.at(0) == ["a square", "a stripes"]
    images, texts = (F.normalize(torch.randn(n, 24), dim=-1) for n in (5, 2))
    labels = torch.tensor([0, 1, 1, 0, 1])
    from seesay.training.objective import Targets

    loss, terms = parts.objective(parts.clip, images, texts, Targets(labels=labels))
    expected = F.cross_entropy(math.exp(float(parts.clip.logit_scale.detach())) * images @ texts.T, labels)
    torch.testing.assert_close(loss, expected)
    assert list(terms) == ["prompts"]
    result = train(made)
    assert result.model is not None
    assert "loss" in records(Path("run"))[0]


def test_prompts_of_a_class_are_drawn_by_seed_and_step() -> None:
    from seesay.training.data.class_prompts import ClassPrompts
    from seesay.training.data.samples import Sample

    class Source:
        name = "labels"

        def once(self) -> Any:
            for label in "ab":
                for n in range(8):
                    yield Sample("x.png", f"{label} {n}", "x", label, "x.png")

    prompts, again = (ClassPrompts(Source(), {"a": 1, "b": 0}, seed=3) for _ in range(2))  # type: ignore[arg-type]
    drawn = [prompts.at(step) for step in range(20)]
    assert drawn == [again.at(step) for step in range(20)]
    assert all(b.startswith("b") and a.startswith("a") for b, a in drawn)
    assert len({a for _, a in drawn}) > 3


def test_class_prompts_need_labels_and_one_part(recipe: Make) -> None:
    with pytest.raises(InputError, match=r"expected one of data\.parts with loss\.candidates 'classes', got 2"):
        recipe("loss.candidates=classes", "data.parts=2")
    with pytest.raises(InputError, match="expected the kind infonce with the candidates 'classes', got sigmoid"):
        recipe("loss.candidates=classes", "loss.kind=sigmoid")


def test_accuracy_of_labels_chooses_the_best_weights(base: Path, recipe: Make, records: Records) -> None:
    result = train(recipe("steps=10", more=LABELLED, towers=STARTED))
    assert result.best is not None
    checks = [record for record in records(Path("run")) if "score" in record]
    assert [record["step"] for record in checks] == [5, 10]
    assert result.best == max(checks, key=lambda record: record["score"])
    assert result.model is not None
    model, data = seesay.load(result.model), read_labels(Path("captions.tsv"), split="val")
    probabilities = classify(
        model,
        model.encode_image(data.images),
        data.names,
        ("{}", "a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}."),
    )
    assert float(np.mean(probabilities.argmax(axis=1) == data.labels)) == pytest.approx(result.best["classification"]["top-1"])
    assert "classification top-1" in " ".join(f"{score.task} {score.metric}" for score in model.card.scores)
    assert "Accuracy on the validation data" in (Path("run") / "report.html").read_text(encoding="utf-8")


def test_a_run_ends_when_its_patience_does(base: Path, recipe: Make, records: Records) -> None:
    notes: list[str] = []

    class Notes(Observer):
        def note(self, message: str) -> None:
            notes.append(message)

    sets = (
        "steps=400",
        "validation.every=2",
        "validation.patience=3",
        "validation.at_start=true",
        "optimizer.learning_rate=1e-9",
    )
    made = recipe(*sets, more=LABELLED, towers=STARTED)
    result = train(made, observer=Notes())
    assert (result.step, result.steps) == (6, 6)
    assert notes == ["3 validations in a row were no better; ending after step 6"]
    assert result.best is not None
    assert result.best["step"] == 0
    before = state_of(base)
    assert result.model is not None
    assert all(torch.equal(value, before[name]) for name, value in state_of(result.model).items())  # nothing was better
    again = train(made, resume=True)
    assert (again.step, again.steps) == (6, 6)
