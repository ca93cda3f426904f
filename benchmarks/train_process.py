"""One contender of train_step.py, run by the peers' interpreter: `python train_process.py open_clip|padded|trimmed BATCH`.

Prints its name, then answers every line with the loss of one training step. "open_clip" is OpenCLIP's model, ClipLoss and
trainer's optimizer; the other two are ours, with texts padded to the context as OpenCLIP's are, and without padding.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

ARCHITECTURE, PX = "ViT-B-32", 224
CAPTIONS = (
    "Two dogs run through the snow with a stick .",
    "A man in a blue jacket climbs a rock wall above a lake .",
    "A little girl in a pink dress is jumping on a trampoline .",
    "Several people stand at the edge of the water and watch the boats .",
    "A black and white dog leaps over a hurdle .",
    "Children play football on a dusty field while their teacher looks on .",
    "A cyclist rides down a muddy path between tall trees .",
    "The boy laughs as he slides into the swimming pool .",
)


def main() -> None:
    kind, batch = sys.argv[1], int(sys.argv[2])
    levels = np.random.default_rng(0).integers(0, 256, (batch, 3, PX, PX), dtype=np.uint8)
    texts = [CAPTIONS[i % len(CAPTIONS)].replace(" .", f" {i} .") for i in range(batch)]
    step = original(levels, texts) if kind == "open_clip" else ours(levels, texts, padded=kind == "padded")
    print(kind, flush=True)
    for _ in sys.stdin:
        print(step(), flush=True)


def original(levels: np.ndarray, texts: list[str]) -> Callable[[], float]:
    import open_clip
    from open_clip.loss import ClipLoss

    model = open_clip.create_model(ARCHITECTURE, output_dict=True)
    model.train()
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    pixels = (torch.from_numpy(levels) / 255 - mean) / std
    ids = open_clip.tokenize(texts)
    named = list(model.named_parameters())

    def excluded(name: str, parameter: torch.nn.Parameter) -> bool:  # as open_clip_train.main
        return parameter.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))

    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in named if excluded(n, p)], "weight_decay": 0.0},
            {"params": [p for n, p in named if not excluded(n, p)], "weight_decay": 0.2},
        ],
        lr=1e-6,
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    loss = ClipLoss()

    def step() -> float:
        optimizer.zero_grad()
        total = sum(loss(**model(pixels, ids), output_dict=True).values())
        total.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.6052)
        return float(total.item())

    return step


def ours(levels: np.ndarray, texts: list[str], *, padded: bool) -> Callable[[], float]:
    from seesay.system.schema import from_json
    from seesay.training.data.loader import Batch
    from seesay.training.data.samples import Sample
    from seesay.training.recipe import Recipe
    from seesay.training.setup import set_up
    from seesay.training.start.freezing import set_training
    from seesay.training.step import Prepared, TrainingStep

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "captions.tsv"
        table.write_text("image\ttext\n" + "".join(f"{i}.jpg\t{text}\n" for i, text in enumerate(texts)))
        tower = {"architecture": ARCHITECTURE}
        spec = {"context_length": 77, "pad_id": 0, "padding": "context" if padded else "longest", "cleaning": "clip"}
        values = {
            "name": "benchmark",
            "steps": 1000,
            "out": folder,
            "model": {"dim": 512, "image": tower, "text": tower | {"tokenizer_spec": spec}},
            "data": {"batch": len(texts), "sources": [{"kind": "manifest", "path": str(table)}]},
            "optimizer": {"learning_rate": 1e-6},
        }
        parts = set_up(from_json(Recipe, values, "the recipe"))
    set_training(parts.clip, parts.recipe)
    samples = [Sample(Path(f"{i}.jpg"), text, str(i), None, str(i)) for i, text in enumerate(texts)]
    batch = Batch(samples, [Prepared(image) for image in levels], len(samples))
    train = TrainingStep(parts)
    return lambda: float(train(batch)["loss"])


if __name__ == "__main__":
    main()
