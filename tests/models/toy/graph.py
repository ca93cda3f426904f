"""The toy tower as an ONNX graph."""

from seesay.models.graph_builder import GraphBuilder
from tests.models.toy.config import ToyConfig


def add_tower(g: GraphBuilder, config: ToyConfig, dim: int) -> None:
    side = config.image_px // config.cells
    cells = g.node("AveragePool", "pixels", kernel_shape=[side, side], strides=[side, side])
    features = g.node("Relu", g.linear(g.node("Flatten", cells), "hidden.layer"))
    embedding = g.projection(features, config.projection, output="embedding")
    g.on_request("dense", [1, 1, dim], lambda: g.node("Reshape", embedding, g.ints(-1, 1, 1, dim)))
