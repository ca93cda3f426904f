"""Ids that a text tower cannot take are an error here: in the tower they would be a crash, or worse, a wrong vector."""

import numpy as np

from seesay.errors import ModelError
from seesay.models.config import TextConfig
from seesay.models.families.clip_text.config import ClipTextConfig


def check_ids(ids: np.ndarray, text: TextConfig) -> None:
    """ids (N, L) against the tower: all within its vocabulary, not too long, and an end of text where it pools there."""
    if ids.size == 0:
        return
    if ids.min() < 0 or ids.max() >= text.vocabulary:
        wrong = int(ids.max() if ids.max() >= text.vocabulary else ids.min())
        raise ModelError(
            f"token id {wrong} is outside the text tower's vocabulary of {text.vocabulary}: "
            "this tokenizer belongs to another model"
        )
    if isinstance(text, ClipTextConfig):
        if ids.shape[1] > text.positions:
            raise ModelError(f"texts of {ids.shape[1]} tokens; the text tower takes at most {text.positions}")
        if text.pooling == "eos" and not (ids == text.eos_id).any(axis=1).all():
            row = int(np.flatnonzero(~(ids == text.eos_id).any(axis=1))[0])
            raise ModelError(
                f"text {row + 1} has no end-of-text token ({text.eos_id}), where this text tower is pooled; "
                "without one the vector would be that of its first token"
            )
