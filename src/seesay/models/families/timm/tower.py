"""Any image tower of the library timm, as OpenCLIP uses them: ConvNeXt, MobileCLIP's FastViT, ViTamin, Swin, ..."""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from seesay.models.families.timm.config import TimmConfig
from seesay.models.families.timm.trunk import alone, last_map, library, make_trunk
from seesay.models.layers.groups import Group
from seesay.models.layers.tower import ImageTower


class Timm(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim). Tensors are named as in OpenCLIP: `trunk` is timm's, `head` follows it.

    Raises ModelError where the installed timm does not build it, MissingExtra where there is none.
    """

    config: TimmConfig

    def __init__(self, config: TimmConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.trunk: Any = make_trunk(config, dim)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if not config.classifier and config.projection == "linear":
            layers["proj"] = nn.Linear(config.width, dim, bias=config.projection_bias)
        if not config.classifier and config.projection == "mlp":
            mlp = library().layers.Mlp
            layers["mlp"] = mlp(config.width, 2 * dim, dim, bias=(True, config.projection_bias))
        self.head = nn.Sequential(layers)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.trunk(inputs))  # type: ignore[no-any-return]

    def features(self, inputs: Tensor) -> Tensor:
        """What enters the projection: (B, width)."""
        return self.trunk.forward_head(self.trunk.forward_features(inputs), pre_logits=True)  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """(B, width) -> (B, dim)"""
        return self.head(self.trunk.get_classifier()(features))  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        """timm's modules as they follow each other, stages and blocks one by one; then the projection."""
        projection = self._projection()
        first: list[nn.Module | nn.Parameter] = [*self.trunk.parameters(recurse=False)]
        groups: list[Group] = []
        for child in self.trunk.children():
            parts = [*child.children()] if isinstance(child, nn.Sequential | nn.ModuleList) else [child]
            for part in parts:
                body = _without(part, projection)
                if any(True for one in body for _ in _parameters(one)):
                    groups.append([*first, *body])
                    first = []
        return [*groups, [projection]]

    def _projection(self) -> nn.Module:
        if self.config.classifier:
            return self.trunk.get_classifier()  # type: ignore[no-any-return]
        return self.head[-1] if len(self.head) else self.head

    def hidden_states(self, inputs: Tensor) -> list[Tensor]:
        """What timm calls intermediates: the output of each stage or block, (B, channels, rows, columns)."""
        return list(self.trunk.forward_intermediates(inputs, intermediates_only=True))

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and per cell (B, cells, cells, dim): pooled and projected as if it were the whole map."""
        features = self.trunk.forward_features(pixels)
        cells = last_map(self.trunk, features)
        assert cells is not None, "only towers with a map have a dense output"
        dense = self.head(self.trunk.forward_head(alone(self.trunk, cells, features)))
        return self.head(self.trunk.forward_head(features)), dense.unflatten(0, (-1, *cells.shape[1:3]))


def _parameters(part: nn.Module | nn.Parameter) -> Any:
    return [part] if isinstance(part, nn.Parameter) else part.parameters()


def _without(module: nn.Module, excluded: nn.Module) -> list[nn.Module | nn.Parameter]:
    """A module, or its parts where one of them is excluded."""
    if module is excluded:
        return []
    if not any(child is excluded for child in module.modules()):
        return [module]
    return [*module.parameters(recurse=False), *(part for child in module.children() for part in _without(child, excluded))]
