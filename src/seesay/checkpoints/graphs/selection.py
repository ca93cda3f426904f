"""Selects, from the names of a repository's files, the graphs of one model and the files that describe them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from seesay.errors import DownloadError

LayoutName = Literal["transformers.js", "immich"]
FULL = "fp32"  # the variant without a suffix, which is taken where the caller names none
# Beside the graphs of transformers.js, in the folder above them. The tokenizer's older files count where there is no other.
TRANSFORMERS_FILES = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
GRAPH = re.compile(r"(vision_model|text_model|model)(?:_([a-z0-9]+))?\.onnx")
PAIR = {"vision_model", "text_model"}
IMMICH_GRAPHS = ("visual/model.onnx", "textual/model.onnx")
IMMICH_OTHERS = (".armnn", ".rknn")  # for other engines


@dataclass(frozen=True)
class GraphFiles:
    """The files of one model, by name within its repository.

    image, text: the graphs of the towers, or one and the same graph of both. descriptions: configurations and the tokenizer.
    weights: files in which the graphs may keep weights.
    """

    layout: LayoutName
    variant: str
    image: str
    text: str
    descriptions: tuple[str, ...]
    weights: tuple[str, ...]

    @property
    def is_one_graph(self) -> bool:
        """True where one graph has both towers."""
        return self.image == self.text

    @property
    def names(self) -> list[str]:
        """All of them, sorted."""
        return sorted({self.image, self.text, *self.descriptions, *self.weights})


def find_graphs(names: Iterable[str], variant: str | None = None, repo: str = "the folder") -> GraphFiles | None:
    """The graphs among these names; None where none are of a known layout.

    variant: such as "quantized"; by default "fp32", or the only one. Raises DownloadError where there are several to choose
    from, where the wanted one is missing, and where one tower is.
    """
    names = sorted(names)
    found = [*_transformers(names), *_immich(names)]
    lone = _lone_graphs(names) if not found else ()
    if lone:
        raise DownloadError(f"{repo} has {', '.join(lone)} without the graph of the other tower; expected {EXPECTED}")
    if not found:
        if variant is not None:
            raise DownloadError(f"{repo} has no graphs of which {variant!r} could be a variant; expected {EXPECTED}")
        return None
    if variant is not None:
        chosen = [files for files in found if files.variant == variant]
        if not chosen:
            raise DownloadError(f"{repo} has no variant {variant!r}; it has {_listed(found)}")
    else:
        chosen = [files for files in found if files.variant == FULL] or found
    if len(chosen) > 1:
        raise DownloadError(
            f"{repo} has several graphs to choose from: {_listed(chosen)}. Say which: variant={chosen[0].variant!r}, "
            f"in a shell --variant {chosen[0].variant}"
        )
    return chosen[0]


def variant_of(graph: str) -> str | None:
    """The variant whose graph has this name; None where it is no graph's name."""
    match = GRAPH.fullmatch(PurePosixPath(graph).name)
    return None if match is None else match[2] or FULL


EXPECTED = (
    "onnx/vision_model.onnx and onnx/text_model.onnx, or onnx/model.onnx with both (transformers.js), or visual/model.onnx and "
    "textual/model.onnx (immich)"
)


def _transformers(names: list[str]) -> Iterator[GraphFiles]:
    """The variants of one model: pairs of graphs, and graphs of both towers where there is no pair."""
    for folder in ("onnx/", ""):
        graphs: dict[str, dict[str, str]] = {}
        for name in names:
            match = GRAPH.fullmatch(name.removeprefix(folder)) if name.startswith(folder) else None
            if match is not None:
                graphs.setdefault(match[2] or FULL, {})[match[1]] = name
        for variant, parts in graphs.items():
            if parts.keys() >= PAIR:
                image, text = (parts[part] for part in ("vision_model", "text_model"))
            elif "model" in parts:
                image = text = parts["model"]
            else:
                continue
            descriptions = tuple(name for name in names if name in TRANSFORMERS_FILES)
            weights = tuple(name for name in names if name.startswith((*_data(image), *_data(text))))
            yield GraphFiles("transformers.js", variant, image, text, descriptions, weights)
        if graphs:
            return


def _data(graph: str) -> tuple[str, str]:
    """The beginnings of the names that exporters give to the weights of a graph."""
    return f"{graph}_data", f"{graph}.data"


def _immich(names: list[str]) -> Iterator[GraphFiles]:
    if not {*IMMICH_GRAPHS} <= {*names}:
        return
    beside = [name for name in names if PurePosixPath(name).parent.as_posix() in ("visual", "textual")]
    beside = [name for name in beside if name not in IMMICH_GRAPHS and not name.endswith(IMMICH_OTHERS)]
    descriptions = {"config.json"} & {*names} | {name for name in beside if name.endswith((".json", ".txt"))}
    weights = tuple(name for name in beside if name not in descriptions)
    yield GraphFiles("immich", FULL, *IMMICH_GRAPHS, tuple(sorted(descriptions)), weights)


def _lone_graphs(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name in names if GRAPH.fullmatch(name.removeprefix("onnx/")) or name in IMMICH_GRAPHS)


def _listed(found: list[GraphFiles]) -> str:
    return ", ".join(f"{files.variant} ({', '.join(dict.fromkeys((files.image, files.text)))})" for files in found)
