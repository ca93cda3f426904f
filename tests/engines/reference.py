"""Both bundled towers in slow, obvious numpy (float64), from the weights that `read_weights` gives."""

import numpy as np

from seesay.models.families.bert.config import Gate

Weights = dict[str, np.ndarray]


def image_embedding(
    weights: Weights, pixels: np.ndarray, stages: tuple[tuple[int, int, int], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """pixels (3, H, W) -> (embedding (D,), dense (rows, columns, D))."""
    strides = [stride if repeat == 0 else 1 for repeats, _, stride in stages for repeat in range(repeats)]
    begins = [repeat == 0 for repeats, _, _ in stages for repeat in range(repeats)]

    def block(x: np.ndarray, name: str, number: int) -> np.ndarray:
        inside = relu6(conv(x, weights, f"{name}.expand")) if number else x
        inside = relu6(depthwise(inside, weights, f"{name}.depthwise", strides[number]))
        inside = conv(inside, weights, f"{name}.project")
        return inside if begins[number] else x + inside

    states = [relu6(conv(pixels.astype(np.float64), weights, "stem", stride=2))]
    for number in range(len(strides)):
        states.append(block(states[-1], f"blocks.{number}", number))
    classes = relu6(conv(states[-1], weights, "head"))
    own = sum(name.endswith("depthwise.weight") for name in weights if name.startswith("branch."))
    if not own:
        return conse(weights, classes.mean(axis=(1, 2))), conse(weights, classes.transpose(1, 2, 0))
    x = states[-1 - own]
    for number in range(own):
        x = block(x, f"branch.blocks.{number}", len(strides) - own + number)
    both = np.concatenate([relu6(conv(x, weights, "branch.head")), classes])

    def project(features: np.ndarray) -> np.ndarray:
        return features @ weights["projection.weight"].T + conse(weights, features[..., len(both) // 2 :])

    return project(both.mean(axis=(1, 2))), project(both.transpose(1, 2, 0))


def conse(weights: Weights, features: np.ndarray) -> np.ndarray:
    return softmax(features @ weights["classifier.weight"].T + weights["classifier.bias"]) @ weights["class_embedding"]


def same(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """TensorFlow's SAME padding: the odd pixel goes to the right and below."""
    pads = []
    for side in x.shape[1:]:
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *pads))


def windows(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """(C, H, W) -> (C, rows, columns, kernel, kernel)."""
    view = np.lib.stride_tricks.sliding_window_view(same(x, kernel, stride), (kernel, kernel), axis=(1, 2))
    return view[:, ::stride, ::stride]


def conv(x: np.ndarray, weights: Weights, name: str, stride: int = 1) -> np.ndarray:
    weight = weights[f"{name}.weight"].astype(np.float64)
    out = np.einsum("cyxij,ocij->oyx", windows(x, weight.shape[-1], stride), weight, optimize=True)
    return out + weights[f"{name}.bias"][:, None, None]


def depthwise(x: np.ndarray, weights: Weights, name: str, stride: int) -> np.ndarray:
    weight = weights[f"{name}.weight"][:, 0].astype(np.float64)
    return np.einsum("cyxij,cij->cyx", windows(x, weight.shape[-1], stride), weight) + weights[f"{name}.bias"][:, None, None]


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def text_embedding(weights: Weights, ids: list[int], heads: int, depth: int, gate: Gate | None) -> np.ndarray:
    """ids without padding -> (D,): BERT, mean over tokens; then a projection and a gate, or unit length less the centre."""
    x = weights["embeddings.word.weight"][ids].astype(np.float64) + weights["embeddings.position.weight"][: len(ids)]
    x = layer_norm(x, weights, "embeddings.norm")
    for i in range(depth):
        mixed = attention(x, weights, f"blocks.{i}.attention", heads)
        x = layer_norm(x + mixed, weights, f"blocks.{i}.norm1")
        up = gelu(linear(x, weights, f"blocks.{i}.mlp.up"))
        x = layer_norm(x + linear(up, weights, f"blocks.{i}.mlp.down"), weights, f"blocks.{i}.norm2")
    mean = x.mean(axis=0)
    if "projection.weight" in weights:
        x = mean @ weights["projection.weight"].T.astype(np.float64)
        if gate is not None:
            share = np.linalg.norm(x[: gate.dims]) / np.linalg.norm(x)
            x[: gate.dims] *= gate.least + (1 - gate.least) / (1 + np.exp((gate.middle - share) / gate.slope))
        return x
    return mean / np.linalg.norm(mean) - weights["centre"]


def attention(x: np.ndarray, weights: Weights, name: str, heads: int) -> np.ndarray:
    length, width = x.shape
    q, k, v = (
        linear(x, weights, f"{name}.{part}").reshape(length, heads, width // heads).transpose(1, 0, 2)
        for part in ("query", "key", "value")
    )
    mixed = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(width // heads)) @ v
    return linear(mixed.transpose(1, 0, 2).reshape(length, width), weights, f"{name}.out")


def linear(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T.astype(np.float64) + weights[f"{name}.bias"]


def layer_norm(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    from math import erf

    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))
