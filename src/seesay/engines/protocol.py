"""The protocol of an engine: what runs the two towers of a model, arrays in and arrays out."""

from typing import Literal, Protocol

import numpy as np

from seesay.errors import MissingCapability
from seesay.models.fields import Modality

Capability = Literal["image", "text", "dense", "regions", "masks", "hidden_states", "gradients"]


class Engine(Protocol):
    """Runs the towers of one model. All outputs are float32 *raw* projections: `Model` normalizes them.

    A row never depends on its batch-mates beyond the tolerance stated on the model's card. Engines may be called from several
    threads at once. Derived classes inherit defaults for all that is not encoding.
    """

    concurrent_runs: int = 1  # how many runs at a time the engine is prepared for; more share its cores less well

    @property
    def name(self) -> str:
        """A short name for `build_id`, such as "onnx"."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The outputs that this engine can compute."""
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

    def find_regions(self, pixels: np.ndarray) -> np.ndarray:
        """pixels (B, 3, H, W) float32 -> (B, N, columns): what each patch shows, which `models.regions` splits.

        Raises MissingCapability where the engine does not offer "regions".
        """
        raise MissingCapability(f"the {self.name} engine finds no boxes; open the model with ONNX Runtime or torch")

    def find_masks(self, pixels: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """pixels (B, 3, H, W) and queries (Q, D), raw projections -> logits (B, Q, H, W) of their masks.

        Raises MissingCapability where the engine does not offer "masks".
        """
        raise MissingCapability(f"the {self.name} engine draws no masks; open the model with ONNX Runtime or torch")

    def patch_relevance(self, pixels: np.ndarray, texts: np.ndarray | None = None) -> np.ndarray:
        """pixels (B, 3, H, W) -> how much each patch counts (B, rows, columns), by a ViT's attention: for the cosine with texts
        (B, D), or without texts for the class token.

        Raises MissingCapability where the engine does not see the attention, and for other towers.
        """
        raise MissingCapability(
            f"the {self.name} engine does not see the attention; open the model with torch: engine='torch', --engine torch"
        )

    def sharing(self, concurrent_runs: int = 1) -> "Engine":
        """The same towers for a program whose other threads need the cores too: a server, or one that decodes meanwhile.

        concurrent_runs: how many runs share the cores. The returned engine says in its own `concurrent_runs` how many it is
        prepared for; by default it is this engine itself.
        """
        return self

    def preload(self, tower: Modality) -> None:
        """Begins to open a tower in the background, where the engine can, because it will soon be needed."""
        return

    def hidden_pixels(self, pixels: np.ndarray) -> list[np.ndarray]:
        """pixels (B, 3, H, W) -> the input of the image tower's first block and the output of each, in the tower's own shapes.

        Raises MissingCapability where the engine does not offer "hidden_states".
        """
        raise self._no_hidden_states()

    def hidden_tokens(self, ids: np.ndarray) -> list[np.ndarray]:
        """ids (B, L) -> the same of the text tower: (B, L, width) each. Raises MissingCapability."""
        raise self._no_hidden_states()

    def _no_hidden_states(self) -> MissingCapability:
        return MissingCapability(
            f"the {self.name} engine gives no hidden states; open the model with seesay.load(..., engine='torch')"
        )
