"""`Objective`: how far a drawing is from what it should show: texts, pictures, a style, and not what it should not.

The cosine over random views is CLIPDraw's (Frans, Soros and Witkowski 2021), which also has the negative prompts; that a
drawing of a photo is compared in the tower's blocks, too, is CLIPasso's (Vinker and others 2022).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seesay.generation.drawing.eye import Eye
from seesay.generation.drawing.views import Views, blurred, plain

LIKENESS = 1.0  # weight of the blocks' states where a photo is drawn
COLOURS = 4.0  # weight of its colours
STYLE = 0.3  # weight of the style of a picture


@dataclass(frozen=True)
class Aims:
    """What a drawing should show. towards (N, dim) and away (M, dim): unit vectors, with a weight each. photo, style: pictures
    (3, size, size) of levels 0..1."""

    towards: Tensor
    weights: Tensor
    away: Tensor
    away_weights: Tensor
    photo: Tensor | None = None
    style: Tensor | None = None


class Objective:
    """Scores drawings by an eye, from views that differ from step to step."""

    def __init__(self, eye: Eye, aims: Aims, views: Views) -> None:
        self.eye = eye
        self.aims = aims
        self.views = views
        self._shown, self._shares = aims.towards, aims.weights
        if aims.photo is not None:
            with torch.no_grad():
                photo = eye.vectors(plain(aims.photo, eye.spec))
            self._shown, self._shares = torch.cat([aims.towards, photo]), torch.cat([aims.weights, torch.ones(1)])
        self._style = None if aims.style is None else [_statistics(s) for s in self._states(aims.style)]

    def similarity(self, picture: Tensor) -> float:
        """The weighted mean of a picture's cosines with what it should show, a photo among it."""
        with torch.no_grad():
            cosines = self.eye.vectors(plain(picture, self.eye.spec)) @ self._shown.T
            return float((cosines * self._shares).sum() / self._shares.sum())

    def loss(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """How far a picture (3, size, size) is from the aims, a scalar with gradients."""
        photo = self.aims.photo
        pictures = [picture] if photo is None else [picture, photo]
        side = self.eye.sides[int(torch.randint(len(self.eye.sides), (), generator=generator))]
        seen = self.views.of_each(pictures, self.eye.spec, generator, side)
        if photo is None and self._style is None:
            return self._distance(self.eye.vectors(seen[0]))
        vectors, states = self.eye.vectors_and_states(seen[0])
        loss = self._distance(vectors)
        if photo is not None:
            with torch.no_grad():
                true_vectors, true_states = self.eye.vectors_and_states(seen[1])
            loss = loss + 1 - (vectors * true_vectors).sum(dim=1).mean() + LIKENESS * _unlikeness(states, true_states)
            loss = loss + COLOURS * _far_off(picture, photo)
        if self._style is not None:
            loss = loss + STYLE * _unstyled(states, self._style)
        return loss

    def _distance(self, vectors: Tensor) -> Tensor:
        aims = self.aims
        near = (vectors @ aims.towards.T * aims.weights).sum(dim=1) / aims.weights.sum().clamp(min=1e-6)
        far = (vectors @ aims.away.T * aims.away_weights).sum(dim=1)
        return (far - near).mean()

    def _states(self, picture: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return self.eye.vectors_and_states(plain(picture, self.eye.spec))[1]


def _unlikeness(states: list[Tensor], true: list[Tensor]) -> Tensor:
    """The mean square of the difference of states, in standard deviations of the photo's channels."""
    parts = [((a - b) / (b.std(dim=2, keepdim=True) + 1e-3)).square().mean() for a, b in zip(states, true, strict=True)]
    return torch.stack(parts).mean()


def _far_off(picture: Tensor, photo: Tensor) -> Tensor:
    """How far the colours of large parts are from the photo's."""
    deviation = torch.full((1,), picture.shape[1] / 56)
    return (blurred(picture[None], deviation) - blurred(photo[None], deviation)).square().mean()


def _statistics(states: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over all places of all views: the style of a picture, as far as such
    statistics hold it (Huang and Belongie 2017; Li and others 2017 show their kinship with Gram matrices)."""
    flat = states.transpose(0, 1).flatten(1)
    return flat.mean(dim=1), flat.std(dim=1)


def _unstyled(states: list[Tensor], style: list[tuple[Tensor, Tensor]]) -> Tensor:
    """How far the states' statistics are from a style's."""
    parts = []
    for state, (mean, deviation) in zip(states, style, strict=True):
        own_mean, own_deviation = _statistics(state)
        scale = deviation + 1e-3
        parts.append(((own_mean - mean) / scale).square().mean() + ((own_deviation - deviation) / scale).square().mean())
    return torch.stack(parts).mean()
