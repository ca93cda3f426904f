"""Checks token ids before they enter a text tower, which would crash on wrong ones or return a wrong vector."""

import numpy as np

from seesay.errors import ModelError
from seesay.models.tower_config import TextTowerConfig


def check_ids(ids: np.ndarray, text: TextTowerConfig) -> None:
    """Raises ModelError for ids (N, L) outside the tower's vocabulary, too long, or without the end at which it pools."""
    if ids.size == 0:
        return
    if ids.min() < 0 or ids.max() >= text.vocabulary:
        wrong = int(ids.max() if ids.max() >= text.vocabulary else ids.min())
        raise ModelError(
            f"token id {wrong} is outside the text tower's vocabulary of {text.vocabulary}: "
            "this tokenizer belongs to another model"
        )
    if text.max_tokens is not None and ids.shape[1] > text.max_tokens:
        raise ModelError(f"texts of {ids.shape[1]} tokens; the text tower takes at most {text.max_tokens}")
    if text.end_id is not None:
        has_end = (ids == text.end_id).any(axis=1)
        if not has_end.all():
            raise ModelError(
                f"text {int(has_end.argmin()) + 1} has no end-of-text token ({text.end_id}), where this text tower is pooled; "
                "without one the vector would be that of its first token"
            )
