"""Patch dropout: in training, a random part of each picture's patches is left out, which saves as much time.

Li et al. 2023, FLIP (arXiv 2212.00794).
"""

import torch
from torch import Tensor


def kept_patches(pictures: int, patches: int, share: float, device: torch.device) -> Tensor:
    """Draws which patches stay: numbers (pictures, kept) int64 in ascending order, from torch's random state.

    share: of the patches that are left out; at least one stays. As many stay as in OpenCLIP, which rounds down.
    """
    kept = max(1, int(patches * (1 - share)))
    return torch.rand(pictures, patches, device=device).argsort(dim=1)[:, :kept].sort(dim=1).values


def take_tokens(x: Tensor, numbers: Tensor) -> Tensor:
    """Of tokens (B, N, W), those with these numbers (B, kept) -> (B, kept, W)."""
    return x[torch.arange(x.shape[0], device=x.device)[:, None], numbers]
