"""The parity tests must bite: each of these mistakes, as people make them, has to be seen by the comparison of the fixtures."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seesay.checkpoints.formats.long_clip import JoinedPositions
from seesay.checkpoints.reader import Checkpoint
from seesay.models.clip import Clip
from tests.parity.test_checkpoints import RELATIVE, UNIT, compare, open_fixture

Mutation = Callable[[Checkpoint], Clip]


def with_text(**changes: Any) -> Mutation:
    def mutate(checkpoint: Checkpoint) -> Clip:
        d = checkpoint.description
        return replace(checkpoint, description=replace(d, text=replace(d.text, **changes))).model()  # type: ignore[type-var]

    return mutate


def with_image(**changes: Any) -> Mutation:
    def mutate(checkpoint: Checkpoint) -> Clip:
        d = checkpoint.description
        return replace(checkpoint, description=replace(d, image=replace(d.image, **changes))).model()  # type: ignore[type-var]

    return mutate


def with_pool(**changes: Any) -> Mutation:
    def mutate(checkpoint: Checkpoint) -> Clip:
        pool = checkpoint.description.image.attention_pool  # type: ignore[union-attr]
        return with_image(attention_pool=replace(pool, **changes))(checkpoint)

    return mutate


def swapped(one: str, other: str) -> Mutation:
    """Two rows of a table exchanged, everywhere they apply."""

    def mutate(checkpoint: Checkpoint) -> Clip:
        origins = dict(checkpoint.account.origins)
        hits = 0
        for name in checkpoint.account.origins:
            if one in name and (partner := name.replace(one, other)) in origins:
                origins[name], origins[partner] = checkpoint.account.origins[partner], checkpoint.account.origins[name]
                hits += 1
        assert hits
        return replace(checkpoint, account=replace(checkpoint.account, origins=origins)).model()

    return mutate


def changed(end: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Mutation:
    """The first tensor whose name ends so, changed."""

    def mutate(checkpoint: Checkpoint) -> Clip:
        clip = checkpoint.model()
        tensor = next(tensor for name, tensor in clip.state_dict().items() if name.endswith(end))
        with torch.no_grad():
            tensor.copy_(change(tensor.clone()))
        return clip

    return mutate


def dropped(end: str) -> Mutation:
    return changed(end, torch.zeros_like)


def pooled_one_later(side: str) -> Mutation:
    def mutate(checkpoint: Checkpoint) -> Clip:
        clip = checkpoint.model()
        last = getattr(clip, side).blocks[-1]
        forward = last.forward

        def next_one(x: torch.Tensor, *, query_index: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
            return forward(x, query_index=None if query_index is None else (query_index + 1) % x.shape[1], **options)  # type: ignore[no-any-return]

        last.forward = next_one
        return clip

    return mutate


def padding_seen(checkpoint: Checkpoint) -> Clip:
    clip = checkpoint.model()
    for block in clip.text.blocks:  # type: ignore[attr-defined]
        forward = block.forward
        block.forward = lambda x, mask=None, forward=forward, **options: forward(x, **options)
    return clip


def without_transformation(checkpoint: Checkpoint) -> Clip:
    clip = checkpoint.model()
    clip.text.transformation = torch.nn.Linear(24, 28, bias=False)
    with torch.no_grad():
        clip.text.transformation.weight.copy_(torch.eye(28, 24))  # type: ignore[operator]
    return clip


def first_query(checkpoint: Checkpoint) -> Clip:
    """The second query of an attention pool taken for the first."""
    return changed("attention_pool.query", lambda queries: queries.roll(-1, dims=0))(checkpoint)


def norm_before_pool(checkpoint: Checkpoint) -> Clip:
    """The last norm before the attention pool instead of after it, as in the paper."""
    clip = checkpoint.model()
    pool, norm = clip.image.attention_pool, clip.image.norm_after
    forward = pool.forward
    pool.forward = lambda x, count: forward(torch.nn.functional.layer_norm(x, x.shape[-1:]), count)
    clip.image.norm_after = torch.nn.Identity()
    assert norm is not None
    return clip


def first_positions_only(checkpoint: Checkpoint) -> Clip:
    """Long-CLIP's second table of positions overlooked."""
    joined = checkpoint.weights.container
    assert isinstance(joined, JoinedPositions)
    return replace(checkpoint, weights=replace(checkpoint.weights, container=joined.container)).model()


def residual_first(checkpoint: Checkpoint) -> Clip:
    """A residual where EfficientNet as ALIGN has it has none, though the shapes allow it."""
    clip = checkpoint.model()
    first: Any = clip.image.blocks[0]  # type: ignore[index]
    assert not first.residual
    first.residual = True
    return clip


