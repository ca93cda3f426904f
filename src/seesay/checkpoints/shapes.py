"""What a tower's shapes say about it, by our names; and what they cannot say, asked for by name."""

import re
from collections.abc import Mapping
from dataclasses import replace

from seesay.checkpoints.description import Said
from seesay.config import BertConfig, ClipTextConfig, ImageConfig, ModifiedResNetConfig, TextConfig, VitConfig
from seesay.errors import CheckpointError

CLIP_EPS, BERT_EPS = 1e-5, 1e-12  # of every model that publishes bare weights
Shapes = Mapping[str, tuple[int, ...]]


def depth(shapes: Shapes, tower: str) -> int:
    numbers = [int(m[1]) for name in shapes if (m := re.match(rf"{tower}\.blocks\.(\d+)\.", name))]
    return 1 + max(numbers, default=-1)


def dimension(shapes: Shapes) -> int:
    """Of the shared space."""
    for name in ("image.projection.weight", "image.pool.out.weight", "text.projection.weight", "text.projection.down.weight"):
        if name in shapes:
            return shapes[name][0]
    for name in ("image.norm_after.weight", "text.norm_after.weight"):
        if name in shapes:
            return shapes[name][0]
    raise CheckpointError("no projection and no last norm: these are not the weights of a tower")


def square(positions: int, what: str) -> int:
    side: int = round((positions - 1) ** 0.5)
    if side * side != positions - 1:
        raise CheckpointError(f"{what} has {positions} positions, which are not one and a square grid")
    return side


def image_config(shapes: Shapes, said: Said, heads_of: int | None = None) -> ImageConfig | None:
    """heads_of: the width of a head where the source has one rule for all models."""
    if "image.patch_embedding.weight" in shapes:
        width, _, patch, _ = shapes["image.patch_embedding.weight"]
        heads = said.image_heads or (width // heads_of if heads_of else None)
        replace(said, image_heads=heads).require("activation", "image_heads")
        assert said.activation
        assert heads
        return VitConfig(
            kind="vit",
            image_px=patch * square(shapes["image.position_embedding"][0], "the image tower"),
            patch_px=patch,
            width=width,
            depth=depth(shapes, "image"),
            heads=heads,
            mlp_width=shapes["image.blocks.0.mlp.up.weight"][0],
            activation=said.activation,
            layer_norm_eps=CLIP_EPS,
            norm_before="image.norm_before.weight" in shapes,
            layer_scale="image.blocks.0.scale1.weight" in shapes,
            projection="image.projection.weight" in shapes,
        )
    if "image.pool.position_embedding" in shapes:
        cells, pooled = shapes["image.pool.position_embedding"]
        heads = said.image_heads or (pooled // heads_of if heads_of else None)
        replace(said, image_heads=heads).require("image_heads")
        assert heads
        stages = [{m[1] for name in shapes if (m := re.match(rf"image\.stages\.{s}\.(\d+)\.", name))} for s in range(4)]
        counts = tuple(map(len, stages))
        return ModifiedResNetConfig(
            kind="modified-resnet",
            image_px=32 * square(cells, "the image tower"),
            width=shapes["image.stem.2.conv.weight"][0],
            stages=(counts[0], counts[1], counts[2], counts[3]),
            heads=heads,
        )
    return None


def text_config(shapes: Shapes, said: Said, heads_of: int | None = None) -> TextConfig | None:
    """A CLIP text tower is taken as causal and pooled at its last vocabulary entry; BERT as pooled at its first token."""
    if "text.token_embedding.weight" in shapes:
        vocabulary, width = shapes["text.token_embedding.weight"]
        heads = said.text_heads or (width // heads_of if heads_of else None)
        replace(said, text_heads=heads).require("activation", "text_heads")
        activation = said.text_activation or said.activation
        assert heads
        assert activation
        return ClipTextConfig(
            kind="clip-text",
            width=width,
            depth=depth(shapes, "text"),
            heads=heads,
            mlp_width=shapes["text.blocks.0.mlp.up.weight"][0],
            vocabulary=vocabulary,
            positions=shapes["text.position_embedding"][0],
            activation=activation,
            layer_norm_eps=CLIP_EPS,
            causal=True,
            pooling="eos",
            eos_id=min(vocabulary, 49408) - 1,  # tokens that were added later come after it
            projection="linear" if "text.projection.weight" in shapes else "none",
        )
    if "text.embeddings.word.weight" in shapes:
        vocabulary, width = shapes["text.embeddings.word.weight"]
        heads = said.text_heads or (width // heads_of if heads_of else None)
        replace(said, text_heads=heads).require("text_heads")
        assert heads
        return BertConfig(
            kind="bert",
            width=width,
            depth=depth(shapes, "text"),
            heads=heads,
            mlp_width=shapes["text.blocks.0.mlp.up.weight"][0],
            vocabulary=vocabulary,
            positions=shapes["text.embeddings.position.weight"][0],
            activation=said.text_activation or "gelu",
            layer_norm_eps=BERT_EPS,
            pooling="cls",
            head="linear",
            types=shapes["text.embeddings.token_type.weight"][0],
        )
    return None
