"""`Trunk`: how an image tower that OpenCLIP takes from timm is recognised, described and read by one of SeeSay's families."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.checkpoints.names import Table
from seesay.models.config import ImageConfig


@dataclass(frozen=True)
class Trunk:
    """A kind of timm tower, listed in `trunks.TRUNKS`.

    models: whether this kind reads a `timm_model_name`. configure: the tower in a vision_cfg, whose timm settings it checks;
    faults go into the ForeignConfig. recognises: whether tensor names, all under "visual.", are of this kind, given that no
    kind before it claims them. table: rows from these names to native ones under "image.". express: the vision_cfg of a tower
    and the rows of its tensors, for writing it; None where timm has none like it.
    """

    models: Callable[[str], bool]
    configure: Callable[[ForeignConfig], ImageConfig]
    recognises: Callable[[Collection[str]], bool]
    table: Callable[[Collection[str]], Table]
    express: Callable[[ImageConfig], tuple[dict[str, Any], Table] | None] = lambda image: None
