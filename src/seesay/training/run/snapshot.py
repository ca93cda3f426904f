"""The content of a checkpoint: read from the parts of a run, and restored into them."""

from typing import Any

import torch

from seesay.errors import InputError
from seesay.system.schema import to_json
from seesay.training.data.skipped import SkippedSamples
from seesay.training.parts import RunParts
from seesay.training.recipe import Validation
from seesay.training.sharding import as_in
from seesay.training.validation import Search


def snapshot(parts: RunParts) -> dict[str, Any]:
    """Everything that a run needs to continue bit for bit; tensors, numbers, strings, lists and dicts of them."""
    state = parts.state
    random = {"cpu": torch.get_rng_state()}
    if parts.device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(parts.device)
    return {
        "step": state.step,
        "position": state.position,
        "weights": parts.clip.state_dict(),
        "objective": parts.objective.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "scaler": parts.scaler.state_dict(),
        "ema": parts.ema.state_dict() if parts.ema else None,
        "random": random,
        "validation": _measurement(parts.recipe.validation),
        "validated": state.validated,
        "best": state.best,
        "stale": state.stale,
        "searches": [{"text": s.text, "right": s.target, "found": list(s.results)} for s in state.searches],
        "unread": to_json(parts.validation_skipped),
        "left_out": to_json(state.skipped),
    }


def restore(parts: RunParts, content: dict[str, Any]) -> None:
    """Sets the parts, and torch's random state, to those of a checkpoint. The recipe's own optimizer settings stay."""
    state = parts.state
    state.step, state.position = content["step"], content["position"]
    current = parts.clip.state_dict()
    parts.clip.load_state_dict({name: as_in(tensor, current[name]) for name, tensor in content["weights"].items()})
    parts.objective.load_state_dict(content["objective"])
    _restore_optimizer(parts.optimizer, content["optimizer"])
    if content["scaler"]:  # only float16 has one
        parts.scaler.load_state_dict(content["scaler"])
    if parts.ema is not None and content["ema"] is not None:
        averages = {name: as_in(tensor, current[name]) for name, tensor in content["ema"]["values"].items()}
        parts.ema.load_state_dict({**content["ema"], "values": averages})
    elif parts.ema is not None:
        parts.ema.restart(parts.clip)  # the run had none before
    if content["validation"] == _measurement(parts.recipe.validation):
        state.best, state.validated, state.stale = content["best"], content["validated"], content.get("stale", 0)
        state.searches = [Search(s["text"], s["right"], tuple(s["found"])) for s in content["searches"]]
        if parts.validator is not None:
            parts.validator.skipped = SkippedSamples.from_json(content["unread"])
    elif content["best"] is not None:
        parts.observer.note("the validation is another than before: earlier scores do not count")
    state.skipped = SkippedSamples.from_json(content["left_out"])
    torch.set_rng_state(content["random"]["cpu"])
    if "cuda" in content["random"] and parts.device.type == "cuda":
        torch.cuda.set_rng_state(content["random"]["cuda"], parts.device)


def _restore_optimizer(optimizer: torch.optim.Optimizer, content: dict[str, Any]) -> None:
    if [len(group["params"]) for group in optimizer.param_groups] != [len(g["params"]) for g in content["param_groups"]]:
        raise InputError(
            "optimizer.layer_decay: expected the value with which the run began, got another; it groups the layers"
        )
    settings = [{key: group[key] for key in ("betas", "eps", "weight_decay", "factor")} for group in optimizer.param_groups]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states = {
        number: {
            key: as_in(value, parameters[number]) if isinstance(value, torch.Tensor) else value for key, value in own.items()
        }
        for number, own in content["state"].items()
    }
    optimizer.load_state_dict({**content, "state": states})
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group |= own


def _measurement(validation: Validation | None) -> Any:
    """What a validation measures, as JSON: scores are comparable where it is equal."""
    how_often = ("every", "patience")
    return {key: value for key, value in to_json(validation).items() if key not in how_often} if validation else None
