"""Text tower without attention: the mean of word embeddings, projected. Small and fast, for models of one's own."""

from torch import Tensor, nn

from seesay.config import CbowConfig


class Cbow(nn.Module):
    """ids (B, L) int64, padded with `pad_id` -> (B, dim)."""

    def __init__(self, config: CbowConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.projection = nn.Linear(config.width, dim, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        present = (ids != self.config.pad_id).to(self.token_embedding.weight.dtype).unsqueeze(-1)
        mean = (self.token_embedding(ids) * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
        return self.projection(mean)  # type: ignore[no-any-return]

    def hidden_states(self, ids: Tensor) -> list[Tensor]:
        """The word embeddings: once (B, L, width)."""
        return [self.token_embedding(ids)]
