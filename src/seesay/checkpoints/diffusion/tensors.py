"""The tensors that a CLIP text tower has, by its configuration alone: for checking a file without torch."""

from seesay.checkpoints.shapes import Shapes
from seesay.models.families.clip_text.config import ClipTextConfig


def clip_text_shapes(config: ClipTextConfig, dim: int) -> Shapes:
    """Shapes by native names of a causal tower, pooled at the end of text; those of `ClipText(config, dim)`."""
    width, mlp = config.width, config.mlp_width
    shapes: dict[str, tuple[int, ...]] = {
        "text.token_embedding.weight": (config.vocabulary, width),
        "text.position_embedding": (config.positions, width),
        **_layer("text.norm_after", width),
    }
    for i in range(config.depth):
        block = f"text.blocks.{i}."
        for norm in ("norm1", "norm2"):
            shapes |= _layer(block + norm, width)
        for part in ("query", "key", "value", "out"):
            shapes |= _layer(f"{block}attention.{part}", width, width)
        shapes |= _layer(f"{block}mlp.up", mlp, width) | _layer(f"{block}mlp.down", width, mlp)
    return shapes if config.projection == "none" else shapes | {"text.projection.weight": (dim, width)}


def _layer(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