def padding_hidden_in_place(checkpoint: Checkpoint) -> Clip:
    """CoCa's padding mask not one position late."""
    clip = checkpoint.model()
    masking = clip.text._masking

    def in_place(ids: torch.Tensor) -> dict[str, Any]:
        mask = masking(ids)["mask"]
        return {"mask": torch.cat([mask[..., 1:], mask[..., :1]], dim=-1)}

    clip.text._masking = in_place
    return clip


MUTATIONS: tuple[tuple[str, str, Mutation], ...] = (
    ("norms swapped", "hf-clip-5", swapped("image.blocks.0.norm1", "image.blocks.0.norm2")),
    ("query and key swapped", "hf-clip-5", swapped("attention.query", "attention.key")),
    ("key and value swapped in a fused projection", "openai-vit-archive", swapped("attention.key", "attention.value")),
    ("norms swapped in BERT", "hf-chinese-clip-5", swapped("norm1", "norm2")),
    ("batch norms swapped", "openai-resnet-archive", swapped("norm.weight", "norm.bias")),
    ("running mean and variance forgotten", "open-clip-resnet", changed("norm.running_var", torch.ones_like)),
    ("shortcut's norm forgotten", "cn-clip-resnet", dropped("shortcut.norm.bias")),
    ("a bias dropped in an MLP", "openai-vit-archive", dropped("image.blocks.1.mlp.down.bias")),
    ("a bias dropped in attention", "open-clip-native", dropped("text.blocks.0.attention.out.bias")),
    ("a value's bias dropped", "cn-clip-vit", dropped("text.blocks.1.attention.value.bias")),
    ("the last norm's bias dropped", "hf-vision-5", dropped("norm_after.bias")),
    ("GELU for QuickGELU", "openai-vit-archive", with_image(activation="gelu")),
    ("GELU for QuickGELU in the text tower", "hf-clip-5", with_text(activation="gelu")),
    ("QuickGELU for GELU", "open-clip-native", with_image(activation="quick_gelu")),
    ("tanh GELU for GELU", "cn-clip-vit", with_text(activation="gelu_tanh")),
    ("pooling moved by one", "openai-vit-archive", pooled_one_later("text")),
    ("the first patch pooled", "hf-vision-projection-4", pooled_one_later("image")),
    ("pooling at the highest id", "open-clip-eos", with_text(eos_id=299)),
    ("every strided convolution padded alike", "hf-align-5", with_image(evenly_padded=(2, 4))),
    ("no strided convolution padded evenly", "hf-align-4", with_image(evenly_padded=())),
    ("another epsilon in batch norms", "hf-align-5", with_image(norm_eps=1e-5)),
    ("the squeeze's bias dropped", "hf-align-5", dropped("squeeze.reduce.bias")),
    ("the excitation's bias dropped", "hf-align-5", dropped("squeeze.expand.bias")),
    ("ALIGN's projection's bias dropped", "hf-align-4", dropped("text.projection.bias")),
    ("a residual in the first block of a stage", "hf-align-5", residual_first),
    ("the first token for the mean", "m-clip-xlm-roberta-5", with_text(pooling="cls")),
    ("M-CLIP's bias dropped", "m-clip-bert-5", dropped("text.projection.bias")),
    ("XLM-R taken for BERT", "m-clip-xlm-roberta-4", with_text(position_ids="from-zero")),
    ("the first table of positions used to its end", "long-clip", first_positions_only),
    ("GELU for QuickGELU in Long-CLIP", "long-clip", with_text(activation="gelu")),
    ("QuickGELU for GELU in TinyCLIP", "tiny-clip", with_image(activation="quick_gelu")),
    ("pooling where CLIPModel does", "hf-metaclip-2-5", with_text(eos_id=299)),
    ("pooling at the end instead of the last position", "open-clip-clipa", with_text(pooling="eos", eos_id=2)),
    ("mean for the first token", "hf-chinese-clip-4", with_text(pooling="mean")),
    ("the class token in the mean", "open-clip-eos", with_image(pooling="cls")),
    ("the last norm before pooling", "open-clip-clipa", with_image(norm_after_pool=False)),
    ("the causal mask removed", "openai-vit-archive", with_text(causal=False)),
    ("a causal mask added", "open-clip-clipa", with_text(causal=True)),
    ("padding not masked", "hf-chinese-clip-5", padding_seen),
    ("the transformation's norm forgotten", "hf-altclip-5", dropped("transformation.norm.bias")),
    ("the transformation's bias dropped", "hf-altclip-4", dropped("transformation.linear.bias")),
    ("the transformation left out", "hf-altclip-5", without_transformation),
    ("positions counted from zero", "open-clip-xlm-roberta", with_text(position_ids="from-zero")),
    ("wrong heads, image", "hf-clip-5", with_image(heads=2)),
    ("wrong heads, text", "open-clip-custom-text", with_text(heads=4)),
    ("wrong heads, attention pooling", "openai-resnet-archive", with_image(heads=2)),
    ("another epsilon", "hf-clip-gelu-5", with_image(layer_norm_eps=1e-5)),
    ("another epsilon in the text tower", "hf-clip-gelu-4", with_text(layer_norm_eps=1e-5)),
    ("the projection turned", "open-clip-native", changed("text.projection.weight", lambda w: w.flip(0))),
    ("patches in columns", "hf-vision-4", changed("patch_embedding.weight", lambda w: w.transpose(2, 3))),
    ("the token type forgotten", "cn-clip-vit", dropped("token_type.weight")),
    ("exact GELU for its tanh form", "hf-siglip-5", with_image(activation="gelu")),
    ("exact GELU for its tanh form in the text tower", "open-clip-siglip-2", with_text(activation="gelu")),
    ("a causal mask on texts", "hf-siglip-text-4", with_text(causal=True)),
    ("pooling at the end of a text that is padded with it", "hf-siglip-4", with_text(pooling="eos")),
    ("another epsilon in the pooling", "hf-siglip-gelu-4", with_image(layer_norm_eps=1e-6)),
    ("wrong heads, blocks and pooling", "hf-siglip-vision-5", with_image(heads=2)),
    ("key and value swapped in the pooling", "open-clip-siglip", swapped("pool.attention.key", "pool.attention.value")),
    ("the query of the pooling forgotten", "hf-siglip-vision-4", dropped("pool.query")),
    ("the pooling's residual branch forgotten", "big-vision-siglip", dropped("pool.mlp.down.weight")),
    ("a patch's bias dropped", "open-clip-siglip", dropped("patch_embedding.bias")),
    ("a projection's bias dropped", "hf-siglip-text-5", dropped("text.projection.bias")),
    ("norms swapped in an .npz", "big-vision-siglip-layers", swapped("norm1", "norm2")),
    ("the second query pooled", "open-clip-coca", first_query),
    ("the first query in the mean", "open-clip-coca-mean", with_image(pooling="cls")),
    ("the last norm before the attention pool", "open-clip-coca", norm_before_pool),
    ("the queries' norm forgotten", "open-clip-coca", dropped("norm_query.bias")),
    ("the tokens' norm forgotten", "open-clip-coca-mean", dropped("norm_key.bias")),
    ("wrong heads, CoCa's pool", "open-clip-coca", with_pool(heads=2)),
    ("another padding masked before the class token", "open-clip-coca-mean", with_text(pad_id=0)),
    ("padding hidden in place", "open-clip-coca", padding_hidden_in_place),
    ("the class token forgotten", "open-clip-coca", dropped("text.class_embedding")),
    ("a causal mask added to CoCa", "open-clip-coca-mean", with_text(causal=True)),
    ("layer scale forgotten", "open-clip-eos", changed("scale1.weight", torch.ones_like)),
)


