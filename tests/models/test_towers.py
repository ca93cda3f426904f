"""Towers that no other library has, against slow numpy; and what holds for all towers."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import pytest
import torch

import seesay
from seesay.checkpoints.export import verify, write_graphs
from seesay.engines import OnnxEngine
from seesay.errors import InputError, MissingCapability
from seesay.models import graph_transformer
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig
from seesay.models.families.bert.config import BertConfig, Gate
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.clipseg.config import ClipSegConfig, DecoderConfig
from seesay.models.families.efficientnet.config import EfficientNetConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.eva.config import EvaConfig
from seesay.models.families.eva.rotation import rotation
from seesay.models.families.eva.tower import turned
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.owl_vit.config import OwlVitConfig
from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.models.families.vit.config import AttentionPoolConfig, VitConfig
from seesay.models.initialise import initialise
from seesay.models.layers.groups import freeze, parameters_in
from seesay.models.layers.positions import resize_grid, resize_line
from seesay.models.layers.recompute import recompute_blocks
from seesay.models.layers.transformer import Block
from seesay.models.size import parameters
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
    for row, embedding in zip(ids, clip.text(torch.from_numpy(ids)).detach().numpy(), strict=True):
        words = [table[i] for i in row if i != 0]
        mean = np.sum(words, axis=0) / len(words) if words else np.zeros(12)
        np.testing.assert_allclose(embedding, projection @ mean, atol=1e-6)
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


@pytest.mark.parametrize("name", ["hf-clip-5", "hf-chinese-clip-5", "open-clip-coca", "hf-siglip-5"])
def test_what_is_hidden_changes_no_other_token(name: str) -> None:
    checkpoint, expected = open_fixture(name)
    text, ids = checkpoint.model().text, torch.from_numpy(expected["ids"])[:1]
    ids[0, :4] = torch.tensor([5, 6, 7, 8])  # no padding
    other = ids.clone()
    other[0, 2] = 9
    visible = torch.ones_like(ids, dtype=torch.bool)
    with torch.no_grad():
        for seen, all_seen in zip(text.hidden_states(ids), text.hidden_states(ids, visible), strict=True):
            torch.testing.assert_close(seen, all_seen, rtol=1e-5, atol=1e-5)
        visible[0, 2] = False
        hidden, changed = text.hidden_states(ids, visible)[-1], text.hidden_states(other, visible)[-1]
        rest = [i for i in range(hidden.shape[1]) if i != 2]
        torch.testing.assert_close(hidden[:, rest], changed[:, rest])
        assert not torch.allclose(hidden[:, rest], text.hidden_states(ids)[-1][:, rest], atol=1e-3)
    assert text.token_table.weight.shape[0] == text.config.vocabulary


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


LITE = EfficientNetLiteConfig(
    "efficientnet-lite", 64, ((1, 3, 1), (2, 3, 2), (1, 5, 2)), (8, 8, 12, 16, 24), 0, "linear", "batch"
)
EFFICIENTNET = EfficientNetConfig("efficientnet", 33, 8, ((2, 3, 1, 1, 8), (1, 3, 2, 6, 12), (2, 5, 2, 2, 5)), 0.25, 1e-3)
VIT = VitConfig("vit", 32, 8, 16, 2, 2, 32, "gelu", 1e-5)
OWL = OwlVitConfig("owl-vit", 32, 8, 16, 2, 2, 32, "quick_gelu", 1e-5)
CLIPSEG = ClipSegConfig(
    "clipseg", 32, 8, 16, 3, 2, 32, "quick_gelu", 1e-5, positions_px=24, decoder=DecoderConfig((0, 2), 8, 2, 12)
)
FINE = replace(CLIPSEG, image_px=48, patch_px=16, positions_px=48, decoder=DecoderConfig((1, 2), 8, 4, 12, 1, 3))
SIGLIP = SiglipVitConfig("siglip-vit", 32, 8, 16, 2, 2, 32, "gelu_tanh", 1e-6, "linear")
EVA = EvaConfig("eva", 32, 8, 16, 2, 2, 24, "swiglu", 16, inner_norm=True)
PLAIN_EVA = replace(EVA, mlp="gelu", rotary_grid=None, inner_norm=False)
RESNET = ModifiedResNetConfig("modified-resnet", 64, 8, (1, 1, 1, 1), 4)
TEXT = ClipTextConfig("clip-text", 16, 2, 2, 32, 40, 12, "gelu", 1e-5, True, "eos", 39)
BERT = BertConfig("bert", 16, 2, 2, 32, 40, 12, "gelu", 1e-12, "mean", "linear")
TOWERS = {
    "vit": (VIT, None),
    "vit-mlp": (replace(VIT, projection="mlp"), None),
    "vit-mean-mlp": (replace(VIT, projection="mlp", pooling="mean"), None),
    "owl": (OWL, None),
    "owl-v2": (replace(OWL, objectness=True), None),
    "clipseg": (CLIPSEG, None),
    "clipseg-fine": (FINE, None),
    "siglip": (SIGLIP, None),
    "eva": (EVA, None),
    "eva-mlp": (replace(EVA, projection="mlp"), None),
    "eva-post-norm": (replace(PLAIN_EVA, norm_place="post"), None),
    "eva-rms-norm": (replace(PLAIN_EVA, norm="rms", qkv_bias=False), None),
    "eva-layer-scale": (replace(EVA, layer_scale=True, mlp="gelu", norm="rms", norm_place="post"), None),
    "vit-pool": (replace(VIT, attention_pool=AttentionPoolConfig(3, 2, 12)), None),
    "vit-mean-pool": (replace(VIT, pooling="mean", attention_pool=AttentionPoolConfig(3, 2, 16)), None),
    "resnet": (RESNET, None),
    "efficientnet": (EFFICIENTNET, None),
    "efficientnet-mlp": (replace(EFFICIENTNET, projection="mlp", evenly_padded=(3,)), None),
    "lite": (LITE, None),
    "lite-mlp": (replace(LITE, head="mlp", norm="folded"), None),
    "lite-conse": (replace(LITE, head="conse", classes=7), None),
    "lite-branch": (replace(LITE, head="conse", classes=7, branch=2), None),
    "text-affine": (None, replace(TEXT, causal=False, pooling="last", projection="affine")),
    "text-class": (None, replace(TEXT, pooling="class", positions=5, pad_id=0)),
    "text-mlp": (None, replace(TEXT, projection="mlp")),
    "bert": (None, BERT),
    "bert-mlp": (None, replace(BERT, head="mlp")),
    "bert-affine": (None, replace(BERT, head="affine")),
    "bert-transformation": (None, replace(BERT, pooling="cls", transformation=6)),
    "bert-gate": (None, replace(BERT, gate=Gate(2, 0.6, 0.1, 0.3))),
    "cbow-mlp": (None, replace(CBOW, projection="mlp")),
}


def make(name: str) -> tuple[Clip, torch.nn.Module, torch.Tensor]:
    """A model of one tower with first weights and batch norms that have statistics; and inputs for it."""
    image, text = TOWERS[name]
    torch.manual_seed(0)
    clip = Clip(ModelConfig(1, name, 5, image, text, None, None, 0.0, None, "softmax", {}, (), "none", (), "0" * 32))
    tower: Any = clip.image if image is not None else clip.text
    initialise(tower)
    if image is not None:
        inputs = torch.randn(4, 3, image.image_px, image.image_px)
    else:
        inputs = torch.tensor([[3, 7, 39, 0], [5, 9, 11, 39], [39, 0, 0, 0], [1, 39, 0, 0]])
    for _ in range(3):
        with torch.no_grad():
            tower.train()(inputs)
    return clip.eval(), tower, inputs


def found(tower: Any, inputs: torch.Tensor) -> torch.Tensor:
    """The sum of what a tower's heads give, beside its embedding."""
    finds = getattr(tower.config, "finds", None)
    if finds is None:
        return torch.zeros(())
    return (tower.regions(inputs) if finds == "boxes" else tower.masks(inputs, torch.ones(2, 5))).square().sum()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_projects_its_features_and_exports(name: str, tmp_path: Path) -> None:
    clip, tower, inputs = make(name)
    whole = tower(inputs)
    assert whole.shape == (4, 5)
    torch.testing.assert_close(tower.project(tower.features(inputs)), whole, rtol=0, atol=0)
    write_graphs(clip, tmp_path)
    assert max(verify(clip, tmp_path).values()) < 1e-5
    image, text = TOWERS[name]
    assert sum(p.numel() for p in tower.parameters()) == parameters(image or text, 5)  # type: ignore[arg-type]


