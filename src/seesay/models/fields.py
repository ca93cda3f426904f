"""Types of the fields that the configurations of several families share."""

from typing import Annotated, Literal

from seesay.errors import InputError
from seesay.system.schema import Bounds

Size = Annotated[int, Bounds(least=1)]

Modality = Literal["image", "text"]
Activation = Literal["gelu", "gelu_tanh", "quick_gelu"]
BlockActivation = Activation | Literal["relu"]  # the last in decoders alone
# Into the shared space: "linear" has no bias, "affine" has one; "none": the pooled vector itself.
Projection = Literal["linear", "affine", "mlp", "none"]


def check_heads(width: int, heads: int) -> None:
    """Raises InputError where the heads do not share the width evenly."""
    if width % heads:
        raise InputError(f"expected heads that divide the width of {width}, got {heads}")
