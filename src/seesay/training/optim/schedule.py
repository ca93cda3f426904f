"""The learning rate over the steps of a run."""

import math

import torch

from seesay.training.recipe import Optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, config: Optimizer) -> float:
    """Sets and returns the rate of a step, counted from 0: linear warmup, then half a cosine to 0, or constant.

    Each parameter group multiplies it by its `factor`.
    """
    if step < config.warmup:
        rate = config.learning_rate * (step + 1) / config.warmup
    elif config.schedule == "constant":
        rate = config.learning_rate
    else:
        progress = (step - config.warmup) / max(1, steps - config.warmup)
        rate = 0.5 * (1 + math.cos(math.pi * progress)) * config.learning_rate
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    return rate
