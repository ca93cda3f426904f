"""AdamW over groups of parameters with and without weight decay."""

import torch
from torch import nn

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.groups import parameters_in, partly_frozen
from seesay.training.recipe import Optimizer


def adamw(clip: Clip, objective: nn.Module, config: Optimizer) -> torch.optim.AdamW:
    """AdamW over all trainable parameters of a model and its objective.

    Parameters of fewer than two dimensions (norms, biases, the temperature) are not decayed, as in OpenCLIP, nor are partly
    frozen ones. Raises InputError if nothing is trainable.
    """
    projections = {id(p) for tower in (clip.image, clip.text) for p in parameters_in(tower.groups()[-1])}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}  # by whether it is decayed, and whether it projects
    for parameter in [*clip.parameters(), *objective.parameters()]:
        if parameter.requires_grad:
            key = (parameter.ndim >= 2 and not partly_frozen(parameter), id(parameter) in projections)
            groups.setdefault(key, []).append(parameter)
    if not any(decayed for decayed, _ in groups):
        raise InputError(
            "nothing is left to learn: both towers are locked whole. Raise model.image or model.text unlocked_groups"
        )
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "weight_decay": config.weight_decay if decayed else 0.0,
                "factor": config.projection_factor if projecting else 1.0,
            }
            for (decayed, projecting), parameters in groups.items()
        ],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )
