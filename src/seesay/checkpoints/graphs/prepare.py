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
from seesay.checkpoints.graphs.local import LocalGraphs
from seesay.checkpoints.graphs.reading import Reading, read
from seesay.checkpoints.graphs.selection import FULL, GraphFiles
from seesay.checkpoints.graphs.trial import Trial, measured_logits, try_out
from seesay.checkpoints.hub.graphs import graph_repositories, published_scale
from seesay.checkpoints.hub.repository_name import repository_name
from seesay.checkpoints.overrides import Overrides
from seesay.engines import external_data
from seesay.engines.onnx import runtime
from seesay.errors import CheckpointError, ModelError, first_sentence
from seesay.models.config import ModelConfig, WeightSource, make_space_id
from seesay.models.families.foreign.config import ForeignImageConfig, ForeignTextConfig
from seesay.models.fields import Modality
from seesay.models.signature import Signature
from seesay.system.schema import to_json

BLOCK = 1 << 20  # bytes


def write_folder(graphs: LocalGraphs, folder: Path, overrides: Overrides) -> None:
    """Writes a SeeSay folder of these graphs into a new, empty folder. Raises CheckpointError."""
    reading = read(graphs, overrides)
    if overrides.entry is None:
        overrides = replace(overrides, entry=graph_repositories().get((repository_name(graphs.folder) or "").lower()))
    files, signatures = graphs.files, reading.signatures
    digests = {name: _bring(graphs.folder, name, folder) for name in sorted({files.image, files.text})}
    if files.is_one_graph:
        signatures = _cut(folder, signatures)
    trial = _tried(folder, signatures, reading)
    logits = _logits(folder, trial, reading, overrides)
    if files.is_one_graph:
        (folder / files.image).unlink()
    config = _config(trial, digests, reading, overrides)
    if logits is not None:
        config = replace(config, logit_scale=math.log(logits[0]), logit_bias=logits[1])
    (folder / "tokenizer.json").write_bytes(reading.statement.tokenizer)
    (folder / "config.json").write_text(json.dumps(to_json(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _logits(folder: Path, trial: Trial, reading: Reading, overrides: Overrides) -> tuple[float, float | None] | None:
    """The scale and bias of cosines: the caller's, a graph's own, or the authors' published ones; None where nobody says."""
    scale, bias, is_softmax = overrides.scale, overrides.bias, reading.statement.score == "softmax"
    if scale is not None or bias is not None:
        if scale is None or not 0 < scale < math.inf or (bias is None) != is_softmax:
            needed = "a positive scale alone" if is_softmax else "a positive scale and a bias, which go together"
            raise CheckpointError(f"expected {needed}, got scale={scale} and bias={bias}")
        return scale, bias
    files, output = reading.graphs.files, reading.layout.logits
    if files.is_one_graph and output in {port.name for port in reading.headers["image"].outputs}:
        return measured_logits(files.image, folder, trial, str(output), reading.statement)
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


def _tried(folder: Path, signatures: dict[Modality, Signature], reading: Reading) -> Trial:
    try:
        return try_out(folder, signatures, reading.statement)
    except ModelError as error:
        opset = max(header.opset for header in reading.headers.values())
        if "opset" in str(error).lower():
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


def _config(trial: Trial, digests: Mapping[str, str], reading: Reading, overrides: Overrides) -> ModelConfig:
    files, statement, entry = reading.graphs.files, reading.statement, overrides.entry
    numbers = {tower: sum(header.numbers.values()) for tower, header in reading.headers.items()}
    spec, texts = statement.image_spec, trial.tokenizer_spec
    licence = overrides.licence or (entry.licence.name if entry else None) or "unknown"
    padded = replace(texts, padding="context")  # a difference below the measured one makes no other space
    sources = "".join(digests[name] for name in (files.image, files.text))
    return ModelConfig(
        format_version=1,
        name=overrides.name or _name(reading.graphs),
        dim=trial.signatures["image"].width,
        image=ForeignImageConfig("foreign-image", spec.size_px, trial.signatures["image"], numbers["image"]),
        text=ForeignTextConfig(
            "foreign-text",
            vocabulary=statement.vocabulary,
            positions=texts.context_length,
            signature=trial.signatures["text"],
            end=statement.end if texts.end == "kept" else None,
            numbers=numbers["text"],
        ),
        image_spec=spec,
        tokenizer_spec=texts,
        logit_scale=None,
        logit_bias=None,
        score=statement.score,
        precision={tower: _precision(files, header) for tower, header in reading.headers.items()},
        languages=overrides.languages or (entry.languages if entry else statement.languages),
        licence=licence,
        provenance=tuple(WeightSource(name, reading.layout.title, licence, sha256) for name, sha256 in digests.items()),
        space_id=make_space_id(None, None, spec, padded, tokenizer=statement.tokenizer, sources=sources),
    )


def _name(graphs: LocalGraphs) -> str:
    name = repository_name(graphs.folder) or graphs.folder.resolve().name
    return name if graphs.files.variant == FULL else f"{name} ({graphs.files.variant})"


def _precision(files: GraphFiles, header: GraphHeader) -> str:
    """How a graph's weights are stored: its variant's name or, of the one without a name, the type of most of its numbers."""
    if files.variant != FULL:
        return {"fp16": "float16"}.get(files.variant, files.variant)
    return max(header.numbers, key=header.numbers.__getitem__, default="float32")
