"""A timm tower as an ONNX graph, translated from what torch records of it."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seesay.models.families.timm.config import TimmConfig
from seesay.models.families.timm.operators import OPERATORS
from seesay.models.families.timm.program import Program
from seesay.models.families.timm.tower import Timm
from seesay.models.graph_builder import GraphBuilder

FUSING = ("fuse", "reparameterize", "switch_to_deploy")  # methods by which timm's modules replace parallel branches by one


class Outputs(nn.Module):
    """The outputs of a tower: the embedding, and the dense output if it has one."""

    def __init__(self, tower: Timm) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.tower.with_dense(pixels) if self.tower.config.has_dense else (self.tower(pixels),)


def add_tower(g: GraphBuilder, config: TimmConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request. Branches that are parallel in training only become one layer."""
    tower = _tower(g, config, dim)
    stored = _fused(g, tower)
    pixels = torch.zeros(2, 3, config.image_px, config.image_px)
    program = Program(g, Outputs(tower), pixels, {f"tower.{name}": new for name, new in stored.items()})
    embedding, *dense = program.outputs
    program.translate(program.needed(embedding), OPERATORS)
    g.node("Identity", program.value(embedding), output="embedding")

    def cells() -> str:
        program.translate(program.needed(dense[0]), OPERATORS)
        return program.value(dense[0])

    if dense:
        g.on_request("dense", [config.grid, config.grid, dim], cells)


def _tower(g: GraphBuilder, config: TimmConfig, dim: int) -> Timm:
    """The tower with the graph's weights."""
    with torch.device("meta"):
        tower = Timm(config, dim)
    names = tower.state_dict().keys()
    weights = {name: torch.from_numpy(np.array(g.weights[name])) for name in names if name in g.weights}
    counters = {name: torch.zeros((), dtype=torch.int64) for name in names - weights.keys() if name.endswith("_tracked")}
    tower.load_state_dict(weights | counters, assign=True)
    return tower.eval().requires_grad_(False)


def _fused(g: GraphBuilder, tower: Timm) -> dict[str, str]:
    """Fuses a tower's parallel branches, in place, in double precision -> the graph's names of its tensors by the tower's own.

    Tensors that fusing made have other names in the graph, where the names of the tower mean its weights.
    """
    if any(hasattr(module, method) for module in tower.modules() for method in FUSING):
        from timm.utils import reparameterize_model

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reparameterize_model(tower.trunk.double(), inplace=True)
        tower.trunk.float()
    state: dict[str, Any] = {name: value.detach().numpy() for name, value in tower.state_dict().items()}
    names = {name: name for name in state}
    for name, value in state.items():
        if name not in g.weights or not np.array_equal(g.weights[name], value):
            names[name] = f"fused.{name}"
    g.weights = {**g.weights, **{names[name]: value for name, value in state.items()}}
    return names
