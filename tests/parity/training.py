"""Our loop and OpenCLIP's own `train_one_epoch`, from the same weights over the same 50 batches: the losses, step by step.

    python -m tests.parity.training [--data FOLDER]    FOLDER has captions.tsv (image, split, lang, text) and images/;
                                                       without it, the example photos with their names as captions
In float64 the two have to agree within 1e-9. In float32 rounding grows from step to step, in a ResNet by a factor of ten every
dozen of steps; that is printed too, and held to 1e-4 for the ViT.
"""

import argparse
import contextlib
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.factory import add_model_config
from open_clip.loss import ClipLoss
from open_clip_train.scheduler import cosine_lr
from open_clip_train.train import train_one_epoch
from safetensors.torch import save_file

from seesay.images.preprocess import normalize
from seesay.system.schema import from_json
from seesay.training.data.loader import Loader
from seesay.training.recipe import Recipe
from seesay.training.run.log import read_log
from seesay.training.setup import set_up
from seesay.training.trainer import Trainer

STEPS, BATCH, WARMUP, RATE = 50, 32, 10, 5e-4
TOLERANCES = {("ViT + transformer", torch.float32): 1e-4, ("ViT + transformer", torch.float64): 1e-9}
TOLERANCES |= {("ResNet + transformer", torch.float32): math.inf, ("ResNet + transformer", torch.float64): 1e-9}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3}
MODELS: dict[str, dict[str, Any]] = {
    "ViT + transformer": {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 96, "layers": 3, "head_width": 32},
        "text_cfg": TEXT,
    },
    "ResNet + transformer": {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 2, 1], "width": 16, "head_width": 32},
        "text_cfg": TEXT,
    },
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    data_folder = parser.parse_args().data
    good = True
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        table = data_folder / "captions.tsv" if data_folder else photos(Path(place))
        for (name, dtype), tolerance in TOLERANCES.items():
            folder = Path(place) / f"{name.split()[0]}-{str(dtype)[6:]}"
            native, foreign = losses(folder, MODELS[name], table, "train" if data_folder else None, dtype)
            difference = np.abs(np.array(native) - np.array(foreign))
            most, at = difference.max(), difference.argmax() + 1
            fell = f"loss {foreign[0]:.4f} to {foreign[-1]:.4f}"
            print(f"{name}, {str(dtype)[6:]}: {fell}; largest difference {most:.1e} at step {at} of {STEPS}", flush=True)
            good = good and bool(most <= tolerance)
    return 0 if good else 1


def photos(place: Path) -> Path:
    """A table of the example photos, their names as captions."""
    folder = Path(__file__).parents[2] / "examples" / "photos"
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".jpg", ".png", ".webp"))
    table = place / "captions.tsv"
    table.write_text("image\ttext\n" + "".join(f"{file}\t{file.stem.replace('-', ' ')}\n" for file in files), encoding="utf-8")
    return table


def losses(
    folder: Path, config: dict[str, Any], table: Path, split: str | None, dtype: torch.dtype
) -> tuple[list[float], list[float]]:
    """Ours and theirs, one a step."""
    torch.manual_seed(0)
    add_model_config_of(folder, config)
    model = open_clip.create_model(folder.name, output_dict=True)
    torch.save(model.state_dict(), folder / "start.pt")
    source = {"kind": "manifest", "path": str(table)} | ({"split": split, "languages": {"en": 1.0}} if split else {})
    values = {
        "name": "parity",
        "steps": STEPS,
        "log_every": 1,
        "out": str(folder / "run"),
        "model": {"start": str(start(folder, config))},
        "data": {"batch": BATCH, "sources": [source], "identities": False},
        "optimizer": {"learning_rate": RATE, "warmup": WARMUP},
    }
    trainer = Trainer(set_up(from_json(Recipe, values, "the recipe")))
    trainer.parts.clip.to(dtype)
    model.to(dtype)
    batches = [(pixels.to(dtype), ids) for pixels, ids in fed(trainer)]
    trainer.run()
    native = [record["loss"] for record in read_log(folder / "run" / "log.jsonl")]
    return native, original(model, batches)


def start(folder: Path, config: dict[str, Any]) -> Path:
    """The first weights as a folder that our loader opens."""
    start_folder = folder / "start"
    start_folder.mkdir()
    state = torch.load(folder / "start.pt", weights_only=True)
    save_file({name: value.contiguous() for name, value in state.items()}, start_folder / "open_clip_model.safetensors")
    preprocess = {"size": 64, "mode": "RGB", "interpolation": "bicubic", "resize_mode": "shortest"}
    preprocess |= {"mean": list(open_clip.OPENAI_DATASET_MEAN), "std": list(open_clip.OPENAI_DATASET_STD), "fill_color": 0}
    (start_folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    return start_folder


def add_model_config_of(folder: Path, config: dict[str, Any]) -> None:
    folder.mkdir()
    (folder / f"{folder.name}.json").write_text(json.dumps(config))
    add_model_config(folder / f"{folder.name}.json")


def fed(trainer: Trainer) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches that our loop is going to see, pixels (B, 3, H, W) and ids (B, 77) as OpenCLIP pads them."""
    spec = trainer.parts.clip.config.image_spec
    assert spec is not None
    loader = Loader(trainer.parts.source, trainer.step.prepare, batch=BATCH, seed=trainer.recipe.seed)
    for _, batch in zip(range(STEPS), loader, strict=False):
        pixels = normalize(np.stack([value.image for value in batch.values]), spec)
        yield torch.from_numpy(pixels), open_clip.tokenize([sample.text for sample in batch.samples])


def original(model: torch.nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> list[float]:
    """OpenCLIP's loop with its defaults for this optimizer and schedule."""
    contrastive_losses: list[float] = []
    loss = ClipLoss()

    class Noted(torch.nn.Module):
        def forward(self, **inputs: Any) -> Any:
            losses = loss(**inputs)
            contrastive_losses.append(losses["contrastive_loss"].item())
            return losses

    class Batches:
        num_batches, num_samples = STEPS, STEPS * BATCH

        def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            return iter(batches)

    def excluded(name: str, parameter: torch.nn.Parameter) -> bool:  # as open_clip_train.main
        return parameter.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))

    named = list(model.named_parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in named if excluded(n, p)], "weight_decay": 0.0},
            {"params": [p for n, p in named if not excluded(n, p)], "weight_decay": 0.2},
        ],
        lr=RATE,
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    args = SimpleNamespace(
        device="cpu", precision="fp32", distill=False, accum_freq=1, skip_scheduler=False, horovod=False, grad_clip_norm=None,
        rank=0, world_size=1, log_every_n_steps=STEPS, batch_size=BATCH, wandb=False, local_rank=0, log_local=False,
    )  # fmt: skip
    data = {"train": SimpleNamespace(dataloader=Batches(), set_epoch=lambda epoch: None)}
    scheduler = cosine_lr(optimizer, RATE, WARMUP, STEPS)
    train_one_epoch(model, data, Noted(), 0, optimizer, None, scheduler, None, args)
    assert len(contrastive_losses) == STEPS
    assert math.isfinite(contrastive_losses[-1])
    return contrastive_losses


if __name__ == "__main__":
    sys.exit(main())
