"""First weights of graphs of others: there are none to draw."""

from typing import NoReturn

from seesay.errors import MissingCapability


def initialise(tower: object) -> NoReturn:
    """Raises MissingCapability."""
    raise MissingCapability("a graph that others exported cannot be trained from its first weights")
