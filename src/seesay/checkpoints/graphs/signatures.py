"""Finds how a graph is called from its header, and compares that with what the files beside it say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from seesay.checkpoints.graphs.header import GraphHeader, Port, read_header
from seesay.checkpoints.graphs.layout import Layout, Statement
from seesay.checkpoints.graphs.selection import GraphFiles
from seesay.checkpoints.graphs.tokenizer_files import NO_LIMIT
from seesay.errors import CheckpointError
from seesay.models.fields import Modality
from seesay.models.signature import Mask, Number, Signature

MASK = "attention_mask"
FLOATS: dict[str, Number] = {"float32": "float32", "float16": "float16"}
WHOLE: dict[str, Number] = {"int64": "int64", "int32": "int32"}
MOST_PX = 2048  # of a side: the trial must not take all memory
MOST_ROWS = 1024  # of a graph that takes one number of rows only
ACROSS_ROWS = "DynamicQuantizeLinear"  # an operator with one scale for a whole batch, so that each row changes the others


def read_headers(folder: Path, files: GraphFiles) -> dict[Modality, GraphHeader]:
    """The header of each tower; of a graph with both, each tower's part of its inputs. Raises CheckpointError."""
    image = read_header(folder / files.image)
    if files.image != files.text:
        return {"image": image, "text": read_header(folder / files.text)}
    pictures = tuple(port for port in image.inputs if port.dtype not in WHOLE)
    texts = tuple(port for port in image.inputs if port.dtype in WHOLE)
    if not pictures or not texts:
        raise CheckpointError(
            f"{image.file} has the inputs {_listed(image.inputs)}: expected pictures and ids of texts, as of a graph with both "
            "towers"
        )
    return {"image": replace(image, inputs=pictures), "text": replace(image, inputs=texts)}


def find_signatures(
    headers: Mapping[Modality, GraphHeader], files: GraphFiles, layout: Layout, statement: Statement
) -> dict[Modality, Signature]:
    """How each tower's graph is called. Raises CheckpointError with everything that contradicts the statement."""
    faults: list[str] = []
    spec = statement.image_spec
    if statement.image_px not in (None, spec.size_px):
        faults.append(f"preprocessing makes pictures of {spec.size_px} pixels, {statement.source} says {statement.image_px}")
    if spec.size_px > MOST_PX:
        faults.append(f"pictures of {spec.size_px} pixels, expected at most {MOST_PX}")
    if statement.tokenizer_spec.context_length > NO_LIMIT:
        faults.append(f"texts of {statement.tokenizer_spec.context_length} ids, expected at most {NO_LIMIT}")
    image = _image(headers["image"], files.image, layout, statement, faults)
    text = _text(headers["text"], files.text, layout, statement, faults)
    faults += [
        f"{signature.file} gives vectors of {signature.width} numbers, {statement.source} says {statement.dim}"
        for signature in (image, text)
        if statement.dim and signature.width and signature.width != statement.dim
    ]
    if image.width and text.width and image.width != text.width:
        faults.append(f"the image graph gives vectors of {image.width} numbers, the text graph of {text.width}")
    if faults:
        raise CheckpointError("these graphs are not what their files say:\n" + "\n".join(f"  {fault}" for fault in faults))
    return {"image": image, "text": text}


def _image(header: GraphHeader, file: str, layout: Layout, statement: Statement, faults: list[str]) -> Signature:
    port, size = header.inputs[0], statement.image_spec.size_px
    shape = (None, None, None, None) if port.shape is None else port.shape
    fits = len(shape) == 4 and shape[1] in (None, 3) and shape[2] in (None, size) and shape[3] in (None, size)
    if len(header.inputs) != 1 or port.dtype not in FLOATS or not fits:
        faults.append(f"{file}: expected one input of pictures, float32 (any, 3, {size}, {size}), got {_listed(header.inputs)}")
    return _signature(header, file, port, FLOATS.get(port.dtype, "float32"), _output(header, "image", layout, faults), faults)


def _text(header: GraphHeader, file: str, layout: Layout, statement: Statement, faults: list[str]) -> Signature:
    ids = [port for port in header.inputs if port.name != MASK]
    masks = [port for port in header.inputs if port.name == MASK]
    port, spec = (ids or masks)[0], statement.tokenizer_spec
    shape = (None, None) if port.shape is None else port.shape
    fits = len(shape) == 2 and shape[1] in (None, spec.context_length)
    same = all(mask.dtype in WHOLE and mask.shape == port.shape for mask in masks)
    if len(ids) != 1 or port.dtype not in WHOLE or not fits or not same:
        faults.append(
            f"{file}: expected an input of ids, int64 or int32 (any, {spec.context_length}), and at most {MASK} beside it, got "
            + _listed(header.inputs)
        )
    signature = _signature(header, file, port, WHOLE.get(port.dtype, "int64"), _output(header, "text", layout, faults), faults)
    if not masks:
        return signature
    ends_with_pad = statement.end is not None and statement.end == spec.pad_id
    mask = Mask(MASK, WHOLE.get(masks[0].dtype, "int64"), spec.pad_id, ends_with_pad)
    return replace(signature, mask=mask)


def _signature(header: GraphHeader, file: str, port: Port, dtype: Number, output: Port | None, faults: list[str]) -> Signature:
    rows = port.shape[0] if port.shape else None
    if rows is not None and rows > MOST_ROWS:
        faults.append(f"{file}: takes {rows} rows at once, expected at most {MOST_ROWS}")
    if ACROSS_ROWS in header.operators:
        rows = rows or 1
    width = output.shape[1] if output is not None and output.shape is not None and len(output.shape) == 2 else None
    name = "" if output is None else output.name
    return Signature(file=file, input=port.name, dtype=dtype, output=name, width=width or 0, batch=rows)


def _output(header: GraphHeader, tower: Modality, layout: Layout, faults: list[str]) -> Port | None:
    """The output with the tower's embedding."""
    wanted, ports = layout.outputs[tower], {port.name: port for port in header.outputs}
    name = next((name for name in wanted if name in ports), None) if wanted else next(iter(ports)) if len(ports) == 1 else None
    if name is None:
        expected = f"an output {' or '.join(wanted)}" if wanted else "one output"
        faults.append(
            f"{header.file.name}: expected {expected}, got {_listed(header.outputs)}. A graph without it was exported without "
            "the projection into the shared space"
        )
        return None
    port = ports[name]
    if port.dtype not in FLOATS or (port.shape is not None and len(port.shape) != 2):
        faults.append(f"{header.file.name}: expected an output of vectors, float32 (any, any), got {port}")
    return port


def _listed(ports: tuple[Port, ...]) -> str:
    return "; ".join(map(str, ports[:8])) + ("; ..." if len(ports) > 8 else "")
