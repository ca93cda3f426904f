"""First weights of towers that start from nothing, drawn from torch's random numbers.

Standard deviations are those of CLIP's published code (Radford et al. 2021) and of BERT's (Devlin et al. 2018).
"""

import math

import torch
from torch import Tensor, nn

from seesay.models.clip import Clip
from seesay.models.families.bert.tower import Bert
from seesay.models.families.cbow.tower import Cbow
from seesay.models.families.clip_text.tower import ClipText
from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.families.modified_resnet.tower import Bottleneck, ModifiedResNet
from seesay.models.families.vit.tower import Vit
from seesay.models.layers.transformer import Block

FIRST_SCALE = {"infonce": math.log(1 / 0.07), "sigmoid": math.log(10)}
FIRST_BIAS = -10.0  # of the sigmoid loss: most pairs are wrong ones


def initialise(tower: nn.Module) -> None:
    """Every weight of a tower, in place."""
    with torch.no_grad():
        match tower:
            case Vit():
                width = tower.config.width
                _normal(tower.class_embedding, width**-0.5)
                _normal(tower.position_embedding, width**-0.5)
                _blocks(tower.blocks, width)
            case ClipText():
                _normal(tower.token_embedding.weight, 0.02)
                _normal(tower.position_embedding, 0.01)
                _blocks(tower.blocks, tower.config.width)
            case Bert():
                for module in tower.modules():
                    if isinstance(module, nn.Linear | nn.Embedding):
                        _normal(module.weight, 0.02)
                    if isinstance(module, nn.Linear) and module.bias is not None:
                        module.bias.zero_()
            case Cbow():
                _normal(tower.token_embedding.weight, tower.config.width**-0.5)
            case ModifiedResNet():
                for module in tower.modules():
                    if isinstance(module, Bottleneck):
                        module.conv3.norm.weight.zero_()  # every block begins as its shortcut
                pool = tower.pool
                _normal(pool.position_embedding, pool.query.in_features**-0.5)
                for layer in (pool.query, pool.key, pool.value):
                    _normal(layer.weight, layer.in_features**-0.5)
                    layer.bias.zero_()
            case EfficientNetLite():
                for module in tower.modules():
                    if isinstance(module, nn.Conv2d):
                        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if tower.config.head == "conse":
                    _normal(tower.class_embedding, tower.class_embedding.shape[1] ** -0.5)
            case _:
                raise TypeError(type(tower))
        initialise_projection(tower)


def initialise_projection(tower: nn.Module) -> None:
    """The last layer or layers alone, where the tower has its own."""
    with torch.no_grad():
        last = tower.pool.out if isinstance(tower, ModifiedResNet) else getattr(tower, "projection", nn.Identity())
        for module in last.modules():
            if isinstance(module, nn.Linear):
                _normal(module.weight, module.in_features**-0.5)
                if module.bias is not None:
                    module.bias.zero_()


def first_numbers(clip: Clip, kind: str, temperature: float | None) -> None:
    """The scale of cosines, and for the sigmoid loss its bias."""
    with torch.no_grad():
        clip.logit_scale.fill_(FIRST_SCALE[kind] if temperature is None else -math.log(temperature))
        if clip.logit_bias is not None:
            clip.logit_bias.fill_(FIRST_BIAS)


def _blocks(blocks: nn.ModuleList, width: int) -> None:
    for block in blocks:
        assert isinstance(block, Block)
        for layer in (block.attention.query, block.attention.key, block.attention.value):
            _normal(layer.weight, width**-0.5)
            layer.bias.zero_()
        for layer, std in (
            (block.attention.out, (2 * width * len(blocks)) ** -0.5),
            (block.mlp.up, (2 * width) ** -0.5),
            (block.mlp.down, (2 * width * len(blocks)) ** -0.5),
        ):
            _normal(layer.weight, std)
            layer.bias.zero_()


def _normal(tensor: Tensor, std: float) -> None:
    nn.init.normal_(tensor, std=std)
