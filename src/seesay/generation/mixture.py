"""A mixture of pictures and texts: its parts, and the points of the shared space that it stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.generation.interpolation import check_weights, way, weighted
from seesay.models.vectors import check_vectors

STEPS = 5  # of a way


class Part(NamedTuple):
    """A picture (its file or URL) or a text, with its weight."""

    kind: Literal["picture", "text"]
    value: str
    weight: float


class Point(NamedTuple):
    """A point of a mixture: how far along the way it is, 0 to 1 (None for a single one), and its unit vector (D,) float32."""

    at: float | None
    vector: np.ndarray


@dataclass(frozen=True)
class Mixture:
    """Parts with their unit vectors (N, D), and how many points they make.

    One step is the weighted sum of all parts. More are a way: through the pictures in order, where there are two or more, with
    each text added, by its weight, at every point; else through all parts.
    """

    parts: tuple[Part, ...]
    vectors: np.ndarray
    steps: int

    def __post_init__(self) -> None:
        """Raises InputError for vectors or weights that cannot be, and for a way whose stations differ in weight."""
        check_vectors(self.vectors, "vectors")
        weights = check_weights([part.weight for part in self.parts], len(self.vectors))
        stations = self.stations
        if self.steps > 1 and len(stations) < 2:
            raise InputError("a way needs two pictures or texts to lead from and to")
        if self.steps > 1 and len(set(weights[stations].tolist())) > 1:
            raise InputError(
                "a way leads from one part to the next, so these have no weights of their own; give them the weight 1, or make "
                "one mix with --steps 1"
            )

    @property
    def stations(self) -> list[int]:
        """The numbers of the parts that a way leads through."""
        pictures = [at for at, part in enumerate(self.parts) if part.kind == "picture"]
        return pictures if len(pictures) > 1 else list(range(len(self.parts)))

    def points(self, spreads: np.ndarray | None = None) -> list[Point]:
        """The points. spreads: (N,), the standard deviation of each part's cosines with the pictures that are searched; without
        it vectors count as they are. Raises InputError where parts take each other away."""
        weights = np.array([part.weight for part in self.parts])
        scales = np.ones(len(self.parts)) if spreads is None else 1 / np.maximum(spreads, 1e-6)
        if self.steps == 1:
            return [Point(None, weighted(self.vectors, weights * scales))]
        stations = self.stations
        beside = [at for at in range(len(self.parts)) if at not in stations]
        path = way(self.vectors[stations], self.steps, scales[stations])
        places = np.linspace(0, 1, self.steps)
        own = np.interp(places, np.linspace(0, 1, len(stations)), scales[stations])
        added = (weights * scales)[beside]
        return [
            Point(float(at), weighted(np.stack([vector, *self.vectors[beside]]), np.array([scale, *added])))
            for at, vector, scale in zip(places, path, own, strict=True)
        ]


def default_steps(parts: Sequence[Part], *, is_weighted: bool) -> int:
    """A way of 5, where there are two parts or more and no weights were given; else 1."""
    return STEPS if len(parts) > 1 and not is_weighted else 1


def spread_out(lists: Sequence[Sequence[str]], nearness: Mapping[str, np.ndarray], n: int) -> list[list[str]]:
    """At most n names for each point of a way, none of them twice.

    lists: each point's nearest, the nearest first. nearness: by name, (points,), on one scale for all points: cosines are less
    for points that are nearer to texts, and are to be standardised. A name belongs to the point that it is nearest to; points
    that have fewer than n of their own then get the nearest of those that are left.
    """
    home = {name: int(values.argmax()) for name, values in nearness.items()}
    chosen = [[name for name in names if home[name] == at][:n] for at, names in enumerate(lists)]
    used = {name for names in chosen for name in names}
    for at, names in enumerate(lists):
        more = [name for name in names if name not in used][: n - len(chosen[at])]
        used.update(more)
        chosen[at] = sorted([*chosen[at], *more], key=names.index)
    return chosen
