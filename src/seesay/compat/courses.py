"""`CLIP.pretrained()`: the short form in which courses and books introduce CLIP models."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seesay.compat import clip
    from seesay.compat.processors import Preprocess


class CLIP:
    """model, preprocess = CLIP.pretrained(); then model.tokenize(texts), model.encode_image(pixels), model.encode_text(ids).

    The class itself needs no torch, so that `from seesay import *` works without; the model that `pretrained` returns does.
    """

    @staticmethod
    def pretrained(name: str = "bundled", device: str | None = None) -> "tuple[clip.CLIP, Preprocess]":
        """A model in torch and its preprocessing, as `compat.clip.load` returns them. Raises MissingExtra, ModelError."""
        from seesay.compat.clip import load

        return load(name, device=device)
