"""Configuration of BERT, RoBERTa and XLM-R."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from seesay.errors import InputError
from seesay.models.fields import Activation, Projection, Size, check_heads
from seesay.models.tower_config import TextTowerConfig
from seesay.system.schema import Bounded, Bounds


@dataclass(frozen=True)
class Gate(Bounded):
    """After a projection: its first dimensions count less where they make up little of the vector.

    Of a vector x whose first `dims` dimensions are f, these are multiplied by `least` + (1 - `least`) * sigmoid((|f| / |x| -
    `middle`) / `slope`). For a space whose first part holds what only sentences have, and only noise of single words.
    """

    dims: Size
    middle: float
    slope: Annotated[float, Bounds(above=0)]
    least: Annotated[float, Bounds(least=0, most=1)]


@dataclass(frozen=True)
class BertConfig(TextTowerConfig):
    """BERT text tower (Devlin et al. 2018), post-norm; also RoBERTa and XLM-R, whose positions skip padding.

    pooling "mean": over the tokens that are not padding; "cls": the first token; "tanh": BERT's pooler over the first token.
    transformation: after "cls", a norm and a linear layer to so many features (AltCLIP); 0 for none.
    head "linear": a projection; "affine": one with a bias; "mlp": two with a GELU between, the inner width halfway (OpenCLIP);
    "none": the pooled vector; "unit-centred": the pooled vector at unit length, minus the centre of the space.
    types: rows of the token type table, of which CLIP uses the first; 0 where it is folded into the positions. gate: after a
    projection.
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("activation", "heads"))

    kind: Literal["bert"]
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    vocabulary: Size
    positions: Size
    activation: Activation
    layer_norm_eps: float
    pooling: Literal["mean", "cls", "tanh"]
    head: Literal["linear", "affine", "mlp", "none", "unit-centred"]
    pad_id: int = 0
    types: int = 0
    position_ids: Literal["from-zero", "after-padding"] = "from-zero"
    gate: Gate | None = None
    transformation: Annotated[int, Bounds(least=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if self.transformation and self.pooling != "cls":
            raise InputError(f"a transformation follows the pooling 'cls' only, got {self.pooling!r}")

    @property
    def max_tokens(self) -> int:
        return self.positions - (self.pad_id + 1 if self.position_ids == "after-padding" else 0)

    @property
    def feature_width(self) -> int:
        return self.transformation or self.width

    @property
    def projects(self) -> bool:
        return self.head != "none"

    @property
    def layers(self) -> int:
        return self.depth

    @property
    def unused_weights(self) -> frozenset[str]:
        """BERT's pooler, where pooling takes place without it."""
        return frozenset() if self.pooling == "tanh" else frozenset(("pooler.weight", "pooler.bias"))

    def with_projection(self, projection: Projection) -> Self:
        """Without a gate."""
        return replace(self, head=projection, gate=None)
