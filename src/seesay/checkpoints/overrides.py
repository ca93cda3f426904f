"""`Overrides`: facts about a checkpoint that the caller states and its tensors cannot show."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.checkpoints.preprocessing import Preprocessing
from seesay.errors import CheckpointError, InputError
from seesay.images.spec import ImageSpec
from seesay.models.fields import Activation


@dataclass(frozen=True)
class Overrides:
    """Facts that a checkpoint's tensors cannot show. None means unspecified.

    They win over a configuration file. `architecture`: a name in the catalogue. `text_activation`: where it differs from
    `activation`. `image_px`, `context_length`: another resolution or length than the weights were trained at, for which
    learned positions are resized as OpenCLIP does. `variant`: of graphs that others exported, such as "quantized". `scale`,
    `bias`: the factor of cosines and what is added to them, which such graphs do not hold. `entry`: the catalogue's entry of
    these very weights, for what neither the files nor the caller specify.
    """

    architecture: str | None = None
    activation: Activation | None = None
    text_activation: Activation | None = None
    image_heads: int | None = None
    text_heads: int | None = None
    preprocessing: Preprocessing | ImageSpec | None = None
    image_px: int | None = None
    context_length: int | None = None
    name: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] | None = None
    variant: str | None = None
    scale: float | None = None
    bias: float | None = None
    entry: CatalogModel | None = None

    def require(self, *names: str) -> None:
        """Raises CheckpointError that lists which of these fields are unspecified, and how to pass them."""
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise CheckpointError(
                f"nothing says {', '.join(missing)}, which the tensors cannot show. Pass "
                + ", ".join(f"{name}={EXAMPLES[name]}" for name in missing)
                + "; or architecture=NAME, the name of its architecture in the catalogue (seesay models architectures), with "
                "preprocessing. On the command line: seesay models convert, with the same as options"
            )

    def or_else(self, defaults: "Overrides") -> "Overrides":
        """These overrides, with unspecified fields taken from `defaults`."""
        return Overrides(**{f.name: getattr(defaults if getattr(self, f.name) is None else self, f.name) for f in fields(self)})


def overrides_of(values: Mapping[str, Any], entry: CatalogModel | None) -> Overrides:
    """The overrides among the arguments of `seesay.load`. Raises InputError for a name that is none of them."""
    names = {field.name for field in fields(Overrides)} - {"entry"}
    if unknown := sorted(values.keys() - names):
        raise InputError(f"load() does not know {', '.join(unknown)}; about a checkpoint it takes {', '.join(sorted(names))}")
    return Overrides(**values, entry=entry)


EXAMPLES = {"activation": "'gelu' or 'quick_gelu'", "image_heads": "12", "text_heads": "8", "preprocessing": "'openai'"}
