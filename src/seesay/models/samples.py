"""Sample inputs of a model's towers, made from its configuration alone, to compare what runs them."""

import numpy as np

from seesay.models.tower_config import TextTowerConfig

LONGEST = 77  # tokens of a sample text, at most


def sample_pixels(image_px: int, random: np.random.Generator) -> np.ndarray:
    """Three pictures (3, 3, H, W) float32, as normalised: soft shapes, fine noise, and halves of one colour each."""
    soft = random.standard_normal((3, 8, 8)).repeat(-(-image_px // 8), axis=1).repeat(-(-image_px // 8), axis=2)
    halves = np.full((3, image_px, image_px), -1.5)
    halves[:, :, image_px // 2 :] = random.uniform(-1, 2, (3, 1, 1))
    noise = random.standard_normal((3, image_px, image_px))
    return np.stack([soft[:, :image_px, :image_px], noise, halves]).astype(np.float32)


def sample_ids(config: TextTowerConfig, random: np.random.Generator) -> list[np.ndarray]:
    """Batches of one and of three texts (B, L) int64: short, uneven, and as long as the tower takes."""
    longest = LONGEST if config.max_tokens is None else config.max_tokens
    lengths = [longest] if config.needs_full_length else [3, 12, min(longest, LONGEST)]
    batches = []
    for length in lengths:
        for batch in (1, 3):
            ids = random.integers(2, config.vocabulary, (batch, min(length, longest)))
            if config.end_id is not None:
                ids[ids == config.end_id] = 2
            for row, end in zip(ids, random.integers(1, ids.shape[1], batch), strict=True):
                if config.end_id is not None:
                    row[end] = config.end_id
                row[end + 1 :] = config.pad_id or 0
            batches.append(ids.astype(np.int64))
    return batches
