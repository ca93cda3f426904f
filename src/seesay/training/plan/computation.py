"""Operations that training takes, counted from a model's actual towers."""

from dataclasses import dataclass

from seesay.checkpoints.hub.catalog import architecture, find
from seesay.errors import InputError, ModelError
from seesay.models import size

FORWARD_AND_BACKWARD = 3  # the backward pass computes two products for each of the forward pass
WITH_CHECKPOINTING = 4  # and with gradient checkpointing (Chen and others 2016) the forward pass once more
TRAINING_STATE_BYTES = 16  # per weight in float32: itself, its gradient, and AdamW's two moments


@dataclass(frozen=True)
class Towers:
    """What a plan needs to know of a model. forward_flops: operations for one picture with one text, a multiplication and an
    addition counted as two, the text padded to the model's length as in training; dim: of its vectors."""

    name: str
    image_flops: float
    text_flops: float
    parameters: int
    image_px: int
    dim: int

    @property
    def forward_flops(self) -> float:
        """Operations of both towers for one pair."""
        return self.image_flops + self.text_flops

    def pair_flops(self, *, checkpointing: bool = False) -> float:
        """Operations that training spends on one pair."""
        return self.forward_flops * (WITH_CHECKPOINTING if checkpointing else FORWARD_AND_BACKWARD)


def towers(model: str) -> Towers:
    """The towers of an architecture (`seesay models architectures`) or of a published model. Raises InputError with near
    names."""
    published = find(model)
    name = published.architecture if published else model
    try:
        pair = architecture(name)
    except ModelError as error:
        raise InputError(str(error), parameter="model") from None
    return Towers(
        name,
        2 * size.operations(pair.image, pair.dim),
        2 * size.operations(pair.text, pair.dim, pair.tokenizer_spec.context_length),
        size.parameters(pair.image, pair.dim) + size.parameters(pair.text, pair.dim),
        pair.image.image_px,
        pair.dim,
    )
