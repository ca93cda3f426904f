"""A head that scores how much people like a picture, from its vector, read from a file that the user has."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seesay.checkpoints.containers.weights import Weights, open_weights
from seesay.errors import CheckpointError, InputError
from seesay.models.vectors import check_vectors, normalize
from seesay.system.paths import printable

LINEAR = re.compile(r"(?:linear\.)?weight")  # of LAION's aesthetic predictor
LAYER = re.compile(r"(?:mlp|layers)\.(\d+)\.weight")  # of the improved one


@dataclass(frozen=True)
class AestheticHead:
    """Linear layers one after the other: weights (out, in) and biases (out,), float32, the last with one output.

    name: its file, for messages.
    """

    name: str
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    @property
    def width(self) -> int:
        """The dimensions of the vectors that it was trained on."""
        return int(self.layers[0][0].shape[1])

    def check(self, dim: int, model: str) -> None:
        """Raises InputError where a model's vectors have another width. An equal width does not prove that it fits."""
        if dim != self.width:
            raise InputError(
                f"{self.name} was trained on vectors of {self.width} dimensions; those of {model} have {dim}. Take the model "
                "that the head was trained on (LAION's of 768: ViT-L/14 of OpenAI)"
            )

    def scores(self, pictures: np.ndarray) -> np.ndarray:
        """Scores (N,) float64 of vectors (N, D), which are brought to unit length; LAION's are about 1 to 10.

        Nothing lies between the layers, as in the authors' inference code (they are one linear map). Raises InputError.
        """
        pictures = check_vectors(pictures, "pictures")
        self.check(pictures.shape[1], "the pictures")
        values = normalize(pictures).astype(np.float64)
        for weight, bias in self.layers:
            values = values @ weight.T + bias
        return np.asarray(values[:, 0])


def read_head(file: Path) -> AestheticHead:
    """Reads a head: `weight` and `bias` of one linear layer (LAION-AI/aesthetic-predictor), or `layers.N.weight` and `.bias` of
    several (improved-aesthetic-predictor); safetensors, or a .pth of which nothing is executed.

    Raises CheckpointError for other contents, MissingExtra where torch is needed to read it.
    """
    weights, name = open_weights(file), printable(file)
    found = [each for each in weights.names if LINEAR.fullmatch(each) or LAYER.fullmatch(each)]
    found.sort(key=lambda each: int(match[1]) if (match := LAYER.fullmatch(each)) else -1)
    if not found or set(weights.names) != {part for each in found for part in (each, _bias(each))}:
        raise CheckpointError(
            f"{name} is no aesthetic head: expected weight and bias of one linear layer, or layers.0.weight, layers.0.bias and "
            f"so on, got {', '.join(sorted(weights.names)[:4]) or 'no tensors'}"
        )
    layers = tuple(_layer(weights, each, name) for each in found)
    widths = [(weight.shape[1], weight.shape[0]) for weight, _ in layers]
    ends = [out for _, out in widths]
    if ends[-1] != 1 or ends[:-1] != [start for start, _ in widths[1:]]:
        shown = ", ".join(f"{start} to {end}" for start, end in widths)
        raise CheckpointError(f"{name}: expected layers that follow each other and end in one number, got {shown}")
    return AestheticHead(name, layers)


def _bias(name: str) -> str:
    return name.removesuffix("weight") + "bias"


def _layer(weights: Weights, name: str, file: str) -> tuple[np.ndarray, np.ndarray]:
    weight, bias = (weights.read(part).float().numpy() for part in (name, _bias(name)))
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise CheckpointError(
            f"{file}: expected {name} (out, in) and its bias (out,), finite; got {weight.shape} and {bias.shape}"
        )
    return weight, bias
