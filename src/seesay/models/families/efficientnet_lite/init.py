"""First weights of EfficientNet-Lite."""

from torch import nn

from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.layers.init import initialise_projection, normal


def initialise(tower: EfficientNetLite) -> None:
    """Draws all weights, in place, but the classifier's, which keeps torch's: it comes from a checkpoint."""
    for module in tower.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if tower.config.head == "conse":
        normal(tower.class_embedding, tower.class_embedding.shape[1] ** -0.5)
    if tower.config.head != "conse" or tower.config.branch:
        initialise_projection(tower)
