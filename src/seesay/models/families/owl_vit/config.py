"""Configuration of OWL-ViT's and OWLv2's image tower."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from seesay.models.families.vit.config import VitConfig


@dataclass(frozen=True)
class OwlVitConfig(VitConfig):
    """CLIP's Vision Transformer with heads on its patches (Minderer et al. 2022): a class vector in the space of the texts, how
    sure it is, and a box. objectness: OWLv2's further head (Minderer et al. 2023), which says whether there is a thing at all.
    """

    overridable: ClassVar[frozenset[str]] = frozenset()
    finds: ClassVar[Literal["boxes"]] = "boxes"

    kind: Literal["owl-vit"]  # type: ignore[assignment]
    objectness: bool = field(default=False, kw_only=True)

    @property
    def has_dense(self) -> bool:
        return False

    def further_outputs(self, dim: int) -> dict[str, list[int]]:
        return {"regions": [self.grid**2, dim + 6 + self.objectness]}
