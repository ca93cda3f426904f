"""From towers in torch to graphs for ONNX Runtime, and the proof that both compute the same."""

from pathlib import Path

import numpy as np
import onnx

from seesay.checkpoints.containers.weights import read_header
from seesay.engines.graph_builder import Outside, Storage
from seesay.engines.image_graphs import image_graph
from seesay.engines.onnx import OnnxEngine
from seesay.engines.text_graphs import text_graph
from seesay.engines.torch import TorchEngine
from seesay.errors import ModelError
from seesay.models.clip import Clip
from seesay.models.config import TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig

WEIGHTS = "model.safetensors"
TOLERANCE = 1e-5  # largest difference of unit embeddings, float32


def write_graphs(clip: Clip, folder: Path, storage: Storage = "float32") -> None:
    """Writes `image.onnx` and `text.onnx`. In float32 they point into the `model.safetensors` that is there, if it is."""
    state = {name: tensor.detach().numpy() for name, tensor in clip.state_dict().items()}
    outside = _outside(folder / WEIGHTS) if storage == "float32" and (folder / WEIGHTS).is_file() else None
    config = clip.config
    if config.image is not None:
        onnx.save(image_graph(config.image, config.dim, _tower(state, "image."), storage, outside), folder / "image.onnx")
    if config.text is not None:
        onnx.save(text_graph(config.text, config.dim, _tower(state, "text."), storage, outside), folder / "text.onnx")


def _tower(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _outside(file: Path) -> Outside:
    with file.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
    tensors = {name: info["data_offsets"] for name, info in read_header(file).items() if name != "__metadata__"}
    return Outside(file.name, {name: (start + begin, end - begin) for name, (begin, end) in tensors.items()})


def verify(clip: Clip, folder: Path, tolerance: float = TOLERANCE) -> dict[str, float]:
    """Runs both engines on several batches and lengths; the largest difference of unit embeddings per tower.

    Raises ModelError where it is above the tolerance: such a graph must not be used.
    """
    torch_engine, onnx_engine = TorchEngine(clip), OnnxEngine(folder)
    random = np.random.default_rng(0)
    worst: dict[str, float] = {}
    if clip.config.image is not None:
        px = clip.config.image.image_px
        for batch in (1, 3):
            pixels = random.standard_normal((batch, 3, px, px)).astype(np.float32)
            _note(worst, "image", torch_engine.encode_pixels(pixels), onnx_engine.encode_pixels(pixels))
        _note(worst, "dense", torch_engine.encode_dense(pixels[:1]), onnx_engine.encode_dense(pixels[:1]))
    if clip.config.text is not None:
        for ids in sample_ids(clip.config.text, random):
            _note(worst, "text", torch_engine.encode_tokens(ids), onnx_engine.encode_tokens(ids))
    for part, difference in worst.items():
        if not difference <= tolerance:
            raise ModelError(
                f"the exported {part} graph differs from torch by {difference:.1e}, more than {tolerance:.0e}; it is not used. "
                "Please report this with the model's config.json"
            )
    return worst


def sample_ids(config: TextConfig, random: np.random.Generator) -> list[np.ndarray]:
    """Batches of one and of three texts, short, uneven and as long as the tower takes."""
    longest = 77 if isinstance(config, CbowConfig) else config.positions
    if isinstance(config, BertConfig) and config.position_ids == "after-padding":
        longest -= config.pad_id + 1
    full = [longest] if isinstance(config, ClipTextConfig) and config.pooling == "last" else [3, 12, min(longest, 77)]
    pad = 0 if isinstance(config, ClipTextConfig) else config.pad_id
    batches = []
    for length in full:
        for batch in (1, 3):
            ids = random.integers(2, config.vocabulary, (batch, min(length, longest)))
            ids[ids == getattr(config, "eos_id", -1)] = 2
            for row, end in zip(ids, random.integers(1, ids.shape[1], batch), strict=True):
                if isinstance(config, ClipTextConfig):
                    row[end] = config.eos_id
                row[end + 1 :] = pad
            batches.append(ids.astype(np.int64))
    return batches


def _note(worst: dict[str, float], part: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (ours, theirs))
    worst[part] = float(np.maximum(worst.get(part, 0.0), np.abs(a - b).max()))
