"""Fixtures from Hugging Face transformers' SigLIP, saved by `save_pretrained`. Names carry the major version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipTextConfig,
    SiglipTextModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from tests.parity.fixtures import Made, pixels, randomise, record, text_ids
from tests.parity.make_hugging_face import fixture, tensor

VOCABULARY, LENGTH = 60, 16
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": LENGTH,
}
VISION = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 32,
    "patch_size": 8,
}
Run = Callable[[torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]]


def ids(*, pad: int = 1) -> Any:
    return text_ids(VOCABULARY, LENGTH, first=5, last=1, pad=pad)


def watched(tower: Any, run: Callable[[torch.Tensor], Any]) -> Run:
    """run's vector, with what enters the tower's first layer and leaves each: 4.57 gives no hidden states of single towers."""
    layers = next(
        module for name, module in tower.named_modules() if name.endswith("encoder.layers") or name == "encoder.layers"
    )

    def watch(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        captured: list[torch.Tensor] = []
        hooks = [layers[0].register_forward_pre_hook(lambda _m, inputs: captured.append(inputs[0]))]
        hooks += [layer.register_forward_hook(lambda _m, _i, y: captured.append(tensor_of(y))) for layer in layers]
        vector = tensor(run(x))
        for hook in hooks:
            hook.remove()
        return vector, captured

    return watch


def tensor_of(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]


def whole(folder: Path, seed: int, *, pad: int = 1, **settings: Any) -> Made:
    text, vision = TEXT | {"projection_size": 24} | settings, VISION | settings
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    randomise(model, seed)
    model.save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return run(model, folder, ids(pad=pad))


def run(model: Any, folder: Path, ids: Any, px: int = 32, gradients: bool = True) -> Made:
    return record(
        folder,
        model,
        image=watched(model.vision_model, lambda x: model.get_image_features(pixel_values=x)),
        text=watched(model.text_model, lambda x: model.get_text_features(input_ids=x)),
        ids=ids,
        px=pixels(px),
        gradients=gradients,
        scale=model.logit_scale,
        bias=model.logit_bias,
        facts={"file": ""},
    )


@fixture
def hf_siglip(folder: Path) -> Made:
    """The text tower is projected into another width, as that of SigLIP 2's g-opt."""
    return whole(folder, 61)


@fixture
def hf_siglip_gelu(folder: Path) -> Made:
    """Other settings than the classes' defaults, and padding by another id than the end, as SigLIP 2."""
    return whole(folder, 62, pad=0, hidden_act="gelu", layer_norm_eps=1e-3)


@fixture
def hf_siglip_text(folder: Path) -> Made:
    model = SiglipTextModel(SiglipTextConfig(**TEXT))
    randomise(model, 63)
    model.save_pretrained(folder)
    return record(folder, model, image=None, text=watched(model, model), ids=ids(), facts={"file": ""})


@fixture
def hf_siglip_vision(folder: Path) -> Made:
    model = SiglipVisionModel(SiglipVisionConfig(**VISION))
    randomise(model, 64)
    model.save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return record(folder, model, image=watched(model, model), text=None, px=pixels(32), facts={"file": ""})
