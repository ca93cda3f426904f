"""Types of the fields that the configurations of several families share."""

from typing import Annotated, Literal

from seesay.errors import InputError
from seesay.system.schema import Bounded, Bounds

Size = Annotated[int, Bounds(least=1)]

Activation = Literal["gelu", "gelu_tanh", "quick_gelu"]
Projection = Literal["linear", "mlp", "none"]  # into the shared space; "none": the pooled vector itself


def check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise InputError(f"expected heads that divide the width of {width}, got {heads}")


class TransformerConfig(Bounded):
    """Base of the configurations of towers whose heads share their width."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)  # type: ignore[attr-defined]
