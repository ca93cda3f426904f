"""The last block of a Vision Transformer, as it gives patches features of their own place.

What attention gathers in the last block serves the class token and says little about a patch. Modes of the field replace it:
  maskclip   Each patch attends to itself only (Zhou, Loy and Dai 2022), which leaves its value. The default.
  sclip      Queries attend to queries and keys to keys, and both are added (Wang, Mei and Yuille 2023).
  clearclip  Queries attend to queries, without the residual and the MLP (Lan and others 2024).
  vanilla    As the block is.
"""

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from seesay.models.layers.transformer import Attention, Block

DenseMode = Literal["maskclip", "sclip", "clearclip", "vanilla"]
DENSE_MODES: tuple[DenseMode, ...] = get_args(DenseMode)


def patch_features(block: Block, x: Tensor, mode: DenseMode) -> Tensor:
    """The input of the last block, a class token and N patches (B, 1 + N, W) -> the patches after it (B, N, W)."""
    match mode:
        case "maskclip":
            return block.without_mixing(x[:, 1:])
        case "vanilla":
            return block(x)[:, 1:]  # type: ignore[no-any-return]
        case "clearclip":
            return block.scale1(_alike(block.attention, block.norm1(x), "query"))[:, 1:]  # type: ignore[no-any-return]
        case "sclip":
            x = x + block.scale1(_alike(block.attention, block.norm1(x), "query", "key"))
            return (x + block.scale2(block.mlp(block.norm2(x))))[:, 1:]  # type: ignore[no-any-return]


def _alike(attention: Attention, tokens: Tensor, *projections: Literal["query", "key"]) -> Tensor:
    """Attention of tokens (B, N, W) to those whose projection is like their own, the sum over projections."""
    value = attention.split(attention.value(tokens))
    layers = {"query": attention.query, "key": attention.key}
    projected = [attention.split(layers[name](tokens)) for name in projections]
    mixed = [F.scaled_dot_product_attention(own, own, value) for own in projected]
    return attention.out(sum(mixed[1:], mixed[0]).transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
