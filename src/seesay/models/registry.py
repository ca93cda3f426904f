"""The families of towers by `kind`: the one place that knows which there are.

To add a family, put a folder beside those in `models/families` and `register` it at the end of this file; code outside the
package calls `register` too. The folder's modules, which are imported when they are first needed:

  config.py  the configuration, a frozen dataclass with a literal `kind` (`ImageTowerConfig` or `TextTowerConfig`)
  tower.py   the tower in torch, a class (config, dim) -> `ImageTower` or `TextTower`
  graph.py   add_tower(g: GraphBuilder, config, dim): the same as ONNX nodes, from "pixels" or "input_ids" to "embedding";
             an image tower that `has_dense` adds the output "dense" on request. Optional: cache_graph(config, weights), see
             `models.graphs`
  init.py    initialise(tower): draws its first weights, in place
  size.py    parameters(config, dim) and operations(config, dim, tokens)
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from seesay.errors import InputError
from seesay.models.fields import Modality

if TYPE_CHECKING:
    import onnx

    from seesay.models.graph_builder import GraphBuilder, Weights
    from seesay.models.layers.tower import Tower
    from seesay.models.tower_config import TowerConfig


class Family(NamedTuple):
    """One family of towers. package: its folder's import name; config, tower: its classes in `config.py` and `tower.py`."""

    kind: str
    modality: Modality
    package: str
    config: str
    tower: str

    @property
    def config_class(self) -> "type[TowerConfig]":
        """The configuration, a frozen dataclass."""
        return cast("type[TowerConfig]", getattr(self._module("config"), self.config))

    def make_tower(self, config: "TowerConfig", dim: int) -> "Tower":
        """The tower in torch, its weights not yet initialised."""
        return cast("Tower", getattr(self._module("tower"), self.tower)(config, dim))

    def initialise(self, tower: "Tower") -> None:
        """Draws the first weights of a tower, in place."""
        self._module("init").initialise(tower)

    def add_tower(self, g: "GraphBuilder", config: "TowerConfig", dim: int) -> None:
        """Adds the tower's nodes to an ONNX graph."""
        self._module("graph").add_tower(g, config, dim)

    @property
    def cache_graph(self) -> "Callable[[TowerConfig, Weights], onnx.ModelProto | None] | None":
        """The family's own graph of what training caches of a frozen tower, if it has one."""
        return getattr(self._module("graph"), "cache_graph", None)

    def parameters(self, config: "TowerConfig", dim: int) -> int:
        """Number of weights, the projection's included."""
        return cast(int, self._module("size").parameters(config, dim))

    def operations(self, config: "TowerConfig", dim: int, tokens: int) -> float:
        """Multiplications for one image, or for one text of so many tokens."""
        return cast(float, self._module("size").operations(config, dim, tokens))

    def _module(self, name: str) -> Any:
        return import_module(f"{self.package}.{name}")


FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Makes a family known. Raises InputError for a kind that another family has."""
    if family.kind in FAMILIES:
        raise InputError(f"a family of the kind {family.kind!r} is registered already, {FAMILIES[family.kind].package}")
    FAMILIES[family.kind] = family


def family_of(config: "TowerConfig") -> Family:
    """The family that a configuration belongs to."""
    return FAMILIES[config.kind]


class ConfigClasses(Mapping[str, type]):
    """The configuration classes of all families of one modality, by kind; a class is imported when it is looked up."""

    def __init__(self, modality: Modality) -> None:
        self.modality = modality

    def __getitem__(self, kind: str) -> type:
        if kind not in FAMILIES or FAMILIES[kind].modality != self.modality:
            raise KeyError(kind)
        return FAMILIES[kind].config_class

    def __contains__(self, kind: object) -> bool:
        return any(kind == each for each in self)

    def __iter__(self) -> Iterator[str]:
        return (kind for kind, family in FAMILIES.items() if family.modality == self.modality)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_FAMILIES = "seesay.models.families."
register(Family("vit", "image", _FAMILIES + "vit", "VitConfig", "Vit"))
register(Family("owl-vit", "image", _FAMILIES + "owl_vit", "OwlVitConfig", "OwlVit"))
register(Family("clipseg", "image", _FAMILIES + "clipseg", "ClipSegConfig", "ClipSeg"))
register(Family("siglip-vit", "image", _FAMILIES + "siglip_vit", "SiglipVitConfig", "SiglipVit"))
register(Family("eva", "image", _FAMILIES + "eva", "EvaConfig", "Eva"))
register(Family("modified-resnet", "image", _FAMILIES + "modified_resnet", "ModifiedResNetConfig", "ModifiedResNet"))
register(Family("efficientnet-lite", "image", _FAMILIES + "efficientnet_lite", "EfficientNetLiteConfig", "EfficientNetLite"))
register(Family("efficientnet", "image", _FAMILIES + "efficientnet", "EfficientNetConfig", "EfficientNet"))
register(Family("timm", "image", _FAMILIES + "timm", "TimmConfig", "Timm"))
register(Family("clip-text", "text", _FAMILIES + "clip_text", "ClipTextConfig", "ClipText"))
register(Family("bert", "text", _FAMILIES + "bert", "BertConfig", "Bert"))
register(Family("cbow", "text", _FAMILIES + "cbow", "CbowConfig", "Cbow"))
register(Family("foreign-image", "image", _FAMILIES + "foreign", "ForeignImageConfig", "ForeignImage"))
register(Family("foreign-text", "text", _FAMILIES + "foreign", "ForeignTextConfig", "ForeignText"))
