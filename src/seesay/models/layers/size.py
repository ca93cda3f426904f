"""Weights and multiplications of the layers that several families share, by arithmetic alone."""

from seesay.models.fields import Projection


def projection_parameters(kind: Projection, width: int, dim: int) -> int:
    """Weights of a projection from width into dim."""
    inner = (width + dim) // 2
    return {"linear": width * dim, "affine": (width + 1) * dim, "mlp": inner * (width + dim), "none": 0}[kind]


def block_parameters(width: int, inner: int) -> int:
    """Weights of a transformer block: four projections, two layers, two norms, with their biases."""
    return 4 * width * (width + 1) + width * inner + inner + inner * width + width + 4 * width


def transformer_operations(width: int, inner: int, depth: int, length: int) -> float:
    """Multiplications of a stack of transformer blocks over so many tokens."""
    return depth * length * (4 * width * width + 2 * width * inner + 2 * length * width)