def test_a_gate_lessens_the_first_part_of_what_has_little_of_it() -> None:
    _, tower, inputs = make("bert-gate")
    config: Any = tower.config
    with torch.no_grad():
        before = tower.projection(tower.features(inputs)).double().numpy()
        after = tower(inputs).numpy()
    for x, y in zip(before, after, strict=True):
        share = np.sqrt((x[:2] ** 2).sum() / (x**2).sum())
        weight = 0.3 + 0.7 / (1 + np.exp(-(share - 0.6) / 0.1))
        np.testing.assert_allclose(y, [*(weight * x[:2]), *x[2:]], rtol=1e-5)
    with pytest.raises(InputError, match="expected slope above 0, got 0"):
        replace(config.gate, slope=0.0)


@pytest.mark.parametrize("name", TOWERS)
def test_groups_hold_every_parameter_once_and_locking_keeps_them(name: str) -> None:
    _, tower, inputs = make(name)
    groups = tower.groups()
    listed = [
        p for group in groups for part in group for p in ([part] if isinstance(part, torch.nn.Parameter) else part.parameters())
    ]
    assert sorted(map(id, listed)) == sorted(map(id, tower.parameters()))
    for unlocked in (0, 1, 2, len(groups)):
        tower.train()
        freeze(groups, unlocked)
        before = {name: value.clone() for name, value in tower.state_dict().items()}
        for parameter in tower.parameters():
            parameter.grad = None
        out = tower(inputs).square().sum() + found(tower, inputs)
        if out.requires_grad:
            out.backward()
        for number, group in enumerate(groups):
            locked = number < len(groups) - unlocked
            assert all((parameter.grad is None) == locked for parameter in parameters_in(group))
        if unlocked == 0:
            assert all(torch.equal(before[name], value) for name, value in tower.state_dict().items())  # batch norms too


