"""`Layout`: a record of how a repository of graphs describes its model, and `Statement`, what its files say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seesay.checkpoints.graphs.header import GraphHeader
from seesay.checkpoints.graphs.selection import GraphFiles, LayoutName
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import preset
from seesay.errors import CheckpointError
from seesay.images.spec import ImageSpec
from seesay.models.fields import Modality
from seesay.models.logits import ScoreKind
from seesay.tokenizers.spec import TokenizerSpec


@dataclass(frozen=True)
class Statement:
    """What the files beside the graphs say of their model; None for what they leave open.

    source: the configuration's file, for messages. image_px: the image tower's own size. vocabulary: number of the text tower's
    pieces. end: the id at which it pools. tokenizer: a tokenizer.json.
    """

    source: Path
    image_spec: ImageSpec
    image_px: int | None
    dim: int | None
    vocabulary: int
    end: int | None
    tokenizer: bytes
    tokenizer_spec: TokenizerSpec
    score: ScoreKind
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A layout of repositories, listed in `layouts.LAYOUTS`.

    outputs: names of each tower's embedding, the preferred one first; empty where a graph has one output. logits: the name of
    the output of both towers' scaled cosines. describe: given the folder and the graphs' headers; raises CheckpointError.
    """

    name: LayoutName
    title: str
    outputs: Mapping[Modality, tuple[str, ...]]
    logits: str | None
    describe: Callable[[Path, GraphFiles, Mapping[Modality, GraphHeader], Overrides], Statement]


def chosen_spec(spec: ImageSpec | None, image_px: int | None, overrides: Overrides, file: Path) -> ImageSpec:
    """The files' preprocessing, or the caller's. Raises CheckpointError where there is neither."""
    if (rule := overrides.preprocessing) is not None:
        if isinstance(rule, ImageSpec):
            return rule
        if image_px is None:
            raise CheckpointError(f"preprocessing={rule!r} needs the size of pictures, which no file states; pass an ImageSpec")
        return preset(rule, image_px)
    if spec is None:
        raise CheckpointError(
            f"there is no {file}, which says how pictures are prepared. Fetch it from where the graphs are from, or pass "
            "preprocessing='openai' (shorter side, centre crop), 'chinese-clip' (squashed) or an ImageSpec; in a shell, "
            "--preprocessing openai or chinese-clip"
        )
    return spec
