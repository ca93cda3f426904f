"""`PromptEncoder`: one text encoder of a generator, and what the generator is given of its layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from seesay.checkpoints.diffusion import TextEncoderFile
from seesay.checkpoints.reader import digest
from seesay.errors import InputError
from seesay.generation.chunks import Chunk
from seesay.generation.tokenization import tokenizer_of
from seesay.generation.weighting import Rule, blend, from_empty, restoring_mean, share

if TYPE_CHECKING:
    from seesay.models.layers.tower import TextTower

BATCH = 8  # chunks that are encoded together
MULTILINGUAL = ("taiyi", "altdiffusion")  # families that are given what their text encoder's own last step makes
UNSKIPPED = (*MULTILINGUAL, "flux")
PENULTIMATE = ("sdxl", "sdxl-refiner", "sd3")  # families that are given the last state but one, without the last norm


@dataclass(frozen=True)
class Layer:
    """The state that a generator is given: `back` blocks before the last one, with the last norm or without."""

    back: int
    norm: bool


def own_layer(file: TextEncoderFile) -> Layer:
    """The layer that a family's generators were trained with, counted in the blocks that this file has.

    Stable Diffusion 2 was trained with the last block but one, and then the norm: a single file has all blocks, a diffusers
    folder ends with that one.
    """
    if file.family in PENULTIMATE:
        return Layer(1, norm=False)
    whole = file.family == "sd2" and (file.layers == 24 or file.prefix.endswith("cond_stage_model.model."))
    return Layer(int(whole), norm=True)


class PromptEncoder:
    """A text encoder in torch on the CPU, its tokenizer, and the ids of textual inversions that were added to it."""

    def __init__(self, file: TextEncoderFile) -> None:
        self.file = file
        self.name = file.name
        self.tower: TextTower = file.load()
        self.tokenizer = tokenizer_of(file)
        self.layer = own_layer(file)
        self.fingerprint = digest(self.tower.state_dict().items())
        self.names: dict[str, tuple[int, ...]] = {}
        self._empty: dict[Layer, Tensor] = {}

    @property
    def width(self) -> int:
        """The width of token embeddings, and so of textual inversions."""
        return int(self.tower.token_table.weight.shape[1])

    @property
    def most_skipped(self) -> int | None:
        """The largest CLIP skip; None where there is none."""
        return None if self.file.family in UNSKIPPED else self.file.layers - self.layer.back - 1

    @property
    def masks_padding(self) -> bool:
        """Whether the tower hides padding from all tokens, so that a generator may be told where it is."""
        pad = self.file.config.pad_id
        return pad is not None and pad >= 0

    def skipping(self, clip_skip: int | None) -> Layer:
        """The layer that lies so many blocks before the family's own. Raises InputError."""
        if clip_skip in (None, 0):
            return self.layer
        most = self.most_skipped
        if most is None:
            raise InputError(
                f"{self.file.path} knows no CLIP skip: its generator is given what follows all layers of the text encoder",
                parameter="clip_skip",
                got=clip_skip,
            )
        if not isinstance(clip_skip, int) or isinstance(clip_skip, bool) or not 0 <= clip_skip <= most:
            raise InputError(
                f"clip_skip: expected 0 to {most} for the {self.file.layers} layers of {self.name}, got {clip_skip!r}",
                parameter="clip_skip",
                expected=f"0 to {most}",
                got=clip_skip,
            )
        return replace(self.layer, back=self.layer.back + clip_skip)

    def add(self, name: str, vectors: Tensor) -> None:
        """Adds a textual inversion: vectors (n, width) that a name in a prompt stands for."""
        words = self.tower.token_table
        first = words.weight.shape[0]
        words.weight = nn.Parameter(torch.cat([words.weight, vectors]), requires_grad=False)
        self.names[name] = tuple(range(first, first + len(vectors)))
        self._empty.clear()

    @torch.no_grad()
    def embeds(self, chunks: Sequence[Chunk], layer: Layer, rule: Rule, encoded: Callable[[int], None] | None = None) -> Tensor:
        """Chunks -> what the generator is given, one after the other: (chunks * context, W). encoded: is called with the
        number of chunks after every batch."""
        shares = {token.fragment: share(token.weight) for chunk in chunks for token in chunk.tokens if token.weight < 1}
        found: list[Tensor] = []
        for i in range(0, len(chunks), BATCH):
            ids = self._ids(chunks[i : i + BATCH])
            for chunk, row, z in zip(chunks[i : i + BATCH], ids, self._states(ids, layer), strict=True):
                found.append(self._weighed(chunk, row, z, layer, rule, shares) if chunk.weighted and rule != "none" else z)
            if encoded is not None:
                encoded(len(ids))
        return torch.cat(found)

    @torch.no_grad()
    def pooled(self, chunk: Chunk) -> Tensor:
        """The embedding (D,) of one chunk, without weights: projected, where the tower projects."""
        ids = self._ids([chunk])
        embedding = self.tower.features(ids) if self.file.family == "flux" else self.tower(ids)
        return embedding[0]

    def mask(self, chunks: Sequence[Chunk]) -> Tensor:
        """Which positions are no padding: (chunks * context,) int64."""
        around = sum(map(len, self.tokenizer.frame))
        length = self.tokenizer.spec.context_length
        return torch.cat([(torch.arange(length) < len(chunk.tokens) + around).long() for chunk in chunks])

    def empty(self, layer: Layer) -> Tensor:
        """What the generator is given for the empty prompt: (context, W)."""
        if layer not in self._empty:
            self._empty[layer] = self.embeds([Chunk()], layer, "none")
        return self._empty[layer]

    def _weighed(self, chunk: Chunk, ids: Tensor, z: Tensor, layer: Layer, rule: Rule, shares: Mapping[int, float]) -> Tensor:
        """One chunk (context, W) by its tokens' weights. Raises InputError where the numbers end."""
        first = len(self.tokenizer.frame[0])
        weights = torch.ones(len(ids))
        weights[first : first + len(chunk.tokens)] = torch.tensor([token.weight for token in chunk.tokens])
        if rule == "restore-mean":
            mixed = restoring_mean(z, weights)
        else:
            here = {token.fragment: shares[token.fragment] for token in chunk.tokens if token.fragment in shares}
            own = 1 + sum(number for fragment, number in shares.items() if fragment not in here)  # the chunk as it is
            parts = [z, *self._hiding(chunk, ids, layer, tuple(here))]
            empty = self.empty(layer)
            mixed = blend([from_empty(part, weights, empty) for part in parts], [own, *here.values()])
        if not bool(mixed.isfinite().all()):
            raise InputError("the weights of the prompt are too large: the result is no longer finite", parameter="prompt")
        return mixed

    def _hiding(self, chunk: Chunk, ids: Tensor, layer: Layer, fragments: Sequence[int]) -> list[Tensor]:
        """A chunk with one fragment hidden each, its places kept: (context, W)."""
        first = len(self.tokenizer.frame[0])
        found: list[Tensor] = []
        for i in range(0, len(fragments), BATCH):
            visible = torch.ones(len(fragments[i : i + BATCH]), len(ids), dtype=torch.bool)
            for row, fragment in zip(visible, fragments[i : i + BATCH], strict=True):
                for at, token in enumerate(chunk.tokens, start=first):
                    row[at] = token.fragment != fragment
            found += self._states(ids.expand(len(visible), -1), layer, visible)
        return found

    def _states(self, ids: Tensor, layer: Layer, visible: Tensor | None = None) -> Tensor:
        """What the generator is given of each row of ids: (B, context, W)."""
        states = self.tower.hidden_states(ids, visible)
        if self.file.family in MULTILINGUAL:
            return self.file.last_state(self.tower, states)
        seen = states[: len(states) - layer.back]
        chosen = self.tower.last_state(seen) if layer.norm else seen[-1]
        return chosen[:, : ids.shape[1]]  # without the class token behind CoCa's texts

    def _ids(self, chunks: Sequence[Chunk]) -> Tensor:
        return torch.stack([torch.from_numpy(self.tokenizer.framed(chunk.ids)) for chunk in chunks])
