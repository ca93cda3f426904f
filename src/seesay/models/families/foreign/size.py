"""Size of graphs of others, by the numbers that they store."""

from seesay.models.families.foreign.config import ForeignImageConfig, ForeignTextConfig


def parameters(config: ForeignImageConfig | ForeignTextConfig, dim: int) -> int:
    """Numbers that the graph stores; several weights of less than 8 bits may share one."""
    return config.numbers


def operations(config: ForeignImageConfig | ForeignTextConfig, dim: int, tokens: int) -> float:
    """Multiplications, if every number is used once for each token: less than the truth for an image tower."""
    return float(config.numbers * tokens)
