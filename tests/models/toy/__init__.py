"""A family of image towers in a folder of its own, as somebody outside the package would add one."""

from seesay.models.registry import Family

FAMILY = Family("toy", "image", __name__, "ToyConfig", "Toy")
