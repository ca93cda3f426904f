"""One contender of contrastive_loss.py: `python loss_process.py plain`, or `python loss_process.py TILE` for ours.

Answers "prepare N" with "ready", and "run" with the loss and the extra bytes that computing it and its gradients needed.
"""

import ctypes
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from seesay.training.losses import info_nce

DIM = 512
SCALE = 100.0  # the bound that CLIP's scale reaches in training
STATUS = Path("/proc/self/status")


def main() -> None:
    kind = sys.argv[1]
    tensors: list[torch.Tensor] = []
    print(kind, flush=True)
    for line in sys.stdin:
        task, *arguments = line.split()
        if task == "prepare":
            tensors = vectors(int(arguments[0]))
            print("ready", flush=True)
            continue
        ctypes.CDLL(None).malloc_trim(0)  # memory that earlier calls freed must not count as held
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = held("VmRSS")
        loss = plain(*tensors) if kind == "plain" else info_nce(tensors[0], tensors[1], tensors[2], tile=int(kind))
        loss.backward()
        peak = held("VmHWM")
        for tensor in tensors:
            tensor.grad = None
        print(loss.item(), peak - before, flush=True)


def vectors(count: int) -> list[torch.Tensor]:
    """Images, texts at cosines of about 0.2 to them, as with a trained CLIP, and the scale."""
    torch.manual_seed(0)
    images = F.normalize(torch.randn(count, DIM), dim=-1)
    texts = F.normalize(images + 0.2 * torch.randn(count, DIM), dim=-1)
    return [images.requires_grad_(), texts.requires_grad_(), torch.tensor(SCALE, requires_grad=True)]


def plain(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor) -> Any:
    per_image = scale * images @ texts.T
    per_text = scale * texts @ images.T
    labels = torch.arange(len(images))
    return (F.cross_entropy(per_image, labels) + F.cross_entropy(per_text, labels)) / 2


def held(field: str) -> int:
    """Bytes of this process by a field of /proc/self/status."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
