"""Towers of any family as ONNX graphs.

image: pixels (B, 3, image_px, image_px) -> embedding (B, dim), and dense (B, grid, grid, dim) where the optional input
`with_dense` is true. Towers that find things have "regions" or "masks" in its place (`with_regions`, `with_masks`), the latter
of the optional input "queries". text: input_ids (B, L) int64, padded with the tokenizer's pad id -> embedding (B, dim). All
embeddings are raw projections.
"""

import onnx
from onnx import TensorProto, helper

from seesay.models.graph_builder import ExternalWeights, GraphBuilder, Ranges, Storage, Weights
from seesay.models.registry import family_of
from seesay.models.tower_config import ImageTowerConfig, TextTowerConfig, TowerConfig


def image_graph(
    config: ImageTowerConfig,
    dim: int,
    weights: Weights,
    storage: Storage,
    *,
    external: ExternalWeights | None = None,
    ranges: Ranges | None = None,
) -> onnx.ModelProto:
    """The graph of an image tower. weights: by the tower's own names (without "image."). ranges: those of its maps, for
    families that then compute them in 8 bits."""
    g = GraphBuilder(weights, storage, external=external, prefix="image.", ranges=ranges)
    family_of(config).add_tower(g, config, dim)
    outputs = {"embedding": [dim]} | ({"dense": [config.grid, config.grid, dim]} if config.has_dense else {})
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *sides]) for name, sides in outputs.items()]
    for name, sides in config.further_outputs(dim).items():
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", *sides]))
    return g.model(
        "image",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, config.image_px, config.image_px])],
        infos,
    )


def text_graph(
    config: TextTowerConfig, dim: int, weights: Weights, storage: Storage, *, external: ExternalWeights | None = None
) -> onnx.ModelProto:
    """The graph of a text tower. weights: by the tower's own names (without "text.")."""
    g = GraphBuilder(weights, storage, external=external, prefix="text.")
    family_of(config).add_tower(g, config, dim)
    return g.model(
        "text",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
    )


def cache_graph(config: TowerConfig, weights: Weights) -> onnx.ModelProto:
    """`Tower.cache_values` as a graph whose output `embedding` holds them in float32: of most families the features."""
    family = family_of(config)
    if family.cache_graph is not None and (graph := family.cache_graph(config, weights)) is not None:
        return graph
    bare = config.with_projection("none")
    if isinstance(bare, ImageTowerConfig):
        return image_graph(bare, bare.feature_width, weights, "float32")
    assert isinstance(bare, TextTowerConfig)
    return text_graph(bare, bare.feature_width, weights, "float32")
