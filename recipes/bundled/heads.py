"""Initial heads of the learnt part of the space: contrastive training on features of the published towers.

Linear heads on precomputed features, a minute of training; the towers are then trained from there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.system.files import read_arrays, write_arrays
from seesay.training.losses import info_nce

STEPS = 250
BATCH = 1024
RATE = 2e-3
DECAY = 0.1
DROPOUT = 0.3
TEMPERATURE = 0.05
# Mean lengths of the heads' inputs, which the learning rate assumes
FEATURE_LENGTH = 6.0
VECTOR_LENGTH = 1.5


@dataclass(frozen=True)
class Heads:
    """image (D, 1280), for features less the mean photo's; text (D, 384), for unit vectors less their centre."""

    image: np.ndarray
    text: np.ndarray


def fit(
    images: np.ndarray,
    other_image_parts: np.ndarray,
    texts: np.ndarray,
    other_text_parts: np.ndarray,
    owners: np.ndarray,
    dim: int,
) -> Heads:
    """Trains the heads on images (N, 1280) and texts (M, 384), both centred; owners (M,): the image of each text.

    other_image_parts (N, R), other_text_parts (M, R): the other parts of the space, which the contrastive loss includes.
    """
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    scaled = torch.from_numpy(images / np.linalg.norm(images, axis=1).mean() * FEATURE_LENGTH).float()
    centred = torch.from_numpy(texts / np.linalg.norm(texts, axis=1).mean() * VECTOR_LENGTH).float()
    other_image, other_text = torch.from_numpy(other_image_parts).float(), torch.from_numpy(other_text_parts).float()

    def head(width: int) -> Tensor:
        weight: Tensor = torch.randn(dim, width, generator=generator) * width**-0.5
        return weight.requires_grad_()

    image, text = head(images.shape[1]), head(texts.shape[1])
    log_scale = torch.tensor(-np.log(TEMPERATURE), dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.AdamW([image, text, log_scale], lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.1)
    texts_by_image = np.split(np.argsort(owners, kind="stable"), np.cumsum(np.bincount(owners, minlength=len(images)))[:-1])
    torch.manual_seed(0)  # for dropout
    for step in range(STEPS):
        rows = rng.permutation(len(images))[:BATCH]
        captions = np.array([rng.choice(texts_by_image[i]) for i in rows])
        image_vectors = torch.cat([F.dropout(scaled[rows], DROPOUT) @ image.T, other_image[rows]], dim=1)
        text_vectors = torch.cat([centred[captions] @ text.T, other_text[captions]], dim=1)
        loss = info_nce(F.normalize(image_vectors), F.normalize(text_vectors), log_scale.exp())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            print(f"heads: step {step + 1}/{STEPS}, loss {loss.item():.3f}", flush=True)
    to_features = FEATURE_LENGTH / np.linalg.norm(images, axis=1).mean()
    to_vectors = VECTOR_LENGTH / np.linalg.norm(texts, axis=1).mean()
    return Heads(image.detach().numpy() * np.float32(to_features), text.detach().numpy() * np.float32(to_vectors))


def read(file: Path) -> Heads | None:
    """The stored heads, if any."""
    stored = read_arrays(file)
    return None if stored is None else Heads(stored["image"], stored["text"])


def write(file: Path, heads: Heads) -> None:
    """Stores the heads for `read`."""
    write_arrays(file, image=heads.image, text=heads.text)
