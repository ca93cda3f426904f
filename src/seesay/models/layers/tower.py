"""The base classes of towers in torch: from inputs to features, and from features into the shared space."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from seesay.models.layers.groups import Group, names_in
from seesay.models.tower_config import ImageTowerConfig, TextTowerConfig, TowerConfig


class Tower(nn.Module):
    """Base of every tower: inputs -> embedding (B, dim), which is `project(features(inputs))`.

    block_types: the modules that `recompute_blocks` computes again for the gradients. channels_last: whether training lays out
    weights and pixels with channels last, which convolutions are faster with. Training may compute once what the frozen groups
    of a tower make of an input: `cache_values`, which `from_cache` takes on to the embedding.
    """

    config: TowerConfig
    block_types: ClassVar[tuple[type[nn.Module], ...]] = ()
    channels_last: ClassVar[bool] = False

    def forward(self, inputs: Tensor) -> Tensor:
        return self.project(self.features(inputs))

    def features(self, inputs: Tensor) -> Tensor:
        """Inputs -> the input of the projection, (B, width) unless the family says otherwise."""
        raise NotImplementedError

    def project(self, features: Tensor) -> Tensor:
        """Features -> embedding (B, dim)."""
        raise NotImplementedError

    def groups(self) -> list[Group]:
        """All parameters, each once, in groups from the input to the projection."""
        raise NotImplementedError

    def hidden_states(self, inputs: Tensor) -> list[Tensor]:
        """The input of the first block and the output of each, in the tower's own shapes."""
        raise NotImplementedError

    def pool_states(self, states: list[Tensor], inputs: Tensor) -> Tensor:
        """The features of the inputs whose hidden states these are, computed from the states where that saves work."""
        return self.features(inputs)

    def projection_group(self) -> Group:
        """The layers that map features into the shared space."""
        return self.groups()[-1]

    def body_state(self) -> dict[str, Tensor]:
        """The weights without the projection's, named as in the tower that `config.with_projection` describes."""
        projection = names_in(self, self.projection_group())
        return {name: value for name, value in self.state_dict().items() if name not in projection}

    @property
    def cached_groups(self) -> int | None:
        """The number of last groups that run on cached values; None where nothing is worth caching."""
        return 1

    @property
    def cache_dtype(self) -> Literal["float32", "float16"]:
        """The type of cached values."""
        return "float32"

    def cache_values(self, inputs: Tensor) -> Tensor:
        """Inputs -> (B, F) in `cache_dtype`."""
        return self.features(inputs).to(getattr(torch, self.cache_dtype))

    def from_cache(self, values: Tensor) -> Tensor:
        """(B, F) -> embedding (B, dim)."""
        return self.project(values)


class ImageTower(Tower):
    """Base of image towers: pixels (B, 3, image_px, image_px) -> (B, dim)."""

    config: ImageTowerConfig
    any_size: ClassVar[bool] = False  # whether pixels of other sizes than image_px may come, as to a tower of convolutions

    @property
    def dense_modes(self) -> tuple[str, ...]:
        """The values of a further argument `mode` of `with_dense`, the default first; none where there is one way only."""
        return ()

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and per cell (B, rows, columns, dim)."""
        raise NotImplementedError

    @property
    def has_patch_relevance(self) -> bool:
        """Whether its attention tells how much each patch counts."""
        return False

    def patch_relevance(self, pixels: Tensor, texts: Tensor | None = None) -> Tensor:
        """How much each patch counts (B, rows, columns): for the cosine with texts (B, dim), or without texts for the image."""
        raise NotImplementedError

    def regions(self, pixels: Tensor) -> Tensor:
        """Of a tower that finds boxes: what each patch shows, (B, N, columns), which `models.regions` splits."""
        raise NotImplementedError

    def masks(self, pixels: Tensor, queries: Tensor) -> Tensor:
        """Of a tower that finds masks: logits (B, Q, H, W) for queries (Q, dim)."""
        raise NotImplementedError


class TextTower(Tower):
    """Base of text towers: ids (B, L) int64, padded with the tokenizer's pad id -> (B, dim)."""

    config: TextTowerConfig

    @property
    def token_table(self) -> nn.Embedding:
        """The embeddings of the vocabulary's tokens."""
        raise NotImplementedError

    def hidden_states(self, inputs: Tensor, visible: Tensor | None = None) -> list[Tensor]:
        """The input of the first block and the output of each, (B, L, width). visible (B, L) bool: false where a token is
        hidden from all others, as if it were not there."""
        raise NotImplementedError

    def last_state(self, states: list[Tensor]) -> Tensor:
        """The last of the hidden states, (B, L, width), after the last norm if the tower has one."""
        return states[-1]
