"""Small models whose gradients several processes compute together: `python -m` this module with FOLDER RANK COUNT."""

import os
import sys
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._C._distributed_c10d import FileStore

from seesay.errors import UnreadableImage
from seesay.training.accumulation import contrastive_step
from seesay.training.data.loader import Loader
from seesay.training.data.samples import Sample
from seesay.training.losses import CONTRASTIVE, DISTILLATION, class_loss
from seesay.training.losses.registry import ScaledPairs
from seesay.training.process_group import ProcessGroup
from seesay.training.processes import Processes
from seesay.training.shared_norms import share_norms
from tests.training.tables import Numbers

BATCH, CLASSES = 16, 5
Case = tuple[str, torch.dtype, int]  # what is computed, in which precision, in how many parts
KINDS = (
    "infonce",
    "infonce-ids",
    "infonce-far",
    "sigmoid",
    "sigmoid-ids",
    "class",
    "similarity",
    "embedding",
    "interactive",
    "norm",
)
CASES: list[Case] = [
    *((kind, dtype, parts) for kind in KINDS for dtype in (torch.float64, torch.float32) for parts in (1, 2)),
    ("classes", torch.float64, 1),
    ("frozen-images", torch.float64, 1),
    ("frozen-texts-sigmoid", torch.float64, 2),
    ("frozen-images-sigmoid", torch.float64, 1),
]


class Towers(nn.Module):
    """Two towers, with scale, bias and a layer of classes."""

    def __init__(self, kind: str, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)
        norm = nn.BatchNorm1d(8) if kind == "norm" else nn.Identity()
        self.image = nn.Sequential(nn.Linear(6, 8), norm, nn.Tanh(), nn.Linear(8, 5))
        self.text = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5))
        self.logit_scale = nn.Parameter(torch.tensor(5.5 if kind == "infonce-far" else 2.0))
        self.logit_bias = nn.Parameter(torch.tensor(-3.0))
        self.classifier = nn.Linear(5, CLASSES)
        self.image.requires_grad_("frozen-images" not in kind)
        self.text.requires_grad_("frozen-texts" not in kind)
        self.to(dtype).train()


def gradients(case: Case, processes: Processes) -> dict[str, Tensor]:
    """The loss of the batch, the gradients of all parameters, and the statistics of norms."""
    kind, dtype, parts = case
    towers = Towers(kind, dtype)
    if processes.count > 1:
        share_norms(towers, processes)
    random = torch.Generator().manual_seed(1)
    images, texts, teacher = (torch.randn(BATCH, d, dtype=dtype, generator=random) for d in (6, 4, 5))
    prompts = torch.randn(CLASSES, 4, dtype=dtype, generator=random)
    ids = torch.arange(BATCH) % 6 if kind.endswith("ids") else torch.arange(BATCH)
    labels = torch.arange(BATCH) % (CLASSES + 1) - 1
    if kind == "infonce-far":  # sums of rows underflow, so that they are computed with care
        texts[3] = 10 * texts[3]
    share = BATCH // processes.count
    # As the loader deals them: the rows of a batch whose number leaves the process's rank.
    rows = torch.arange(processes.rank, BATCH, processes.count)
    chunks = [rows[start : start + share // parts] for start in range(0, share, share // parts)]

    def encode(chunk: Tensor) -> tuple[Tensor, Tensor]:
        own = prompts if kind == "classes" else texts[chunk]
        return F.normalize(towers.image(images[chunk]), dim=-1), F.normalize(towers.text(own), dim=-1)

    def loss(image_vectors: Tensor, text_vectors: Tensor) -> Tensor:
        scale = towers.logit_scale.exp()
        pairs = ScaledPairs(image_vectors, text_vectors, scale)
        if kind in DISTILLATION.losses:
            target = F.normalize(teacher[rows], dim=-1)
            return DISTILLATION[kind].function(pairs, ScaledPairs(target, target.flip(1), scale.new_tensor(7.0)), processes)
        if kind == "class":
            return class_loss(towers.classifier(image_vectors), labels[rows], processes)
        if kind == "classes":
            return class_loss(scale * image_vectors @ text_vectors.T, labels[rows], processes)
        contrast = CONTRASTIVE["sigmoid" if "sigmoid" in kind else "infonce"]
        return contrast(pairs, towers.logit_bias, ids[rows], ids[rows] // 2 + 1, processes)

    if parts == 1:
        value = loss(*encode(chunks[0]))
        value.backward()  # type: ignore[no-untyped-call]
    else:
        value = contrastive_step(encode, chunks, loss)
    processes.sum_gradients(list(towers.parameters()))
    found = {name: parameter.grad for name, parameter in towers.named_parameters() if parameter.grad is not None}
    return {"loss": processes.sum(value.detach()), **found, **dict(towers.named_buffers())}


def noisy(sample: Sample, rng: object) -> tuple[str, float]:
    if sample.text.endswith("3"):
        raise UnreadableImage(sample.name, "is damaged")
    return sample.text, float(rng.random())  # type: ignore[attr-defined]


def dealt(processes: Processes) -> list[tuple[list[tuple[str, float]], int, dict[str, int]]]:
    """Of some batches with bad samples among them: this process's share, the position after it, and what was left out."""
    loader = Loader(Numbers(50, frozenset([4, 5, 8])), noisy, batch=8, seed=3, threads=1, processes=processes)
    return [(batch.values, batch.position, dict(loader.skipped.reasons)) for batch in islice(loader, 12)]


def exchanged(group: ProcessGroup) -> dict[str, object]:
    """What the simple exchanges give."""
    number = torch.tensor([group.rank])
    return {
        "json": group.gather_json({"rank": group.rank, "word": "词" * group.rank}),
        "lead": group.of_lead(group.rank),
        "before": int(group.pass_on(number)[0]),
        "any": [group.any(False), group.any(group.rank == 1)],
        "first": group.first(lambda: group.rank),
        "arrays": [len(part) for part in group.gather_arrays(number.repeat(group.rank).numpy())],
    }


def late(group: ProcessGroup) -> str:
    """The error of the processes for which the last one does not come."""
    if group.rank == group.count - 1:
        return ""
    try:
        group.sum(torch.ones(1))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def main(folder: Path, rank: int, count: int) -> None:
    torch.set_num_threads(1)
    group = ProcessGroup(FileStore(str(folder / f"store-{count}"), count), rank, count)
    group.begin(60)
    results: dict[str, object] = {"dealt": dealt(group), "exchanged": exchanged(group)}
    for case in CASES:
        results[str(case)] = gradients(case, group)
    group.end()
    group = ProcessGroup(FileStore(str(folder / f"late-{count}"), count), rank, count)
    group.begin(2)
    results["late"] = late(group)
    torch.save(results, folder / f"{count}-{rank}.pt")
    os._exit(0)  # without waiting for threads of a group that has failed


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
