"""Weights on levels such that what comes out of a layer changes least, rather than each weight (GPTQ, Frantar et al. 2022,
arXiv 2210.17323): what rounding one weight does wrong, those that are still to be rounded make good, as far as their inputs go
together on pictures."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from seesay.models.families.efficientnet_lite.tower import Conv, EfficientNetLite
from seesay.models.graph_builder import WEIGHT_LEVELS

CELLS = 32  # of a map that are looked at, in each picture
DAMPING = 0.01  # of the mean square of an input
BATCH = 16


def rounded(tower: EfficientNetLite, pixels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The weights of all convolutions of single cells, by name; `pixels` (N, 3, image_px, image_px)."""
    layers = {name: layer for name, layer in tower.named_modules() if isinstance(layer, Conv) and layer.kernel_size == (1, 1)}
    moments: dict[str, Tensor] = {}

    def watch(name: str) -> None:
        def see(layer: Conv, inputs: tuple[Tensor]) -> None:
            cells = inputs[0].flatten(2)
            chosen = torch.randint(cells.shape[2], (CELLS,), generator=generator)
            rows = cells[:, :, chosen].transpose(1, 2).flatten(0, 1).double()
            moments[name] = moments.get(name, 0) + rows.T @ rows

        layers[name].register_forward_pre_hook(see)

    generator = torch.Generator().manual_seed(0)
    for name in layers:
        watch(name)
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH):
            tower(torch.from_numpy(pixels[start : start + BATCH]))
    for name, layer in layers.items():
        weight = layer.weight.detach().numpy()
        levels = nearest(weight[:, :, 0, 0].astype(np.float64), moments[name].numpy(), WEIGHT_LEVELS)
        yield f"{name}.weight", levels[:, :, None, None]


def nearest(weight: np.ndarray, moments: np.ndarray, largest: int) -> np.ndarray:
    """weight (out, in); moments (in, in) of its inputs -> float32, whole multiples of each output's largest weight / `largest`.

    The largest weight stays, so that whoever reads the result finds the same scale.
    """
    order = np.argsort(-np.diag(moments))
    together = moments[np.ix_(order, order)]
    together += np.eye(len(order)) * (DAMPING * np.diag(moments).mean() + np.finfo(np.float64).tiny)
    shares = np.linalg.cholesky(np.linalg.inv(together)).T  # upper; shares.T @ shares is the inverse
    left = weight[:, order]
    scale = np.abs(weight).max(axis=1).astype(np.float32) / np.float32(largest)
    scale[scale == 0] = 1
    pinned = np.abs(left).argmax(axis=1)
    signs = np.sign(left[np.arange(len(left)), pinned])
    for i in range(len(order)):
        levels = np.clip(np.rint(left[:, i] / scale), -largest, largest)
        levels = np.where(pinned == i, signs * largest, levels)
        missed = (left[:, i] - levels * scale) / shares[i, i]
        left[:, i:] -= np.outer(missed, shares[i, i:])
        left[:, i] = levels * scale
    result = np.empty_like(left)
    result[:, order] = left
    return result.astype(np.float32)
