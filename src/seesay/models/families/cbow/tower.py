"""A text tower without attention: the mean of word embeddings, projected. Small and fast, for models trained from scratch."""

from torch import Tensor, nn

from seesay.models.families.cbow.config import CbowConfig
from seesay.models.layers.groups import Group
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import TextTower


class Cbow(TextTower):
    """ids (B, L) int64, padded with `pad_id` -> (B, dim)."""

    config: CbowConfig

    def __init__(self, config: CbowConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.projection = projection(config.projection, config.width, dim)

    @property
    def token_table(self) -> nn.Embedding:
        return self.token_embedding

    def features(self, ids: Tensor) -> Tensor:
        """The mean of the words: (B, width)."""
        present = (ids != self.config.pad_id).to(self.token_embedding.weight.dtype).unsqueeze(-1)
        return (self.token_embedding(ids) * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """(B, width) -> (B, dim)"""
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        return [[self.token_embedding], [self.projection]]

    def hidden_states(self, ids: Tensor, visible: Tensor | None = None) -> list[Tensor]:
        """The word embeddings: once (B, L, width). None sees another."""
        return [self.token_embedding(ids)]
