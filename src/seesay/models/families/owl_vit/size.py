"""Weights and multiplications of OWL-ViT's image tower."""

from seesay.models.families.owl_vit.config import OwlVitConfig
from seesay.models.families.vit import size as vit


def parameters(config: OwlVitConfig, dim: int) -> int:
    """Number of weights, the projection's and the heads' included."""
    width = config.width
    heads = 2 * width + (width + 1) * (dim + 2) + _layers(width, 4) + (_layers(width, 1) if config.objectness else 0)
    return vit.parameters(config, dim) + heads


def _layers(width: int, outputs: int) -> int:
    return 2 * width * (width + 1) + (width + 1) * outputs


def operations(config: OwlVitConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    layers = 4 * config.width**2 if config.objectness else 2 * config.width**2
    return vit.operations(config, dim, tokens) + config.grid**2 * (layers + config.width * (dim + 7))
