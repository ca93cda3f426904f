"""`Format`: a record of everything that SeeSay needs to recognise, read, describe and write one checkpoint format."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.names import Table
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import Preprocessing
from seesay.checkpoints.shapes import Shapes
from seesay.images.spec import ImageSpec
from seesay.models.config import ModelConfig


@dataclass(frozen=True)
class Evidence:
    """The facts from which a checkpoint is described before its tensors are read. shapes: by native tensor names."""

    weights: Weights
    shapes: Shapes
    overrides: Overrides

    @property
    def folder(self) -> Path:
        """The folder of the weights, where configuration files are looked for."""
        return self.weights.path.parent


@dataclass(frozen=True)
class ForeignModel:
    """A model in a foreign format's terms. title: the format's. files: name -> text, or an object to be written as JSON."""

    title: str
    table: Table
    files: Mapping[str, Any]


@dataclass(frozen=True)
class Writer:
    """Writes models for another library.

    target: the library's name in `convert_to` and `seesay models convert --to`. weights_file: the name of the file with the
    weights. translate: from a model's configuration and its tokenizer.json; raises CheckpointError with every reason why
    the format cannot express the model exactly.
    """

    target: str
    weights_file: str
    translate: Callable[[ModelConfig, bytes | None], ForeignModel]


@dataclass(frozen=True)
class Format:
    """A checkpoint format, listed in `registry.FORMATS`.

    name: for code. title: for people, and stored as a model's provenance.
    recognises: whether weights are of this format, given that no format before it in the registry claims them.
    table: the rows from a file's tensor names to native ones, given those names.
    configuration: the description in files beside the weights, or None where there are none.
    rule: the description by the format's own conventions, where neither files nor the catalogue describe the weights.
    Both raise CheckpointError, which says what is missing or cannot be followed.
    model_types: values of `model_type` in a config.json beside that this format reads. Weights of other types are refused
    where this is not empty, since model families of transformers share tensor names.
    layout: the weights as the table reads them, where a file stores them in a way that no row can express.
    preprocessing: the rule that all models of this format share. preprocessing_file: reads preprocessing from a file of a
    folder, given the image tower's size in pixels; None where there is no such file.
    writer: None where nothing is written in this format. Formats of one library share one.
    """

    name: str
    title: str
    recognises: Callable[[Weights], bool]
    table: Callable[[Collection[str]], Table]
    rule: Callable[[Evidence], Description]
    configuration: Callable[[Evidence], Description | None] | None = None
    model_types: frozenset[str] = frozenset()
    layout: Callable[[Weights], Weights] | None = None
    preprocessing: Preprocessing | None = None
    preprocessing_file: Callable[[Path, int], ImageSpec | None] | None = None
    writer: Writer | None = None

    def laid_out(self, weights: Weights) -> Weights:
        """Weights of this format, as its table reads them."""
        return weights if self.layout is None else self.layout(weights)


def has_any(*marks: str) -> Callable[[Weights], bool]:
    """Recognises weights that have any of these tensor names."""
    return lambda weights: any(mark in weights.names for mark in marks)
