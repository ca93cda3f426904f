"""Zero-shot classification: the label whose text is nearest to the image."""

from collections.abc import Sequence

import numpy as np

from seesay.models.encoder import Encoder
from seesay.tasks.prompts import Templates, label_embeddings


def classify(encoder: Encoder, images: np.ndarray, labels: Sequence[str], templates: Templates = None) -> np.ndarray:
    """Image embeddings (N, D) at unit length -> probabilities (N, len(labels)) float32 (see `Logits.probabilities`)."""
    return encoder.logits.probabilities(images @ label_embeddings(encoder, labels, templates).T)
