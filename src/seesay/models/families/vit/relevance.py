"""Which patches a Vision Transformer's class token heeds, from the attention of its blocks.

rollout: attention and residuals, multiplied block by block (Abnar and Zuidema 2020); it knows no text. gradients: how much each
patch's attention raises the cosine with a text, averaged over heads, queries and blocks, without what lowers it (LeGrad,
Bousselham and others 2024).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.models.layers.transformer import Block


def attended(block: Block, x: Tensor) -> tuple[Tensor, Tensor]:
    """A pre-norm block over tokens (B, N, W) -> its output, and its attention (B, heads, N, N), from which it is made."""
    attention, tokens = block.attention, block.norm1(x)
    q, k, v = (attention.split(layer(tokens)) for layer in (attention.query, attention.key, attention.value))
    weights = (q @ k.transpose(2, 3) / q.shape[3] ** 0.5).softmax(dim=-1)
    x = x + block.scale1(attention.out((weights @ v).transpose(1, 2).flatten(2)))
    return x + block.scale2(block.mlp(block.norm2(x))), weights


def rollout(weights: list[Tensor]) -> Tensor:
    """The attention of each block (B, heads, N, N) -> how much the first token has of each token (B, N); rows sum to 1."""
    identity = torch.eye(weights[0].shape[-1], device=weights[0].device)
    joint = identity
    for each in weights:
        joint = (each.mean(dim=1) + identity) / 2 @ joint
    return joint[:, 0]


def gradients(weights: Tensor, embedding: Tensor, texts: Tensor) -> Tensor:
    """The attention of a block (B, heads, N, N), what its output's first token would give as embedding (B, dim), and texts
    (B, dim) -> how much attention to each token raises their cosine (B, N)."""
    cosine = F.cosine_similarity(embedding, texts, dim=-1).sum()
    (slopes,) = torch.autograd.grad(cosine, weights)
    return slopes.relu().mean(dim=(1, 2))
