"""The configuration."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seesay.models.fields import Activation, Size, TransformerConfig
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
class BertConfig(TransformerConfig):
    """BERT text tower (Devlin et al. 2018), post-norm; also RoBERTa and XLM-R, whose positions skip padding.

    pooling "mean": over the tokens that are not padding; "cls": the first token; "tanh": BERT's pooler over the first token.
    head "linear": a projection; "mlp": two with a GELU between, the inner width halfway (OpenCLIP); "none": the pooled vector;
    "unit-centred": the pooled vector at unit length, minus the centre of the space.
    types: rows of the token type table, of which CLIP uses the first; 0 where it is folded into the positions. gate: after a
    projection.
    """

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
    head: Literal["linear", "mlp", "none", "unit-centred"]
    pad_id: int = 0
    types: int = 0
    position_ids: Literal["from-zero", "after-padding"] = "from-zero"
    gate: Gate | None = None