@pytest.mark.parametrize(("norm", "causal"), [("pre", False), ("pre", True), ("post", False)])
def test_a_block_computes_one_token_as_it_does_among_all(norm: Literal["pre", "post"], causal: bool) -> None:
    torch.manual_seed(0)
    block = Block(16, 4, 32, "gelu", 1e-5, norm=norm, layer_scale=norm == "pre").double()
    x, only = torch.randn(3, 7, 16, dtype=torch.float64), torch.tensor([0, 3, 6])
    mask = torch.arange(7) < torch.tensor([[5], [4], [7]])
    options = {"causal": True} if causal else {"mask": mask[:, None, None, :]}
    whole = block(x, **options)[torch.arange(3), only]
    torch.testing.assert_close(block(x, **options, query_index=only), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["vit", "eva", "resnet", "lite", "text-mlp", "bert"])
def test_recomputing_blocks_changes_no_number(name: str) -> None:
    states, gradients = [], []
    for recompute in (False, True):
        _, tower, inputs = make(name)
        if recompute:
            recompute_blocks(tower)
        tower.train()
        tower(inputs).square().sum().backward()
        gradients.append([p.grad for p in tower.parameters()])
        states.append(tower.state_dict())
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain, rtol=1e-5, atol=1e-6)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])  # batch norms counted once


@pytest.mark.parametrize(("name", "first"), [("vit", 1), ("eva", 1), ("siglip", 0)])
def test_dropped_patches_are_left_out_in_training_only(name: str, first: int) -> None:
    _, tower, inputs = make(name)
    whole = tower(inputs)
    tower.patch_dropout = 0.5
    torch.testing.assert_close(tower(inputs), whole)
    tower.train()
    assert tower.hidden_states(inputs)[0].shape == (4, first + 8, 16)
    assert not torch.equal(tower(inputs), tower(inputs))
    torch.manual_seed(3)
    once = tower(inputs)
    torch.manual_seed(3)
    torch.testing.assert_close(tower(inputs), once, rtol=0, atol=0)


def test_a_kept_patch_keeps_its_rotary_position() -> None:
    """With all patches kept, in any order of drawing, training computes what inference does."""
    _, tower, inputs = make("eva")
    whole = tower(inputs)
    tower.patch_dropout = 1e-17
    torch.testing.assert_close(tower.train()(inputs), whole, rtol=1e-5, atol=1e-6)


def test_rotary_positions_are_those_of_slow_arithmetic() -> None:
    """Each pair of features is a complex number, which its position turns: rows first, columns second, the class token not."""
    config = replace(EVA, image_px=24, width=16, heads=1)
    angles = rotation(config)
    assert angles is not None
    x = np.random.default_rng(0).standard_normal((10, 16))
    found = turned(torch.from_numpy(x)[None, None], tuple(torch.from_numpy(part).double() for part in angles))[0, 0].numpy()  # type: ignore[arg-type]
    for token, row in enumerate(x):
        column, line = ((token - 1) % 3, (token - 1) // 3) if token else (0, 0)
        for pair in range(8):
            position = (line if pair < 4 else column) / 3 * 16
            turned_by = np.exp(1j * position / 10000 ** ((pair % 4) / 4))
            expected = (row[2 * pair] + 1j * row[2 * pair + 1]) * turned_by
            np.testing.assert_allclose(found[token, 2 * pair : 2 * pair + 2], [expected.real, expected.imag], atol=1e-6)


def test_an_eva_tower_refuses_what_cannot_be() -> None:
    for changes, message in (
        ({"heads": 3}, "heads that divide"),
        ({"heads": 8}, "multiple of 4"),
        ({"patch_px": 64}, "patch_px"),
    ):
        with pytest.raises(InputError, match=message):
            replace(EVA, **changes)


def test_many_tokens_attend_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph whose attention computes some rows at a time gives the same numbers as torch."""
    monkeypatch.setattr(graph_transformer, "MOST_ROWS", 16)
    monkeypatch.setattr(graph_transformer, "CHUNK", 5)
    clip, _, _ = make("owl-v2")
    write_graphs(clip, tmp_path)
    assert sum(node.op_type == "Softmax" for node in onnx.load(tmp_path / "image.onnx").graph.node) == 2 * 4
    assert max(verify(clip, tmp_path).values()) < 1e-5
