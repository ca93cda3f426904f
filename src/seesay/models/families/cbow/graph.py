"""The mean of word embeddings as an ONNX graph."""

import numpy as np
from onnx import TensorProto

from seesay.models.families.cbow.config import CbowConfig
from seesay.models.graph_builder import GraphBuilder


def add_tower(g: GraphBuilder, config: CbowConfig, dim: int) -> None:
    """From "input_ids" to "embedding"."""
    is_token = g.node("Not", g.node("Equal", "input_ids", g.constant(config.pad_id, np.int64)))
    present = g.node("Cast", is_token, to=TensorProto.FLOAT)
    mean = g.masked_mean(g.table("token_embedding.weight", "input_ids"), present, empty=1.0)
    g.projection(mean, config.projection, output="embedding")
