"""Makes a SeeSay folder of graphs that others exported: its configuration, its vocabulary, and the graphs themselves.

The graphs are links to the files where they were, or copies where the file system has none: hubs keep the weights of a graph
under other names than it calls them by, and ONNX Runtime follows no links out of a folder.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from seesay.checkpoints.graphs.cut import cut
from seesay.checkpoints.graphs.header import GraphHeader
from seesay.checkpoints.graphs.layout import Layout, Statement
from seesay.checkpoints.graphs.layouts import LAYOUTS
from seesay.checkpoints.graphs.selection import FULL, GraphFiles
from seesay.checkpoints.graphs.signatures import find_signatures, read_headers
from seesay.checkpoints.graphs.trial import Trial, measured_logits, try_out
from seesay.checkpoints.hub.graphs import published_scale
from seesay.checkpoints.hub.repository_name import repository_name
from seesay.checkpoints.overrides import Overrides
from seesay.engines import external_data
from seesay.errors import CheckpointError, ModelError, first_sentence
from seesay.models.config import ImageConfig, ModelConfig, TextConfig, WeightSource, make_space_id
from seesay.models.families.foreign.config import ForeignImageConfig, ForeignTextConfig
from seesay.models.fields import Modality
from seesay.models.signature import Signature
from seesay.system.schema import to_json

TAKEN = ("variant", "scale", "bias", "preprocessing", "context_length", "name", "licence", "languages", "entry")
BLOCK = 1 << 20  # bytes


def read_statement(
    path: Path, files: GraphFiles, overrides: Overrides
) -> tuple[Layout, dict[Modality, GraphHeader], Statement, dict[Modality, Signature]]:
    """What the files say and how the graphs are called, without running them. Raises CheckpointError."""
    refused = [name for name, value in vars(overrides).items() if value is not None and name not in TAKEN]
    if refused:
        raise CheckpointError(f"{path} holds graphs, which compute as they were exported; leave out {', '.join(refused)}")
    layout, headers = LAYOUTS[files.layout], read_headers(path, files)
    statement = layout.describe(path, files, headers, overrides)
    return layout, headers, statement, find_signatures(headers, files, layout, statement)


def write_folder(path: Path, files: GraphFiles, folder: Path, overrides: Overrides) -> None:
    """Writes a SeeSay folder of the graphs in `path` into a new, empty folder. Raises CheckpointError."""
    layout, headers, statement, signatures = read_statement(path, files, overrides)
    digests = {name: _bring(path, name, folder) for name in sorted({files.image, files.text})}
    if files.image == files.text:
        signatures = _cut(folder, signatures)
    trial = _tried(folder, headers, signatures, statement)
    logits = _logits(folder, files, layout, headers, statement, trial, overrides)
    if files.image == files.text:
        (folder / files.image).unlink()
    config = _config(path, files, layout, headers, statement, trial, digests, overrides)
    config = replace(config, logit_scale=math.log(logits[0]), logit_bias=logits[1]) if logits else config
    (folder / "tokenizer.json").write_bytes(statement.tokenizer)
    (folder / "config.json").write_text(json.dumps(to_json(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _logits(
    folder: Path,
    files: GraphFiles,
    layout: Layout,
    headers: Mapping[Modality, GraphHeader],
    statement: Statement,
    trial: Trial,
    overrides: Overrides,
) -> tuple[float, float | None] | None:
    """The scale and bias of cosines: the caller's, a graph's own, or the authors' published ones; None where nobody says."""
    scale, bias = overrides.scale, overrides.bias
    if scale is not None or bias is not None:
        if scale is None or not 0 < scale < math.inf or (bias is None) != (statement.score == "softmax"):
            needed = (
                "a positive scale alone" if statement.score == "softmax" else "a positive scale and a bias, which go together"
            )
            raise CheckpointError(f"expected {needed}, got scale={scale} and bias={bias}")
        return scale, bias
    if files.image == files.text and layout.logits in {port.name for port in headers["image"].outputs}:
        return measured_logits(files.image, folder, trial, str(layout.logits), statement)
    published = None if overrides.entry is None else published_scale(overrides.entry)
    return None if published is None else (published, None)


def _cut(folder: Path, signatures: Mapping[Modality, Signature]) -> dict[Modality, Signature]:
    """The towers of one graph as two. Raises CheckpointError where one needs the other's input."""
    parts: dict[Modality, Signature] = {}
    for tower, signature in signatures.items():
        whole = folder / signature.file
        part = whole.with_name(f"{whole.stem}.{tower}.onnx")
        cut(whole, signature.output, part)
        parts[tower] = replace(signature, file=part.relative_to(folder).as_posix())
    return parts


