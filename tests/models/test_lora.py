"""LoRA: changes beside frozen layers, and the same changes merged into them."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.lora import LoraConfig, add_lora, bypassed, changes_in, is_lora, merged, target_names
from tests.parity.test_checkpoints import open_fixture, unit

TOWERS = {
    "vit and text": ("hf-clip-4", ("attention", "mlp", "projection")),
    "bert": ("hf-chinese-clip-5", ("attention",)),
    "eva": ("eva-clip-02", ("attention", "mlp")),
    "siglip": ("hf-siglip-5", ("attention",)),
    "resnet": ("open-clip-resnet", ("attention",)),
}


def adapted(clip: Clip, config: LoraConfig, image: LoraConfig | None = None) -> None:
    """Adds changes to both towers, their `up` random."""
    torch.manual_seed(0)  # for `down`: of some draws the roundings add up to more than tests allow
    add_lora(clip.image, image or config)
    add_lora(clip.text, config)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if name.endswith("lora_up"):
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))


def vectors(clip: Clip, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    with torch.no_grad():
        return [unit(clip.image(torch.from_numpy(inputs["pixels"]))), unit(clip.text(torch.from_numpy(inputs["ids"])))]


def merge(clip: Clip, config: LoraConfig, base: Clip) -> Clip:
    state = clip.state_dict()
    scales = {"image": config.scale, "text": config.scale}
    plain = copy.deepcopy(base)
    plain.load_state_dict(merged(state, changes_in(state, scales)))
    return plain


@pytest.mark.parametrize(("name", "targets"), TOWERS.values(), ids=TOWERS)
def test_merged_equals_unmerged(name: str, targets: tuple[str, ...]) -> None:
    checkpoint, inputs = open_fixture(name)
    clip, base = checkpoint.model(), checkpoint.model()
    config = LoraConfig(rank=3, alpha=5, targets=targets)
    before = vectors(clip, inputs)
    adapted(clip, replace(config, targets=("attention",)), config)
    beside, together = vectors(clip, inputs), vectors(merge(clip, config, base), inputs)
    for old, one, other in zip(before, beside, together, strict=True):
        assert np.abs(one - other).max() <= 1e-6
        assert np.abs(one - old).max() > 1e-3


def test_pointwise_convolutions_merge_exactly() -> None:
    checkpoint, inputs = open_fixture("open-clip-resnet")
    clip, base = checkpoint.model(), checkpoint.model()
    config = LoraConfig(rank=2, targets=("pointwise",))
    before = vectors(clip, inputs)[0]
    adapted(clip, replace(config, targets=("attention",)), config)
    assert any("stages" in name for name in target_names(base.image, "pointwise"))
    assert not any("stem" in name for name in target_names(base.image, "pointwise"))  # 3x3
    beside, together = (vectors(each, inputs)[0] for each in (clip, merge(clip, config, base)))
    assert np.abs(beside - together).max() <= 1e-6
    assert np.abs(beside - before).max() > 1e-3


def test_the_bundled_tower_has_pointwise_layers_that_merge_exactly() -> None:
    from seesay.checkpoints.hub.locate import BUNDLED

    clip = open_checkpoint(BUNDLED).model()
    tower: Any = clip.image
    plain = copy.deepcopy(tower)
    with pytest.raises(InputError, match=r"of 'attention' to adapt, got a tower without any; it has 'pointwise' \(\d+"):
        add_lora(tower, LoraConfig())
    config = LoraConfig(rank=2, targets=("pointwise", "projection"))
    add_lora(tower, config)
    with torch.no_grad():
        for name, parameter in tower.named_parameters():
            if name.endswith("lora_up"):
                parameter.normal_(std=0.02)
        state = tower.state_dict()
        pixels = torch.randn(1, 3, 280, 280)
        before, beside = plain(pixels), tower(pixels)
        plain.load_state_dict(merged(state, changes_in(state, {name.partition(".")[0]: config.scale for name in state})))
        together = plain(pixels)
    assert np.abs(unit(beside) - unit(together)).max() <= 1e-6
    assert np.abs(unit(beside) - unit(before)).max() > 1e-3


def test_a_new_change_changes_nothing_and_only_it_learns() -> None:
    checkpoint, inputs = open_fixture("hf-clip-4")
    clip = checkpoint.model()
    before = vectors(clip, inputs)
    names = add_lora(clip.image, LoraConfig(rank=2))
    assert len(names) == 8
    assert all(np.array_equal(old, new) for old, new in zip(before, vectors(clip, inputs), strict=True))
    assert sum(is_lora(name) for name, _ in clip.named_parameters()) == 16
    assert {name for name, _ in clip.named_parameters() if not is_lora(name)} == set(checkpoint.model().state_dict())


def test_the_gradient_of_a_change_is_that_of_its_product() -> None:
    """d loss / d up = scale * (d loss / d W) @ down.T, and likewise for down."""
    torch.manual_seed(0)
    layer = nn.Linear(5, 7).double()
    box = nn.Sequential(layer)
    add_lora(box, LoraConfig(rank=2, alpha=3, targets=("0",)))
    adapted_layer: Any = box[0]
    adapted_layer.lora_up.data.normal_()
    x = torch.randn(4, 5, dtype=torch.double)
    (box(x) ** 3).sum().backward()
    whole = merged(box.state_dict(), changes_in(box.state_dict(), {"0": 1.5}))["0.weight"].requires_grad_()
    ((x @ whole.T + layer.bias) ** 3).sum().backward()  # type: ignore[no-untyped-call]
    assert whole.grad is not None
    torch.testing.assert_close(adapted_layer.lora_up.grad, 1.5 * whole.grad @ adapted_layer.lora_down.T)
    torch.testing.assert_close(adapted_layer.lora_down.grad, 1.5 * adapted_layer.lora_up.T @ whole.grad)


def test_dropout_is_of_training_alone() -> None:
    torch.manual_seed(0)
    box = nn.Sequential(nn.Linear(64, 8))
    add_lora(box, LoraConfig(rank=4, dropout=0.5, targets=("0",)))
    box[0].lora_up.data.normal_()  # type: ignore[operator]
    x = torch.randn(2, 64)
    box.train()
    assert not torch.equal(box(x), box(x))
    box.eval()
    assert torch.equal(box(x), box(x))


def test_targets_are_groups_and_patterns() -> None:
    clip = open_fixture("hf-clip-4")[0].model()
    assert target_names(clip.image, "blocks.1.attention.query") == ["blocks.1.attention.query"]
    assert target_names(clip.image, "blocks.*.mlp.up") == ["blocks.0.mlp.up", "blocks.1.mlp.up"]
    assert target_names(clip.image, "projection") == ["projection"]
    with pytest.raises(InputError, match=r"expected layers of 'blocks\.9"):
        add_lora(clip.image, LoraConfig(targets=("blocks.9.*",)))


def test_fused_query_key_value_of_timm_is_one_layer() -> None:
    class Fused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = nn.Module()
            self.attn.qkv, self.attn.proj = nn.Linear(4, 12), nn.Linear(4, 4)

    assert target_names(Fused(), "attention") == ["attn.qkv", "attn.proj"]


@pytest.mark.parametrize("bad", [{"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}])
def test_settings_out_of_bounds_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        LoraConfig(**bad)  # type: ignore[arg-type]


def test_a_change_of_another_shape_is_refused() -> None:
    box = nn.Sequential(nn.Linear(4, 4))
    add_lora(box, LoraConfig(rank=1, targets=("0",)))
    changes = changes_in(box.state_dict(), {"0": 1.0})
    with pytest.raises(InputError, match=r"0: expected a change of a weight \(4, 5\), got one of \(4, 4\)"):
        merged({"0.weight": torch.zeros(4, 5)}, changes)
    with pytest.raises(InputError, match="0: expected a layer of the model"):
        merged({}, changes)


def test_layers_that_a_tower_bypasses_are_found() -> None:
    class Bypass(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.value = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.value(nn.functional.linear(x, self.query.weight))  # type: ignore[no-any-return]

    tower = Bypass()
    names = add_lora(tower, LoraConfig(rank=1))
    assert names == ["query", "value"]
    assert bypassed(tower, names, torch.zeros(2, 4)) == ["query"]
    assert not tower.value._forward_hooks
