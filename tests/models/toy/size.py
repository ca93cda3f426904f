"""Weights and multiplications of the toy tower."""

from seesay.models.layers.size import projection_parameters
from tests.models.toy.config import ToyConfig


def parameters(config: ToyConfig, dim: int) -> int:
    inputs = 3 * config.cells**2
    return (inputs + 1) * config.width + projection_parameters(config.projection, config.width, dim)


def operations(config: ToyConfig, dim: int, tokens: int) -> float:
    return 3 * config.cells**2 * config.width + config.width * dim