def _tried(
    folder: Path, headers: Mapping[Modality, GraphHeader], signatures: dict[Modality, Signature], statement: Statement
) -> Trial:
    try:
        return try_out(folder, signatures, statement)
    except ModelError as error:
        opset = max(header.opset for header in headers.values())
        if "opset" in str(error).lower():
            from seesay.engines.onnx import runtime

            raise CheckpointError(
                f"the graphs need opset {opset} of ONNX's operators, which ONNX Runtime {runtime().__version__} does not run. "
                "Update it (pip install -U onnxruntime), or take a graph that was exported with opset_version=17"
            ) from None
        raise


def _bring(path: Path, name: str, folder: Path) -> str:
    """Links a graph and the files of its weights into the folder -> a SHA-256 over all of them. Raises CheckpointError."""
    graph = path / name
    sha256 = hashlib.sha256()
    beside = {graph.parent.resolve(), graph.resolve().parent}  # in a hub's cache, the latter holds the contents
    for location in ["", *external_data.locations(graph)]:
        source = graph if not location else graph.parent / location
        fault = external_data.name_fault(location) if location else None
        if fault is None and not source.is_file():
            fault = "there is no such file in its folder"
        if fault is None and location and not any(source.resolve().is_relative_to(place) for place in beside):
            fault = f"it is a link out of its folder, to {source.resolve()}"
        if fault is not None:
            raise CheckpointError(f"{graph} keeps a weight in {location!r}: {fault}. It is not opened")
        target = folder / Path(name).parent / (location or graph.name)
        _link(source.resolve(), target)
        sha256.update(_digest(target))
    return sha256.hexdigest()


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # weights that two graphs share
        return
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise ModelError(f"cannot copy {source} to {target}: {first_sentence(error)}") from None


def _digest(file: Path) -> bytes:
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            sha256.update(block)
    return sha256.digest()


def _config(
    path: Path,
    files: GraphFiles,
    layout: Layout,
    headers: Mapping[Modality, GraphHeader],
    statement: Statement,
    trial: Trial,
    digests: Mapping[str, str],
    overrides: Overrides,
) -> ModelConfig:
    entry, spec = overrides.entry, statement.image_spec
    numbers = {tower: sum(header.numbers.values()) for tower, header in headers.items()}
    image: ImageConfig = ForeignImageConfig("foreign-image", spec.size_px, trial.signatures["image"], numbers["image"])
    text: TextConfig = ForeignTextConfig(
        "foreign-text",
        vocabulary=statement.vocabulary or _pieces(statement),
        positions=trial.tokenizer_spec.context_length,
        signature=trial.signatures["text"],
        end=statement.end if trial.tokenizer_spec.end == "kept" else None,
        numbers=numbers["text"],
    )
    licence = overrides.licence or (entry.licence.name if entry else None) or "unknown"
    padded = replace(trial.tokenizer_spec, padding="context")  # a difference below the measured one makes no other space
    sources = "".join(digests[name] for name in (files.image, files.text))
    return ModelConfig(
        format_version=1,
        name=overrides.name or _name(path, files),
        dim=trial.signatures["image"].width,
        image=image,
        text=text,
        image_spec=spec,
        tokenizer_spec=trial.tokenizer_spec,
        logit_scale=None,
        logit_bias=None,
        score=statement.score,
        precision={tower: precision(files, header) for tower, header in headers.items()},
        languages=overrides.languages or (entry.languages if entry else statement.languages),
        licence=licence,
        provenance=tuple(WeightSource(name, layout.title, licence, sha256) for name, sha256 in digests.items()),
        space_id=make_space_id(None, None, spec, padded, tokenizer=statement.tokenizer, sources=sources),
    )


def _pieces(statement: Statement) -> int:
    import tokenizers

    backend = tokenizers.Tokenizer.from_buffer(statement.tokenizer)
    return max(backend.get_vocab(with_added_tokens=True).values()) + 1


def _name(path: Path, files: GraphFiles) -> str:
    name = repository_name(path) or path.resolve().name
    return name if files.variant == FULL else f"{name} ({files.variant})"


def precision(files: GraphFiles, header: GraphHeader) -> str:
    """How a graph's weights are stored: its variant's name or, of the one without a name, the type of most of its numbers."""
    if files.variant != FULL:
        return {"fp16": "float16"}.get(files.variant, files.variant)
    return max(header.numbers, key=header.numbers.__getitem__, default="float32")
