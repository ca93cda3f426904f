"""Describes a checkpoint's file, tower by tower, without running it; from its header alone where there is one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seesay.checkpoints import shapes
from seesay.checkpoints.containers import outputs
from seesay.checkpoints.containers.weights import Weights, open_weights
from seesay.checkpoints.diffusion.folder import is_diffusers_folder
from seesay.checkpoints.diffusion.generator import Generator, file_generator, folder_generator
from seesay.checkpoints.diffusion.parts import PHRASES, kind_of
from seesay.checkpoints.formats.registry import recognise
from seesay.checkpoints.graphs.layouts import LAYOUTS
from seesay.checkpoints.graphs.local import LocalGraphs, local_graphs
from seesay.checkpoints.graphs.reading import read
from seesay.checkpoints.graphs.signatures import read_headers
from seesay.checkpoints.names import account
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, native_shapes, read_checkpoint
from seesay.errors import CheckpointError, InputError, MissingExtra
from seesay.models.config import ModelConfig, is_model_folder, read_config
from seesay.models.size import parameters
from seesay.system.schema import to_json

GRAPHS = "graphs"  # how the kind of a folder of graphs begins
GUESSED = Overrides(activation="gelu", image_heads=1, text_heads=1)  # lets shapes be read; these values are not shown


@dataclass(frozen=True)
class Inspection:
    """The description of a file. faults: why it cannot be used. unknown: the message about facts that the caller must pass.
    finds: "boxes" or "masks" of an image tower that was trained for that. generator: the text encoders and
    other parts of an image generator's file or folder; the towers are then None."""

    file: Path
    kind: str
    format: str | None
    megabytes: float
    tensors: int
    parameters: int
    dtypes: dict[str, int]
    image: dict[str, Any] | None
    text: dict[str, Any] | None
    dim: int | None
    preprocessing: dict[str, Any] | None
    tokenizer: str | None
    ignored: dict[str, str]
    notes: tuple[str, ...]
    unknown: str | None
    faults: str | None
    finds: str | None = None
    generator: Generator | None = None


def inspect(path: Path, overrides: Overrides | None = None) -> Inspection:
    """Describes any file that can be opened, whatever is wrong with it. Raises CheckpointError, MissingExtra."""
    if is_model_folder(path):
        return _inspect_model_folder(path, read_config(path))
    overrides = overrides or Overrides()
    if (graphs := local_graphs(path, overrides.variant)) is not None:
        return _inspect_graphs(graphs, overrides)
    if is_diffusers_folder(path):
        return _inspect_generator(path, *folder_generator(path, overrides))
    weights = open_weights(path)
    if (made := outputs.stated(weights.path)) is not None:
        told = (f"{name} {value}" for name, value in made.items() if name not in ("format", outputs.KIND))
        return replace(_facts(weights, format=outputs.title(made)), notes=tuple(told))
    if kind_of(weights.names) == "ip_adapter":
        return _facts(weights, format=PHRASES["ip_adapter"])
    if (generator := file_generator(path, weights, overrides)) is not None:
        return _inspect_generator(path, generator, (weights,))
    try:
        recognised = recognise(weights)
    except CheckpointError as error:
        return _facts(weights, faults=str(error))
    laid_out = recognised.laid_out(weights)
    accounted = account(laid_out.names, recognised.table(laid_out.names))
    ignored = dict(accounted.ignored)
    try:
        checkpoint = read_checkpoint(path, weights, overrides)
    except CheckpointError as error:
        tensor_shapes = native_shapes(laid_out, accounted)
        image, text = (_shown(make, tensor_shapes) for make in (shapes.image_config, shapes.text_config))
        return _facts(weights, format=recognised.title, image=image, text=text, ignored=ignored, unknown=str(error))
    faults = None
    try:
        checkpoint.check_towers()
    except MissingExtra:
        pass  # without torch the names and shapes cannot be compared with the towers'
    except CheckpointError as error:
        faults = str(error)
    d = checkpoint.description
    return _facts(
        weights,
        format=recognised.title,
        image=to_json(d.image),
        text=to_json(d.text),
        dim=d.dim,
        preprocessing=to_json(d.image_spec),
        tokenizer=_tokenizer(checkpoint),
        ignored=ignored,
        faults=faults,
        finds=d.image.finds if d.image is not None else None,
    )


def _tokenizer(checkpoint: Checkpoint) -> str | None:
    name = checkpoint.description.tokenizer
    if name == "folder":
        return "beside the weights" if checkpoint.tokenizer() is not None else None
    return f"{name}, comes with SeeSay" if name else None


