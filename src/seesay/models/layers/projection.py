"""The projection from a tower's width into the shared space."""

import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.fields import Projection


class MlpProjection(nn.Module):
    """Two linear layers without biases and a GELU between, the inner width halfway, as OpenCLIP's "mlp"."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        inner = (width + dim) // 2
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))  # type: ignore[no-any-return]


def projection(kind: Projection, width: int, dim: int) -> nn.Module:
    """(..., width) -> (..., dim); "none" leaves the width as it is."""
    match kind:
        case "linear":
            return nn.Linear(width, dim, bias=False)
        case "affine":
            return nn.Linear(width, dim)
        case "mlp":
            return MlpProjection(width, dim)
        case "none":
            return nn.Identity()
