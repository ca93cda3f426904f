"""What a checkpoint's source says about a model, before its weights are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from seesay.catalog import CatalogModel
from seesay.config import Activation, ImageConfig, ImageSpec, TextConfig, TokenizerSpec
from seesay.errors import CheckpointError
from seesay.tokenizers.vocabulary import VocabularyName

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
Preprocessing = Literal["openai", "chinese-clip"]
PREPROCESSINGS: tuple[Preprocessing, ...] = ("openai", "chinese-clip")


@dataclass(frozen=True)
class Description:
    """`tokenizer`: a packaged vocabulary, or "folder" for the tokenizer files beside the weights."""

    dim: int
    image: ImageConfig | None
    text: TextConfig | None
    image_spec: ImageSpec | None
    tokenizer_spec: TokenizerSpec | None
    tokenizer: VocabularyName | Literal["folder"] | None
    source: str
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """What the caller says about a checkpoint, or a rule of its source. None: nobody said so.

    What is said wins over what a configuration says. `architecture`: a name in the catalogue. `image_px`, `context_length`:
    another resolution or length than the weights were trained at, for which learned positions are resized as OpenCLIP does.
    `entry`: the catalogue's entry of these very weights, for what neither the files nor the caller say.
    """

    architecture: str | None = None
    activation: Activation | None = None
    text_activation: Activation | None = None  # where it differs
    image_heads: int | None = None
    text_heads: int | None = None
    preprocessing: "Preprocessing | ImageSpec | None" = None
    image_px: int | None = None
    context_length: int | None = None
    name: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] | None = None
    entry: CatalogModel | None = None

    def require(self, *names: str) -> None:
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise CheckpointError(
                f"nothing says {', '.join(missing)}, which the tensors cannot show. Pass "
                + ", ".join(f"{name}={EXAMPLES[name]}" for name in missing)
                + "; or architecture=NAME, the name of its architecture in the catalogue (seesay models architectures)"
            )

    def or_else(self, rule: "Said") -> "Said":
        """Gaps filled from a rule."""
        return Said(**{f.name: getattr(rule if getattr(self, f.name) is None else self, f.name) for f in fields(self)})


EXAMPLES = {"activation": "'gelu' or 'quick_gelu'", "image_heads": "12", "text_heads": "8", "preprocessing": "'openai'"}


def preset(name: str, size_px: int) -> ImageSpec:
    """A published preprocessing: "openai" (shorter side, centre crop) or "chinese-clip" (squashed); both bicubic."""
    if name not in PREPROCESSINGS:
        raise CheckpointError(f"preprocessing is one of {', '.join(PREPROCESSINGS)} or an ImageSpec, got {name!r}")
    return ImageSpec(
        size_px=size_px,
        resize="shortest" if name == "openai" else "squash",
        resize_px=size_px,
        interpolation="bicubic",
        mean=CLIP_MEAN,
        std=CLIP_STD,
    )


class Settings:
    """A foreign configuration: values by key, with every fault collected and unknown ways of working refused."""

    def __init__(self, values: Mapping[str, Any], at: str, faults: list[str]) -> None:
        self.values, self.at, self.faults = values, at, faults

    def number(self, key: str, default: float | None = None) -> Any:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.faults.append(f"{self.at}.{key}: expected a number, got {value!r}")
            return 1
        return value

    def choice(self, key: str, known: Mapping[Any, Any], default: Any = None) -> Any:
        value = self.values.get(key, default)
        if value not in known:
            self.faults.append(f"{self.at}.{key}: {value!r} is not one of {', '.join(map(repr, known))}")
            return next(iter(known.values()))
        return known[value]

    def side(self, key: str, default: int | None = None) -> int:
        """A side in pixels, given as a number or as two equal ones."""
        value = self.values.get(key, default)
        if isinstance(value, list | tuple) and len(value) == 2 and value[0] == value[1]:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int):
            self.faults.append(f"{self.at}.{key}: expected pixels, the same for both sides, got {value!r}")
            return 1
        return value

    def refuse(self, key: str, unless: Callable[[Any], bool], why: str) -> None:
        if key in self.values and not unless(self.values[key]):
            self.faults.append(f"{self.at}.{key} = {self.values[key]!r}: {why}")


def check(faults: list[str], name: str) -> None:
    if faults:
        raise CheckpointError(f"{name} cannot be followed:\n" + "\n".join(f"  {fault}" for fault in faults))
