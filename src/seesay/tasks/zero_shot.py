"""Classification without training: the label whose text lies nearest."""

from collections.abc import Sequence

import numpy as np

from seesay.models.encoder import Encoder
from seesay.tasks.prompts import Templates, label_embeddings


def classify(encoder: Encoder, images: np.ndarray, labels: Sequence[str], templates: Templates = None) -> np.ndarray:
    """Image embeddings (N, D) at unit length -> probabilities (N, len(labels)) float32."""
    return probabilities(encoder, images @ label_embeddings(encoder, labels, templates).T)


def probabilities(encoder: Encoder, cosines: np.ndarray) -> np.ndarray:
    """Cosines (N, labels) -> probabilities (N, labels) float32.

    Softmax over the labels at the model's own temperature (rows sum to 1); for models trained with the sigmoid loss, each
    label's own probability.
    """
    logits = encoder.logit_scale * cosines + encoder.logit_bias
    if encoder.score == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)
    logits = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(logits / logits.sum(axis=1, keepdims=True), dtype=np.float32)
