"""Weights and multiplications of a timm tower."""

from seesay.models.families.timm.config import TimmConfig


def parameters(config: TimmConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    match config.projection:
        case "none":
            return config.weights
        case "linear":
            bias = dim if config.classifier or config.projection_bias else 0
            return config.weights + config.width * dim + bias
    inner = 2 * dim
    return config.weights + (config.width + 1) * inner + inner * dim + (dim if config.projection_bias else 0)


def operations(config: TimmConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    inner = {"none": 0, "linear": config.width * dim, "mlp": 2 * dim * (config.width + dim)}[config.projection]
    return float(config.multiplications + inner)
