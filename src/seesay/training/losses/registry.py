"""Records of losses, with what a model needs to know about its loss, and their registry by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from torch import Tensor

from seesay.training.processes import ALONE, Processes


class ScaledPairs(NamedTuple):
    """N pairs: unit vectors of images and texts, (N, D) each, and the scale of their cosines, a scalar."""

    images: Tensor
    texts: Tensor
    scale: Tensor


@dataclass(frozen=True)
class ContrastiveLoss:
    """A loss over all pairs of a batch.

    function: (images, texts, scale, *, image_ids, text_ids, processes) -> a scalar, this process's share of the loss; with
    `first_bias` it takes `bias` as well.
    score: how the trained model turns logits into probabilities. first_logit_scale: the logarithm of the scale at the start of
    training. first_bias: the logit bias at the start; None for a loss without one.
    """

    name: str
    function: Callable[..., Tensor]
    score: Literal["softmax", "sigmoid"]
    first_logit_scale: float
    first_bias: float | None = None

    def __call__(
        self,
        pairs: ScaledPairs,
        bias: Tensor | None,
        image_ids: Tensor | None,
        text_ids: Tensor | None,
        processes: Processes = ALONE,
    ) -> Tensor:
        """A scalar with gradients. Rows of equal ids (N,) int64 are positives of each other."""
        biased = {} if self.first_bias is None else {"bias": bias}
        return self.function(*pairs, image_ids=image_ids, text_ids=text_ids, processes=processes, **biased)


@dataclass(frozen=True)
class DistillationLoss:
    """A loss between a student's and a teacher's vectors of the same pairs.

    function: (student, teacher, processes) -> a scalar with gradients of the student, this process's share of the loss.
    same_dim: whether both need the same dimension, so that a student of another one gets layers into the teacher's.
    """

    name: str
    function: Callable[[ScaledPairs, ScaledPairs, Processes], Tensor]
    same_dim: bool


L = TypeVar("L", bound=ContrastiveLoss | DistillationLoss)


class Registry(Generic[L]):
    """Losses by name. As the annotation of a recipe's field (`system.schema`) it admits the registered names only."""

    def __init__(self, losses: Iterable[L]) -> None:
        self.losses: dict[str, L] = {loss.name: loss for loss in losses}

    def __getitem__(self, name: str) -> L:
        return self.losses[name]

    def hold(self, name: object) -> bool:
        """Whether a loss has this name; the counterpart of `schema.Bounds.hold`."""
        return name in self.losses

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self.losses))}"
