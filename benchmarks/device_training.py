"""Checks of training on a device: the trainer's own steps with each setting, beside plain ones on the CPU in float32."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from device_check import Absent, Check, Found, distance, rate
from train_process import CAPTIONS

from seesay.errors import InputError
from seesay.models.layers.compilation import check_compiler
from seesay.system.schema import from_json
from seesay.training.data.loader import Batch
from seesay.training.data.samples import Sample
from seesay.training.recipe import Recipe
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.observer import Observer
from seesay.training.setup import set_up
from seesay.training.start.freezing import set_training
from seesay.training.step import Prepared, TrainingStep
from seesay.training.trainer import train

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
STEPS = 3
AGAINST = "plain float32 steps on the CPU; length of the difference of the first gradient"
VIT = {"kind": "vit", "patch_px": 16, "activation": "gelu", "layer_norm_eps": 1e-5}
TEXT = {"kind": "clip-text", "vocabulary": 49408, "positions": 40, "activation": "gelu", "layer_norm_eps": 1e-5}
TEXT |= {"causal": True, "pooling": "eos", "eos_id": 49407}
RESNET = {"kind": "modified-resnet", "stages": [1, 1, 2, 1]}


@dataclass(frozen=True)
class Size:
    """Of what is trained: a laptop's in the reduced form, else enough to fill a GPU for a moment."""

    batch: int
    image: dict[str, Any]
    text: dict[str, Any]
    resnet: dict[str, Any]


SMALL = Size(
    batch=8,
    image=VIT | {"image_px": 64, "width": 64, "depth": 2, "heads": 2, "mlp_width": 128},
    text=TEXT | {"width": 64, "depth": 2, "heads": 2, "mlp_width": 128},
    resnet=RESNET | {"image_px": 64, "width": 8, "heads": 4},
)
LARGE = Size(
    batch=128,
    image=VIT | {"image_px": 224, "width": 384, "depth": 6, "heads": 6, "mlp_width": 1536},
    text=TEXT | {"width": 256, "depth": 4, "heads": 4, "mlp_width": 1024},
    resnet=RESNET | {"image_px": 128, "width": 32, "heads": 16},
)
# Setting, as in a recipe; largest difference. Matrix products add in another order on a GPU, and bfloat16 keeps 8 bits of a
# number, float16 11.
SETTINGS: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("float32", {}, 1e-3),
    ("bfloat16", {"precision": "bfloat16"}, 1e-1),
    ("float16 with a scaler", {"precision": "float16"}, 3e-2),
    ("compiled", {"compile": True}, 1e-3),
    ("compiled, bfloat16", {"compile": True, "precision": "bfloat16"}, 1e-1),
    ("recomputed", {"recompute": True}, 1e-3),
    ("compiled and recomputed", {"compile": True, "recompute": True}, 1e-3),
    ("a batch in 4 parts", {"parts": 4}, 1e-3),
    ("sigmoid loss", {"loss": "sigmoid"}, 1e-3),
    ("convolutions, channels last", {"resnet": True}, 1e-2),
    ("convolutions, bfloat16", {"resnet": True, "precision": "bfloat16"}, 3e-1),
)
REFERENCE = ("resnet", "loss")  # settings that the reference shares, for they change what is computed


@dataclass(frozen=True)
class Steps:
    """A few steps: their losses, and the gradient of the first, on the CPU. again: makes one more."""

    losses: list[float]
    gradient: torch.Tensor
    again: Callable[[], Any]


def training_checks(device: torch.device, seconds: float, size: Size) -> list[Check]:
    """Gradients with every setting; patch dropout; the optimizer; and a run that is stopped and resumed."""
    checks = [
        Check(f"training, {name}", AGAINST, tolerance, partial(training, device, seconds, size, setting))
        for name, setting, tolerance in SETTINGS
    ]
    return [
        *checks,
        Check(
            "training, half of the patches",
            "the same again; difference of losses",
            1e-3,
            partial(dropped, device, seconds, size),
        ),
        Check("fused AdamW", "plain AdamW on the CPU; largest difference of weights", 1e-5, partial(fused_adamw, device)),
        Check("a run that is resumed", "an unbroken one; length of the difference of weights", 1e-3, partial(resumed, device)),
    ]


def training(device: torch.device, seconds: float, size: Size, setting: dict[str, Any]) -> Found:
    if setting.get("compile"):
        try:
            check_compiler(device)
        except InputError as error:
            raise Absent(str(error)) from None
    shared = tuple((key, setting[key]) for key in REFERENCE if key in setting)
    expected = reference(size is SMALL, shared)
    found = steps(device, size, setting)
    speed = rate(found.again, size.batch, device, seconds)
    moved = max(abs(one - other) / other for one, other in zip(found.losses, expected.losses, strict=True))
    return Found(
        distance(found.gradient, expected.gradient), speed, f"losses of {STEPS} steps differ by {moved:.1e}{memory(device)}"
    )


def memory(device: torch.device) -> str:
    """The most memory that a check held on a GPU."""
    if device.type != "cuda":
        return ""
    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return f", {peak / 1e9:.2f} GB"


@cache
def reference(small: bool, shared: tuple[tuple[str, Any], ...]) -> Steps:
    """Plain steps in float32 on the CPU."""
    return steps(torch.device("cpu"), SMALL if small else LARGE, dict(shared))