@pytest.mark.parametrize(("name", "fixture", "mutate"), MUTATIONS, ids=[name for name, *_ in MUTATIONS])
def test_a_mistake_is_noticed(name: str, fixture: str, mutate: Mutation) -> None:
    checkpoint, expected = open_fixture(fixture)
    clip = mutate(checkpoint)
    with torch.no_grad():
        worst = compare(clip, expected, None)
    # Well past the tolerances, so that no rounding of another machine hides it.
    assert worst["unit"] > 3 * UNIT or worst["hidden"] > 3 * RELATIVE, worst


@pytest.mark.parametrize(
    "fixture",
    [
        "openai-vit-archive",
        "openai-resnet-archive",
        "hf-chinese-clip-5",
        "hf-altclip-5",
        "hf-align-5",
        "hf-siglip-5",
        "open-clip-bert-pooler",
        "open-clip-coca",
    ],
)
def test_every_parameter_matters(fixture: str) -> None:
    """None is loaded and then not used, except a key's bias: softmax takes it out again."""
    checkpoint, expected = open_fixture(fixture)
    clip = checkpoint.model()
    random = np.random.default_rng(0)
    for name, tensor in clip.state_dict().items():
        if name.endswith(("key.bias", "num_batches_tracked")):
            continue
        before = tensor.clone()
        with torch.no_grad():
            tensor += 0.1 * torch.from_numpy(random.standard_normal(tuple(tensor.shape)).astype(np.float32)).abs()
            worst = compare(clip, expected, None)
            tensor.copy_(before)
        assert max(worst.values()) > 3 * RELATIVE, name
