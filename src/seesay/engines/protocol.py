"""What every engine promises."""

from typing import Literal, Protocol, runtime_checkable

import numpy as np

Capability = Literal["image", "text", "dense", "hidden_states", "gradients"]


@runtime_checkable
class HiddenStates(Protocol):
    """An engine that declares "hidden_states"."""

    def hidden_pixels(self, pixels: np.ndarray) -> list[np.ndarray]: ...

    def hidden_tokens(self, ids: np.ndarray) -> list[np.ndarray]: ...


class Engine(Protocol):
    """Runs the towers of one model. All outputs are float32 *raw* projections: `Model` brings them to unit length.

    A row never depends on its batch-mates beyond the tolerance stated on the model's card. Engines may be called from several
    threads at once.
    """

    @property
    def name(self) -> str:
        """A short name for `build_id`, such as "onnx"."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this engine can give; asking for anything else raises MissingCapability."""
        ...

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """pixels (B, 3, H, W) float32 -> (B, D)."""
        ...

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        """pixels (B, 3, H, W) float32 -> (B, rows, columns, D): features per cell or patch, in the shared space."""
        ...

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        """ids (B, L) int64, padded with the tokenizer's pad id -> (B, D)."""
        ...