def steps(device: torch.device, size: Size, setting: dict[str, Any]) -> Steps:
    """The trainer's steps over noise and captions, from the same weights every time."""
    with tempfile.TemporaryDirectory() as folder:
        step, batch = prepared(Path(folder), device, size, setting)
    losses, gradient = [], torch.empty(0)
    for _ in range(STEPS):
        losses.append(float(step(batch)["loss"]))
        step.parts.state.step += 1
        if not len(gradient) or not torch.isfinite(gradient).all():  # a scale that is too large changes no weight
            gradient = torch.cat([one.grad.float().cpu().flatten() for one in step.parts.trainable if one.grad is not None])
    return Steps(losses, gradient, partial(step, batch))


def prepared(folder: Path, device: torch.device, size: Size, setting: dict[str, Any]) -> tuple[TrainingStep, Batch[Prepared]]:
    texts = [CAPTIONS[i % len(CAPTIONS)].replace(" .", f" {i} .") for i in range(size.batch)]
    table = folder / "captions.tsv"
    table.write_text("image\ttext\n" + "".join(f"{i}.jpg\t{text}\n" for i, text in enumerate(texts)), encoding="utf-8")
    image = {"config": size.resnet if setting.get("resnet") else size.image, "recompute": setting.get("recompute", False)}
    values = {
        "name": "check",
        "steps": 1000,
        "device": device.type,
        "out": str(folder / "run"),
        "precision": setting.get("precision", "float32"),
        "compile": setting.get("compile", False),
        "model": {
            "dim": 64,
            "image": image | {"patch_dropout": setting.get("dropout", 0.0)},
            "text": {"config": size.text, "recompute": setting.get("recompute", False)},
        },
        "loss": {"kind": setting.get("loss", "infonce")},
        "data": {
            "batch": size.batch,
            "parts": setting.get("parts", 1),
            "sources": [{"kind": "manifest", "path": str(table)}],
        },
        "optimizer": {"learning_rate": 1e-4, "clip_norm": 1e9},  # nothing is clipped, but a scale is taken out of the gradients
    }
    parts = set_up(from_json(Recipe, values, "the recipe"))
    set_training(parts.clip, parts.recipe)
    px = image["config"]["image_px"]
    levels = np.random.default_rng(0).integers(0, 256, (size.batch, 3, px, px), dtype=np.uint8)
    samples = [Sample(Path(f"{i}.jpg"), text, str(i), None, str(i)) for i, text in enumerate(texts)]
    return TrainingStep(parts), Batch(samples, [Prepared(levels[i]) for i in range(size.batch)], size.batch)


def dropped(device: torch.device, seconds: float, size: Size) -> Found:
    """The same patches are dropped where seed and step are the same."""
    first, second = (steps(device, size, {"dropout": 0.5}) for _ in range(2))
    speed = rate(first.again, size.batch, device, seconds)
    whole = steps(device, size, {}).losses[0]
    if first.losses[0] == whole:
        raise AssertionError("nothing was dropped")
    return Found(max(abs(a - b) for a, b in zip(first.losses, second.losses, strict=True)), speed)


def fused_adamw(device: torch.device) -> Found:
    """Ten steps over the same gradients, in groups with and without decay, as the trainer has them."""
    random = torch.Generator().manual_seed(0)
    weights = [torch.randn(40, 30, generator=random), torch.randn(30, generator=random)]
    gradients = [[torch.randn(one.shape, generator=random) for one in weights] for _ in range(10)]
    after = []
    for place, kernel in ((device, {"fused": True}), (torch.device("cpu"), {"fused": False, "foreach": False})):
        own = [one.to(place).clone().requires_grad_() for one in weights]
        groups = [{"params": own[:1], "weight_decay": 0.2}, {"params": own[1:], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), eps=1e-6, **kernel)
        for each in gradients:
            for one, gradient in zip(own, each, strict=True):
                one.grad = gradient.to(place)
            optimizer.step()
        after.append(torch.cat([one.detach().cpu().flatten() for one in own]))
    return Found(float((after[0] - after[1]).abs().max()))


class Stop(Observer):
    """Stops after the fourth step."""

    def __init__(self) -> None:
        self.done = 0

    def on_step(self, record: Any) -> None:
        self.done = record["step"]

    def should_stop(self) -> bool:
        return self.done >= 4


def resumed(device: torch.device) -> Found:
    """Whole runs of the trainer on the example photos, with everything that draws random numbers; their models are exported."""
    folder = Path(tempfile.mkdtemp(prefix="seesay-check-"))
    try:
        finished = train(run_recipe(device, folder / "whole"))
        train(run_recipe(device, folder / "broken"), observer=Stop())
        train(run_recipe(device, folder / "broken"), resume=True)
        whole, broken = (weights(folder / name) for name in ("whole", "broken"))
        if finished.model is None or not any((finished.model).glob("*.onnx")):
            raise AssertionError("the run left no model with graphs")
        return Found(distance(broken, whole), note="bit-equal" if torch.equal(whole, broken) else "")
    finally:
        shutil.rmtree(folder)


def run_recipe(device: torch.device, out: Path, steps: int = 8) -> Recipe:
    """A small run on the example photos."""
    image = {"config": SMALL.image, "patch_dropout": 0.5}
    values = {
        "name": "check",
        "steps": steps,
        "device": device.type,
        "out": str(out),
        "model": {"dim": 32, "image": image, "text": {"config": SMALL.text}},
        "data": {
            "batch": 16,
            "augment": {"crop_scale": [0.5, 1.0]},
            "sources": [{"kind": "folder", "path": str(PHOTOS)}],
        },
        "optimizer": {"learning_rate": 1e-3, "ema": 0.9, "clip_norm": 1.0},
    }
    return from_json(Recipe, values, "the recipe")


def weights(folder: Path) -> torch.Tensor:
    content = CheckpointFolder(folder / "checkpoints", 2).last()
    assert content is not None
    return torch.cat([tensor.float().flatten() for tensor in content["weights"].values()])
