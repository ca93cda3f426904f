"""What a checkpoint's source says about a model, before its weights are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.errors import CheckpointError
from seesay.images.spec import MOST_PIXELS, ImageSpec
from seesay.models.config import ImageConfig, TextConfig
from seesay.models.fields import Activation
from seesay.tokenizers.spec import TokenizerSpec
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
                + "; or architecture=NAME, the name of its architecture in the catalogue (seesay models architectures), with "
                "preprocessing. On the command line: seesay models convert, with the same as options"
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
    """A foreign configuration: values by key, with every fault collected and unknown ways of working refused.

    After a fault a value of the right type is returned, so that reading goes on to the next one; `check` then raises.
    """

    def __init__(self, values: object, at: str, faults: list[str]) -> None:
        self.at, self.faults = at, faults
        if not isinstance(values, Mapping):
            faults.append(f"{at or 'configuration'}: expected an object, got {values!r}")
        self.values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}

    def part(self, key: str) -> "Settings":
        """An object inside; nothing and null are an empty one."""
        value = self.values.get(key)
        return Settings({} if value is None else value, self._name(key), self.faults)

    def integer(self, key: str, default: int | None = None, *, least: int = 1, most: int = 10_000_000) -> int:
        value = self.values.get(key, default)
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole or not least <= value <= most:
            self._fault(key, f"expected a whole number from {least} to {most}, got {value!r}")
            return least
        return int(value)

    def number(self, key: str, default: float | None = None) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            self._fault(key, f"expected a positive number, got {value!r}")
            return 1.0
        return float(value)

    def three(self, key: str, default: tuple[float, float, float] | None = None) -> tuple[float, float, float]:
        value = self.values.get(key, default)
        numbers = value if isinstance(value, list | tuple) else ()
        if len(numbers) != 3 or not all(isinstance(one, int | float) for one in numbers):
            self._fault(key, f"expected three numbers, got {value!r}")
            return 1.0, 1.0, 1.0
        return float(numbers[0]), float(numbers[1]), float(numbers[2])

    def choice(self, key: str, known: Mapping[Any, Any], default: Any = None) -> Any:
        value = self.values.get(key, default)
        if isinstance(value, list | dict) or value not in known:
            self._fault(key, f"{value!r} is not one of {', '.join(map(repr, known))}")
            return next(iter(known.values()))
        return known[value]

    def side(self, key: str, default: int | None = None) -> int:
        """A side in pixels, given as a number or as two equal ones: a pair, or height and width."""
        value = self.values.get(key, default)
        sides = [value.get("height"), value.get("width")] if isinstance(value, Mapping) else value
        if isinstance(sides, list | tuple) and len(sides) == 2 and sides[0] == sides[1]:
            sides = sides[0]
        if isinstance(sides, bool) or not isinstance(sides, int) or not 1 <= sides <= MOST_PIXELS:
            self._fault(key, f"expected pixels, at most {MOST_PIXELS} and the same for both sides, got {value!r}")
            return 1
        return sides

    def refuse(self, key: str, unless: Callable[[Any], bool], why: str) -> None:
        if key in self.values and not unless(self.values[key]):
            self.faults.append(f"{self._name(key)} = {self.values[key]!r}: {why}")

    def _fault(self, key: str, fault: str) -> None:
        self.faults.append(f"{self._name(key)}: {fault}")

    def _name(self, key: str) -> str:
        return f"{self.at}.{key}" if self.at else key


def check(faults: list[str], name: str) -> None:
    if faults:
        raise CheckpointError(f"{name} cannot be followed:\n" + "\n".join(f"  {fault}" for fault in faults))
