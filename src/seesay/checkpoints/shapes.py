"""Configurations of towers from their tensors' shapes, by native names, and from overrides for what shapes cannot show."""

import re
from collections.abc import Mapping

from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.tokenizers.vocabulary import PIECES

CLIP_EPS = 1e-5  # of every model whose bare weights are published
BERT_EPS = 1e-12
Shapes = Mapping[str, tuple[int, ...]]


def depth(shapes: Shapes, tower: str) -> int:
    """The number of a tower's blocks. Raises CheckpointError where one in between is missing."""
    numbers = {int(m[1]) for name in shapes if (m := re.match(rf"{tower}\.blocks\.(\d{{1,6}})\.", name))}
    count = 1 + max(numbers, default=-1)
    if count != len(numbers):
        raise CheckpointError(
            f"the {tower} tower has {len(numbers)} layers, and the last is number {count - 1}: some are missing"
        )
    return count


def shape(shapes: Shapes, name: str, sides: int) -> tuple[int, ...]:
    """The shape of a required tensor. Raises CheckpointError where it is missing, empty or has another number of sides."""
    stored = shapes.get(name)
    if stored is None or len(stored) != sides or not all(stored):
        raise CheckpointError(f"{name}: expected a tensor of {sides} sides, got {'none' if stored is None else stored}")
    return stored


def stages(shapes: Shapes) -> tuple[int, int, int, int]:
    """The number of blocks in each stage of a ResNet."""
    blocks = [{m[1] for name in shapes if (m := re.match(rf"image\.stages\.{s}\.(\d+)\.", name))} for s in range(4)]
    return len(blocks[0]), len(blocks[1]), len(blocks[2]), len(blocks[3])


def dimension(shapes: Shapes) -> int:
    """The dimension of the shared space. Raises CheckpointError where no tensor shows it."""
    for name in ("image.projection.weight", "image.pool.out.weight", "text.projection.weight", "text.projection.down.weight"):
        if name in shapes:
            return shape(shapes, name, 2)[0]
    for name in ("image.norm_after.weight", "text.norm_after.weight"):
        if name in shapes:
            return shape(shapes, name, 1)[0]
    raise CheckpointError("no projection and no last norm: these are not the weights of a tower")


def square(positions: int, what: str) -> int:
    """The side of a square grid with so many positions, one of them the class token's. Raises CheckpointError."""
    side: int = round(max(positions - 1, 0) ** 0.5)
    if side < 1 or side * side != positions - 1:
        raise CheckpointError(f"{what} has {positions} positions, which are not one and a square grid")
    return side


def image_config(shapes: Shapes, overrides: Overrides, head_width: int | None = None) -> ImageConfig | None:
    """The image tower's configuration; None where there is no such tower.

    head_width: of one head, where the source has one rule for all models.
    """
    if "image.patch_embedding.weight" in shapes and "image.patch_embedding.bias" not in shapes:  # those are of other families
        width, _, patch, _ = shape(shapes, "image.patch_embedding.weight", 4)
        heads = _heads("image_heads", overrides, width, head_width, "activation")
        assert overrides.activation
        return VitConfig(
            kind="vit",
            image_px=patch * square(shape(shapes, "image.position_embedding", 2)[0], "the image tower"),
            patch_px=patch,
            width=width,
            depth=depth(shapes, "image"),
            heads=heads,
            mlp_width=shape(shapes, "image.blocks.0.mlp.up.weight", 2)[0],
            activation=overrides.activation,
            layer_norm_eps=CLIP_EPS,
            norm_before="image.norm_before.weight" in shapes,
            layer_scale="image.blocks.0.scale1.weight" in shapes,
            projection="linear" if "image.projection.weight" in shapes else "none",
        )
    if "image.pool.position_embedding" in shapes:
        cells, pooled = shape(shapes, "image.pool.position_embedding", 2)
        heads = _heads("image_heads", overrides, pooled, head_width)
        return ModifiedResNetConfig(
            kind="modified-resnet",
            image_px=32 * square(cells, "the image tower"),
            width=shape(shapes, "image.stem.2.conv.weight", 4)[0],
            stages=stages(shapes),
            heads=heads,
        )
    return None


def text_config(shapes: Shapes, overrides: Overrides, head_width: int | None = None) -> TextConfig | None:
    """A CLIP text tower is taken as causal and pooled at its last vocabulary entry; BERT as pooled at its first token."""
    if "text.token_embedding.weight" in shapes:
        vocabulary, width = shape(shapes, "text.token_embedding.weight", 2)
        heads = _heads("text_heads", overrides, width, head_width, "activation")
        activation = overrides.text_activation or overrides.activation
        assert activation
        return ClipTextConfig(
            kind="clip-text",
            width=width,
            depth=depth(shapes, "text"),
            heads=heads,
            mlp_width=shape(shapes, "text.blocks.0.mlp.up.weight", 2)[0],
            vocabulary=vocabulary,
            positions=shape(shapes, "text.position_embedding", 2)[0],
            activation=activation,
            layer_norm_eps=CLIP_EPS,
            causal=True,
            pooling="eos",
            eos_id=min(vocabulary, PIECES["clip"]) - 1,  # tokens that were added later come after it
            projection="linear" if "text.projection.weight" in shapes else "none",
        )
    if "text.embeddings.word.weight" in shapes:
        vocabulary, width = shape(shapes, "text.embeddings.word.weight", 2)
        heads = _heads("text_heads", overrides, width, head_width)
        return BertConfig(
            kind="bert",
            width=width,
            depth=depth(shapes, "text"),
            heads=heads,
            mlp_width=shape(shapes, "text.blocks.0.mlp.up.weight", 2)[0],
            vocabulary=vocabulary,
            positions=shape(shapes, "text.embeddings.position.weight", 2)[0],
            activation=overrides.text_activation or "gelu",
            layer_norm_eps=BERT_EPS,
            pooling="cls",
            head="linear",
            types=shape(shapes, "text.embeddings.token_type.weight", 2)[0],
        )
    return None


def _heads(name: str, overrides: Overrides, width: int, head_width: int | None, *needed: str) -> int:
    """The overrides' heads, or by the rule's head width. Raises CheckpointError without either, or a `needed` override."""
    heads: int | None = getattr(overrides, name) or (width // head_width if head_width else None)
    overrides.require(*needed, *([] if heads else [name]))
    assert heads
    return heads
