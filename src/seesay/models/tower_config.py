"""Base classes of the towers' configurations: the facts that callers ask of any family."""

from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from seesay.errors import InputError, MissingCapability
from seesay.models.fields import Projection, check_heads
from seesay.models.signature import Signature
from seesay.system.schema import Bounded


class TowerConfig(Bounded):
    """Base of every tower's configuration, a frozen dataclass with a literal `kind`.

    overridable: names of fields that a caller may state about a checkpoint whose file does not.
    """

    kind: str
    overridable: ClassVar[frozenset[str]] = frozenset()

    @property
    def feature_width(self) -> int:
        """Length of the features that enter the projection."""
        raise NotImplementedError

    @property
    def projects(self) -> bool:
        """False where the features are the embedding, without a projection."""
        return True

    @property
    def layers(self) -> int | tuple[int, ...] | None:
        """The number of blocks, or of blocks in each stage; None where nothing checks it."""
        return None

    @property
    def exported(self) -> Signature | None:
        """How the tower's graph is called, where others exported it; None for a graph of SeeSay's own."""
        return None

    @property
    def unused_weights(self) -> frozenset[str]:
        """Names of weights that checkpoints may hold and this configuration leaves out."""
        return frozenset()

    def with_projection(self, projection: Projection) -> Self:
        """The same tower with another projection ("none": its features are the embedding). Raises InputError where it has none
        of this kind."""
        raise NotImplementedError

    def overridden(self, **values: object) -> Self:
        """A copy with those of the given values that are set and `overridable`."""
        stated: dict[str, Any] = {name: value for name, value in values.items() if value and name in self.overridable}
        return replace(self, **stated) if stated else self  # type: ignore[type-var]


class ImageTowerConfig(TowerConfig):
    """Base of image towers' configurations. is_sequence: hidden states are tokens (B, length, width) rather than maps.

    finds: what else the tower gives of a picture with queries, where it was trained for that; its vectors of whole pictures are
    then none to search by.
    """

    image_px: int
    is_sequence: ClassVar[bool] = False
    finds: ClassVar[Literal["boxes", "masks"] | None] = None

    @property
    def has_dense(self) -> bool:
        """Whether the tower has a dense output."""
        return True

    def further_outputs(self, dim: int) -> dict[str, list[int]]:
        """The graph's outputs on request other than "dense": the sides of their rows by name."""
        return {}

    @property
    def grid(self) -> int:
        """Cells of a side of the dense output."""
        raise NotImplementedError

    @property
    def cell_px(self) -> int:
        """Pixels of a side of one cell, of which `image_px` is a multiple."""
        return self.image_px // self.grid


COMMANDS = {"boxes": "detect", "masks": "segment"}  # by what a model's tower finds


def check_encodes(image: ImageTowerConfig | None, name: str) -> None:
    """Raises MissingCapability for a model whose tower finds things, where vectors of whole pictures are asked for."""
    if image is not None and image.finds is not None:
        command = COMMANDS[image.finds]
        raise MissingCapability(
            f"{name!r} is a model that finds {image.finds}; its vectors are no space to search, index or classify in. "
            f"Use it with: seesay {command} --model {name}; for all else take a model that encodes (seesay models list)"
        )


class PatchTowerConfig(ImageTowerConfig):
    """Base of configurations of transformers whose tokens are square patches of the image."""

    is_sequence: ClassVar[bool] = True

    patch_px: int
    width: int
    depth: int
    heads: int
    projection: Projection

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if self.patch_px > self.image_px:
            raise InputError(f"expected a patch_px within image_px, got {self.patch_px} and {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // self.patch_px

    @property
    def cell_px(self) -> int:
        return self.patch_px

    @property
    def feature_width(self) -> int:
        return self.width

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    @property
    def layers(self) -> int:
        return self.depth

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)  # type: ignore[type-var]


class TextTowerConfig(TowerConfig):
    """Base of text towers' configurations. follows_image_activation: an activation that is stated for the image tower alone
    holds for this one too."""

    vocabulary: int
    follows_image_activation: ClassVar[bool] = False

    @property
    def max_tokens(self) -> int | None:
        """Most tokens of a text; None where there is no limit."""
        return None

    @property
    def pad_id(self) -> int | None:
        """The id that the tower masks as padding; None where it masks none."""
        return None

    @property
    def end_id(self) -> int | None:
        """The id at whose first occurrence the tower pools, so that every text must have it; None where it pools otherwise."""
        return None

    @property
    def needs_full_length(self) -> bool:
        """True where every text must be padded to `max_tokens`."""
        return False
