"""First weights of the toy tower."""

from seesay.models.layers.init import initialise_linear, initialise_projection
from tests.models.toy.tower import Toy


def initialise(tower: Toy) -> None:
    initialise_linear(tower.hidden.layer, 0.1)
    initialise_projection(tower)
