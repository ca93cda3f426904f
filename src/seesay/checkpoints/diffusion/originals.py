"""The published CLIP that a text encoder may come from: by its shape, and among the models on this machine."""

from collections.abc import Iterator
from pathlib import Path

from seesay.checkpoints.diffusion.text_encoder import TextEncoderFile
from seesay.checkpoints.hub.catalog import CatalogModel, architecture, catalog, find
from seesay.checkpoints.hub.local import local_weights
from seesay.models.families.clip_text.config import ClipTextConfig

# By width and activation: what Stable Diffusion, FLUX and their kin were made with (their model cards).
ORIGINALS = {
    (768, "quick_gelu"): "openai/ViT-L-14",
    (1024, "gelu"): "open_clip/ViT-H-14/laion2b_s32b_b79k",
    (1280, "gelu"): "open_clip/ViT-bigG-14/laion2b_s39b_b160k",
}


def original_of(encoder: TextEncoderFile) -> str | None:
    """The name in the catalogue of the likely original, by shape; None for any other shape."""
    config = encoder.config
    if not isinstance(config, ClipTextConfig):
        return None
    name = ORIGINALS.get((config.width, config.activation))
    entry = None if name is None else find(name)
    return name if entry is not None and has_shape_of(encoder, entry) else None


def has_shape_of(encoder: TextEncoderFile, entry: CatalogModel) -> bool:
    """Whether a published text tower has this shape; the last layer may be missing, as in diffusers' Stable Diffusion 2."""
    own, published = encoder.config, architecture(entry.architecture).text
    if not isinstance(own, ClipTextConfig) or not isinstance(published, ClipTextConfig):
        return False
    same = all(
        getattr(own, side) == getattr(published, side) for side in ("width", "mlp_width", "vocabulary", "positions", "heads")
    )
    return same and published.depth - own.depth in (0, 1)


def local_originals(encoder: TextEncoderFile) -> Iterator[tuple[CatalogModel, Path]]:
    """Models of the catalogue that have this shape and whose weights are on this machine, with their files or folders."""
    for entry in catalog().models:
        if has_shape_of(encoder, entry) and (path := local_weights(entry)) is not None:
            yield entry, path
