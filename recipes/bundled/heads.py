"""The first part of the space: what contrast learns from captions with the towers as they were published.

Linear heads on features that were made once, a minute of training; the towers are then taught from there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.system.files import read_arrays, write_arrays
from seesay.training.losses import info_nce

STEPS, BATCH, RATE, DECAY, DROPOUT = 250, 1024, 2e-3, 0.1, 0.3
TEMPERATURE = 0.05
FEATURE_LENGTH, VECTOR_LENGTH = 6.0, 1.5  # of what the heads see, on average: the learning rate is for these


@dataclass(frozen=True)
class Heads:
    """image (D, 1280), of features less the mean photo's; text (D, 384), of unit vectors less their centre."""

    image: np.ndarray
    text: np.ndarray


def fit(pictures: np.ndarray, seen: np.ndarray, texts: np.ndarray, meant: np.ndarray, own: np.ndarray, dim: int) -> Heads:
    """pictures (N, 1280) and texts (M, 384), both centred; own (M,): which picture a text is of. seen (N, R), meant (M, R): the
    other parts of the space, which the contrast has beside the learnt one."""
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    scaled = torch.from_numpy(pictures / np.linalg.norm(pictures, axis=1).mean() * FEATURE_LENGTH).float()
    centred = torch.from_numpy(texts / np.linalg.norm(texts, axis=1).mean() * VECTOR_LENGTH).float()
    rest_of_picture, rest_of_text = torch.from_numpy(seen).float(), torch.from_numpy(meant).float()

    def head(width: int) -> Tensor:
        weight: Tensor = torch.randn(dim, width, generator=generator) * width**-0.5
        return weight.requires_grad_()

    image, text = head(pictures.shape[1]), head(texts.shape[1])
    log_scale = torch.tensor(-np.log(TEMPERATURE), dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.AdamW([image, text, log_scale], lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.1)
    by_picture = np.split(np.argsort(own, kind="stable"), np.cumsum(np.bincount(own, minlength=len(pictures)))[:-1])
    torch.manual_seed(0)  # of dropout
    for step in range(STEPS):
        chosen = rng.permutation(len(pictures))[:BATCH]
        said = np.array([rng.choice(by_picture[i]) for i in chosen])
        vectors = torch.cat([F.dropout(scaled[chosen], DROPOUT) @ image.T, rest_of_picture[chosen]], dim=1)
        wanted = torch.cat([centred[said] @ text.T, rest_of_text[said]], dim=1)
        loss = info_nce(F.normalize(vectors), F.normalize(wanted), log_scale.exp())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            print(f"heads: step {step + 1}/{STEPS}, loss {loss.item():.3f}", flush=True)
    to_features = FEATURE_LENGTH / np.linalg.norm(pictures, axis=1).mean()
    to_vectors = VECTOR_LENGTH / np.linalg.norm(texts, axis=1).mean()
    return Heads(image.detach().numpy() * np.float32(to_features), text.detach().numpy() * np.float32(to_vectors))


def read(file: Path) -> Heads | None:
    stored = read_arrays(file)
    return None if stored is None else Heads(stored["image"], stored["text"])


def write(file: Path, heads: Heads) -> None:
    write_arrays(file, image=heads.image, text=heads.text)
