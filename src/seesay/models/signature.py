"""`Signature`: how a graph that others exported is called: its file, its input and output, its batches."""

from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Literal

from seesay.errors import InputError
from seesay.models.fields import Size
from seesay.system.schema import Bounded, Bounds

Number = Literal["float32", "float16", "int64", "int32"]


@dataclass(frozen=True)
class Mask(Bounded):
    """A second input of a text graph: 1 at a text's ids, 0 at its padding. ends_with_pad: a text ends with `pad_id` itself."""

    input: str
    dtype: Number
    pad_id: int
    ends_with_pad: bool = False


@dataclass(frozen=True)
class Signature(Bounded):
    """The call of one tower's graph.

    file: in the model's folder, with "/" between its parts. dtype: of the input. output: a matrix (B, width), of any width
    where that is 0. batch: the only number of rows that a run may have; None: any. Raises InputError for a file outside the
    folder.
    """

    file: str
    input: str
    dtype: Number
    output: str
    width: Annotated[int, Bounds(least=0)]
    batch: Size | None = None
    mask: Mask | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = {*PurePosixPath(self.file).parts, *PureWindowsPath(self.file).parts}
        absolute = PurePosixPath(self.file).is_absolute() or PureWindowsPath(self.file).drive or self.file.startswith("\\")
        if not self.file or ".." in parts or absolute or "\0" in self.file:
            raise InputError(f"expected file: a name within the model's folder, got {self.file!r}")
