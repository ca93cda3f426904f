"""`Settings`: how a drawing is made."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from seesay.errors import InputError
from seesay.system.schema import Bounded, Bounds

Mode = Literal["strokes", "shapes", "pixels"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Settings(Bounded):
    """How a drawing is made. strokes: how many strokes or shapes. views: random looks at the drawing in each step. The same
    seed gives the same drawing on one machine. Raises InputError for values that are none of these."""

    mode: Mode = "shapes"
    strokes: Annotated[int, Bounds(1, 2048)] = 64
    steps: Annotated[int, Bounds(1, 10_000)] = 150
    seed: Annotated[int, Bounds(0, 2**31 - 1)] = 0
    views: Annotated[int, Bounds(1, 64)] = 4

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"expected a mode of {', '.join(MODES)}, got {self.mode!r}")
        super().__post_init__()