def _inspect_generator(path: Path, generator: Generator, files: tuple[Weights, ...]) -> Inspection:
    """A generator's file or folder: its text encoders are described, the rest is counted."""
    alone = files[0] if len(files) == 1 and not path.is_dir() else None
    nothing = dict.fromkeys(("image", "text", "dim", "preprocessing", "tokenizer", "unknown"))
    stored = path.stat().st_size / 1e6 if alone is not None and path.is_file() else sum(p.megabytes for p in generator.parts)
    return Inspection(
        **nothing,
        file=path,
        kind=files[0].kind if alone is not None else "folder of a generator",
        format=generator.title,
        megabytes=round(stored, 1),
        tensors=sum(part.tensors for part in generator.parts),
        parameters=sum(part.parameters for part in generator.parts),
        dtypes=dict(Counter(entry.dtype for weights in files for entry in weights.names.values()).most_common()),
        ignored={},
        notes=tuple(note for weights in files for note in weights.notes),
        faults=generator.faults,
        generator=generator,
    )


def _inspect_graphs(graphs: LocalGraphs, overrides: Overrides) -> Inspection:
    """Graphs that others exported, by their headers and the files beside them."""
    files, headers = graphs.files, read_headers(graphs.folder, graphs.files)
    numbers = {header.file: Counter(header.numbers) for header in headers.values()}  # a graph of both towers counts once
    dtypes = sum(numbers.values(), Counter[str]())
    notes = [f"{tower} graph: {'; '.join(map(str, header.inputs))}" for tower, header in headers.items()]
    names = list(dict.fromkeys((files.image, files.text)))
    nothing = dict.fromkeys(("image", "text", "dim", "preprocessing", "tokenizer", "unknown", "faults"))
    facts: dict[str, Any] = {
        "file": graphs.folder,
        "kind": f"{GRAPHS} {', '.join(names)}",
        "format": LAYOUTS[files.layout].title,
        "megabytes": round(sum((graphs.folder / name).stat().st_size for name in {*names, *files.weights}) / 1e6, 1),
        "tensors": 0,
        "parameters": sum(dtypes.values()),
        "dtypes": dict(dtypes.most_common()),
        "ignored": {},
        "notes": (*notes, f"variant {files.variant}; run by ONNX Runtime, without torch; no training"),
    }
    try:
        reading = read(graphs, overrides)
    except CheckpointError as error:
        return Inspection(**{**nothing, **facts, "faults": str(error)})
    towers: dict[str, Any] = {
        str(tower): {"kind": "graph", **to_json(signature)} for tower, signature in reading.signatures.items()
    }
    statement = reading.statement
    facts |= {
        "dim": reading.signatures["image"].width or reading.signatures["text"].width or statement.dim,
        "preprocessing": to_json(statement.image_spec),
        "tokenizer": "beside the graphs",
    }
    return Inspection(**{**nothing, **facts, **towers})


def _inspect_model_folder(folder: Path, config: ModelConfig) -> Inspection:
    whole = (folder / "model.safetensors").is_file()
    exported = {tower.exported.file for tower in (config.image, config.text) if tower is not None and tower.exported}
    files = ["model.safetensors"] if whole else exported or ["image.onnx", "text.onnx"]
    size = sum((folder / name).stat().st_size for name in files if (folder / name).is_file())
    weights = open_weights(folder / "model.safetensors") if whole else None
    return Inspection(
        file=folder,
        kind="SeeSay folder",
        format="SeeSay",
        megabytes=round(size / 1e6, 1),
        tensors=len(weights.names) if weights else 0,
        parameters=weights.elements if weights else _counted(config),
        dtypes=Counter(config.precision.values()),
        image=to_json(config.image),
        text=to_json(config.text),
        dim=config.dim,
        preprocessing=to_json(config.image_spec),
        tokenizer="tokenizer.json" if (folder / "tokenizer.json").is_file() else None,
        ignored={},
        notes=(f"space {config.space_id}",),
        unknown=None,
        faults=None,
        finds=config.image.finds if config.image is not None else None,
    )


def _counted(config: ModelConfig) -> int:
    return sum(parameters(tower, config.dim) for tower in (config.image, config.text) if tower is not None)


def _facts(weights: Weights, **more: Any) -> Inspection:
    nothing = dict.fromkeys(("format", "image", "text", "dim", "preprocessing", "tokenizer", "unknown", "faults"))
    return Inspection(
        **{
            "file": weights.path,
            "kind": weights.kind,
            "megabytes": round(weights.path.stat().st_size / 1e6, 1),
            "tensors": len(weights.names),
            "parameters": weights.elements,
            "dtypes": dict(Counter(entry.dtype for entry in weights.names.values())),
            "notes": (*weights.notes, *([f"prefix {weights.prefix!r} taken off"] if weights.prefix else [])),
            "ignored": {},
            **nothing,
            **more,
        }
    )


def _shown(make: Callable[[shapes.Shapes, Overrides], object], tensor_shapes: shapes.Shapes) -> dict[str, Any] | None:
    """The facts that a tower's shapes show; None where there is no tower, or its shapes fit none."""
    try:
        config = make(tensor_shapes, GUESSED)
    except (CheckpointError, InputError):
        return None
    if config is None:
        return None
    values: dict[str, Any] = to_json(config)
    return {key: None if key in ("heads", "activation") else value for key, value in values.items()}
