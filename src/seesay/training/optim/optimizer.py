"""AdamW over groups of parameters with and without weight decay, and with learning rates by layer."""

import torch
from torch import nn

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.groups import parameters_in, partly_frozen
from seesay.training.recipe import Optimizer


def adamw(clip: Clip, objective: nn.Module, config: Optimizer) -> torch.optim.AdamW:
    """AdamW over all trainable parameters of a model and its objective.

    Parameters of fewer than two dimensions (norms, biases, the temperature) are not decayed, as in OpenCLIP, nor are partly
    frozen ones. The rate of each group has a `factor`: `projection_factor` for projections, and `layer_decay` to the power of
    the number of layer groups between a parameter and its tower's projection, plus one, for the others (as BEiT's, Bao et al.
    2021). Raises InputError if nothing is trainable.
    """
    distances = layer_distances(clip)
    groups: dict[tuple[bool, int | None], list[nn.Parameter]] = {}  # by whether it is decayed, and its distance
    for parameter in [*clip.parameters(), *objective.parameters()]:
        if parameter.requires_grad:
            distance = distances.get(id(parameter))
            if distance and config.layer_decay == 1:
                distance = None
            groups.setdefault((parameter.ndim >= 2 and not partly_frozen(parameter), distance), []).append(parameter)
    if not any(decayed for decayed, _ in groups):
        raise InputError(
            "nothing is left to learn: both towers are locked whole. Raise model.image or model.text unlocked_groups"
        )
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": config.weight_decay if decayed else 0.0, "factor": _factor(distance, config)}
            for (decayed, distance), parameters in groups.items()
        ],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )


def layer_distances(clip: Clip) -> dict[int, int]:
    """By the id of each parameter of the towers, how many groups of layers it is from the projection, which is 0."""
    return {
        id(parameter): distance
        for tower in (clip.image, clip.text)
        for distance, group in enumerate(reversed(tower.groups()))
        for parameter in parameters_in(group)
    }


def _factor(distance: int | None, config: Optimizer) -> float:
    """Of the learning rate. distance None: of parameters that are in no tower, or of all layers where none decays."""
    if distance is None:
        return 1.0
    return config.projection_factor if distance == 0 else config.layer_decay**distance
