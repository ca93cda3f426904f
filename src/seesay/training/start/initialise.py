"""First scale and bias of the logits of a model that is trained from scratch."""

import math

import torch

from seesay.models.clip import Clip

FIRST_SCALE = {"infonce": math.log(1 / 0.07), "sigmoid": math.log(10)}
FIRST_BIAS = -10.0  # of the sigmoid loss: most pairs do not match


def first_numbers(clip: Clip, kind: str, temperature: float | None) -> None:
    """Sets the scale of cosines, from the temperature where one is given, and for the sigmoid loss its bias."""
    with torch.no_grad():
        clip.logit_scale.fill_(FIRST_SCALE[kind] if temperature is None else -math.log(temperature))
        if clip.logit_bias is not None:
            clip.logit_bias.fill_(FIRST_BIAS)
