"""Writes the ONNX graphs of torch towers, and checks that graph and tower agree."""

from pathlib import Path

import numpy as np
import onnx

from seesay.checkpoints.containers.weights import read_header
from seesay.engines.onnx import OnnxEngine
from seesay.engines.protocol import Engine
from seesay.engines.torch import TorchEngine
from seesay.errors import ModelError
from seesay.models.clip import Clip
from seesay.models.graph_builder import ExternalWeights, Storage
from seesay.models.graphs import image_graph, text_graph
from seesay.models.regions import Regions
from seesay.models.samples import sample_ids

WEIGHTS = "model.safetensors"
TOLERANCE = 1e-5  # largest difference of unit embeddings, float32
FOUND = 1e-4  # of regions and masks, relative to the largest value of their kind: sums of many more terms


def write_graphs(clip: Clip, folder: Path, storage: Storage = "float32") -> None:
    """Writes `image.onnx` and `text.onnx`. In float32 they point into the folder's `model.safetensors`, if it has one."""
    state = {name: tensor.detach().numpy() for name, tensor in clip.state_dict().items()}
    external = _external(folder / WEIGHTS) if storage == "float32" and (folder / WEIGHTS).is_file() else None
    config = clip.config
    if config.image is not None:
        graph = image_graph(config.image, config.dim, _tower(state, "image."), storage, external=external)
        onnx.save(graph, folder / "image.onnx")
    if config.text is not None:
        graph = text_graph(config.text, config.dim, _tower(state, "text."), storage, external=external)
        onnx.save(graph, folder / "text.onnx")


def _tower(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _external(file: Path) -> ExternalWeights:
    with file.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
    tensors = {name: info["data_offsets"] for name, info in read_header(file).items() if name != "__metadata__"}
    return ExternalWeights(file.name, {name: (start + begin, end - begin) for name, (begin, end) in tensors.items()})


def verify(clip: Clip, folder: Path, tolerance: float = TOLERANCE) -> dict[str, float]:
    """Runs both engines on several batches and lengths -> the largest difference of unit embeddings per output.

    Raises ModelError where one is above the tolerance: such a graph must not be used.
    """
    torch_engine, onnx_engine = TorchEngine(clip), OnnxEngine(folder)
    random = np.random.default_rng(0)
    worst: dict[str, float] = {}
    if clip.config.image is not None:
        px = clip.config.image.image_px
        for batch in (1, 3) if clip.config.image.finds is None else (1, 2):  # towers that find things take large pictures
            pixels = random.standard_normal((batch, 3, px, px)).astype(np.float32)
            _note(worst, "image", torch_engine.encode_pixels(pixels), onnx_engine.encode_pixels(pixels))
        if clip.config.image.has_dense:
            _note(worst, "dense", torch_engine.encode_dense(pixels[:1]), onnx_engine.encode_dense(pixels[:1]))
        _note_finds(worst, clip, pixels, random, torch_engine, onnx_engine)
    if clip.config.text is not None:
        for ids in sample_ids(clip.config.text, random):
            _note(worst, "text", torch_engine.encode_tokens(ids), onnx_engine.encode_tokens(ids))
    for part, difference in worst.items():
        limit = max(tolerance, FOUND) if part in ("boxes", "masks") else tolerance
        if not difference <= limit:
            raise ModelError(
                f"the exported {part} graph differs from torch by {difference:.1e}, more than {limit:.0e}; it is not used. "
                "Please report this with the model's config.json"
            )
    return worst


def _note_finds(worst: dict[str, float], clip: Clip, pixels: np.ndarray, random: np.random.Generator, *engines: Engine) -> None:
    """Notes the largest difference of what a tower finds: of boxes themselves, of all else relative to its largest value."""
    assert clip.config.image is not None
    if clip.config.image.finds == "boxes":
        regions = [vars(Regions.split(engine.find_regions(pixels[:1]), clip.config.dim)) for engine in engines]
        pairs = [(a, regions[1][part]) for part, a in regions[0].items() if a is not None]
    elif clip.config.image.finds == "masks":
        queries = random.standard_normal((3, clip.config.dim)).astype(np.float32)
        a, b = (engine.find_masks(pixels[:2], queries) for engine in engines)
        pairs = [(a, b)]
    else:
        return
    worst[clip.config.image.finds] = float(np.max([np.abs(a - b).max() / max(1.0, np.abs(a).max()) for a, b in pairs]))


def _note(worst: dict[str, float], output: str, a: np.ndarray, b: np.ndarray) -> None:
    """Increases an output's largest difference to that of these two embeddings, if theirs is larger; both at unit length."""
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    worst[output] = float(np.maximum(worst.get(output, 0.0), np.abs(a - b).max()))
