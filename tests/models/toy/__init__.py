"""A family of image towers in a folder of its own, as somebody outside the package would add one."""

from seesay.models.registry import Family
from tests.models.toy.config import ToyConfig

FAMILY = Family(ToyConfig, __name__, "Toy")
