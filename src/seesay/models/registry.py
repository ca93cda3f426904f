"""The families of towers by `kind`: the one place that knows which there are.

To add a family, put a folder beside those in `models/families` and `register` it at the end of this file; code outside the
package calls `register` too. The folder's modules, of which only the first is imported here:

  config.py  the configuration, a frozen dataclass with a literal `kind` (`ImageTowerConfig` or `TextTowerConfig`)
  tower.py   the tower in torch, a class (config, dim) -> `ImageTower` or `TextTower`
  graph.py   add_tower(g: GraphBuilder, config, dim): the same as ONNX nodes, from "pixels" or "input_ids" to "embedding";
             an image tower adds the output "dense" on request. Optional: cache_graph(config, weights), see `models.graphs`
  init.py    initialise(tower): draws its first weights, in place
  size.py    parameters(config, dim) and operations(config, dim, tokens)
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

from seesay.errors import InputError
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.fields import Modality
from seesay.models.tower_config import ImageTowerConfig, TowerConfig

if TYPE_CHECKING:
    import onnx

    from seesay.models.graph_builder import GraphBuilder, Weights
    from seesay.models.layers.tower import Tower


@dataclass(frozen=True)
class Family:
    """One family of towers. package: its folder's import name; tower: the name of its class in `tower.py`."""

    config: type[TowerConfig]
    package: str
    tower: str

    @property
    def kind(self) -> str:
        """The literal `kind` of its configuration."""
        kind: str = get_args(get_type_hints(self.config)["kind"])[0]
        return kind

    @property
    def modality(self) -> Modality:
        """Images or texts: the input of its towers."""
        return "image" if issubclass(self.config, ImageTowerConfig) else "text"

    def make_tower(self, config: TowerConfig, dim: int) -> "Tower":
        """The tower in torch, its weights not yet initialised."""
        return cast("Tower", getattr(self._module("tower"), self.tower)(config, dim))

    def initialise(self, tower: "Tower") -> None:
        """Draws the first weights of a tower, in place."""
        self._module("init").initialise(tower)

    def add_tower(self, g: "GraphBuilder", config: TowerConfig, dim: int) -> None:
        """Adds the tower's nodes to an ONNX graph."""
        self._module("graph").add_tower(g, config, dim)

    @property
    def cache_graph(self) -> "Callable[[TowerConfig, Weights], onnx.ModelProto | None] | None":
        """The family's own graph of what training caches of a frozen tower, if it has one."""
        return getattr(self._module("graph"), "cache_graph", None)

    def parameters(self, config: TowerConfig, dim: int) -> int:
        """Number of weights, the projection's included."""
        return cast(int, self._module("size").parameters(config, dim))

    def operations(self, config: TowerConfig, dim: int, tokens: int) -> float:
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


def family_of(config: TowerConfig) -> Family:
    """The family that a configuration belongs to."""
    return FAMILIES[config.kind]


def config_types(modality: Modality) -> dict[str, type[TowerConfig]]:
    """The configurations of all families of image or text towers, by kind."""
    return {kind: family.config for kind, family in FAMILIES.items() if family.modality == modality}


_BUNDLED = "seesay.models.families."
register(Family(VitConfig, _BUNDLED + "vit", "Vit"))
register(Family(ModifiedResNetConfig, _BUNDLED + "modified_resnet", "ModifiedResNet"))
register(Family(EfficientNetLiteConfig, _BUNDLED + "efficientnet_lite", "EfficientNetLite"))
register(Family(ClipTextConfig, _BUNDLED + "clip_text", "ClipText"))
register(Family(BertConfig, _BUNDLED + "bert", "Bert"))
register(Family(CbowConfig, _BUNDLED + "cbow", "Cbow"))
