"""OpenCLIP's image towers of timm that no family of SeeSay computes itself: timm builds them, by its name for them."""

import re
from collections.abc import Collection
from functools import cache

from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.checkpoints.formats.trunk import Trunk
from seesay.checkpoints.hub.catalog import catalog
from seesay.checkpoints.names import Table, row
from seesay.errors import MissingExtra, ModelError
from seesay.models.families.timm.config import TimmConfig

# vision_cfg.timm_proj -> whether timm's own last layer projects, and the projection
PROJECTIONS = {
    None: (True, "linear"),
    "": (True, "linear"),
    "none": (True, "none"),
    "linear": (False, "linear"),
    "mlp": (False, "mlp"),
}
KEYS = {
    *("timm_model_name", "timm_pool", "timm_proj", "timm_proj_bias", "image_size"),
    # without effect where no tower is trained, or none is built but timm's
    *("timm_model_pretrained", "timm_drop", "timm_drop_path", "patch_dropout", "layers", "width", "patch_size", "head_width"),
}


def configure(s: ForeignConfig) -> TimmConfig:
    """The tower in a vision_cfg: as the catalogue has it, or else measured on the tower that timm builds.

    Raises MissingExtra where it must be built and timm is not installed.
    """
    classifier, projection = s.choice("timm_proj", PROJECTIONS, "linear")
    pool = str(s.values.get("timm_pool", "avg") or "")
    s.refuse("timm_pool", lambda v: v not in ("abs_attn", "rot_attn"), "OpenCLIP's own attention pooling is not read")
    if classifier and not pool:
        s.faults.append(f"{s.at}.timm_pool: without pooling timm's own last layer gives no vector per image")
    for key in sorted(s.values.keys() - KEYS):
        s.faults.append(f"{s.at}.{key}: unknown key beside timm_model_name, which might change what the model computes")
    asked = TimmConfig(
        kind="timm",
        image_px=s.side("image_size", 224),
        model=str(s.values["timm_model_name"]),
        pool=pool,
        classifier=classifier,
        projection=projection,
        width=1,
        cells=0,
        weights=1,
        multiplications=1,
        projection_bias=bool(s.values.get("timm_proj_bias", False)),
    )
    if s.faults:
        return asked
    return _published().get(asked) or _measured(asked, s)


@cache
def _published() -> dict[TimmConfig, TimmConfig]:
    """The catalogue's towers, by what a vision_cfg says of them."""
    towers = [each.image for each in catalog().architectures.values() if isinstance(each.image, TimmConfig)]
    return {tower.unmeasured: tower for tower in towers}


def _measured(asked: TimmConfig, s: ForeignConfig) -> TimmConfig:
    try:
        from seesay.models.families.timm.trunk import measure
    except ImportError:
        raise MissingExtra("an image tower of timm", "timm") from None
    try:
        return measure(asked)
    except ModelError as error:
        s.faults.append(f"{s.at}.timm_model_name: {error}")
        return asked


def table(names: Collection[str]) -> Table:
    """Tensors keep OpenCLIP's names; one row for all that differ in numbers only."""
    patterns = dict.fromkeys(re.sub(r"\d+", "{}", name) for name in names if name.startswith("visual."))
    return tuple(row(pattern, "image." + pattern.removeprefix("visual.")) for pattern in patterns)


TRUNK = Trunk(models=lambda name: True, configure=configure, recognises=lambda names: True, table=table)
