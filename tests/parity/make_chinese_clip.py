"""Fixtures from the original Chinese-CLIP package (PyPI `cn-clip`)."""

from pathlib import Path
from typing import Any

import torch
from cn_clip.clip.model import CLIP
from torch import nn

from tests.parity.fixtures import Made, fixture, image_states, pixels, randomise, record, text_ids

VOCABULARY, LENGTH = 200, 14


class Vocabulary:
    vocab = {"[PAD]": 0}  # noqa: RUF012 - what the package asks of its tokenizer


def tiny(*, resnet: bool = False) -> nn.Module:
    image = {"image_resolution": 64, "vision_layers": [1, 1, 2, 1], "vision_width": 8, "vision_patch_size": None}
    if not resnet:
        image = {"image_resolution": 32, "vision_layers": 2, "vision_width": 128, "vision_patch_size": 8}
    return CLIP(  # type: ignore[no-any-return]
        embed_dim=24,
        **image,
        vocab_size=VOCABULARY,
        text_attention_probs_dropout_prob=0.1,
        text_hidden_act="gelu",
        text_hidden_dropout_prob=0.1,
        text_hidden_size=128,
        text_initializer_range=0.02,
        text_intermediate_size=96,
        text_max_position_embeddings=20,
        text_num_attention_heads=2,
        text_num_hidden_layers=2,
        text_type_vocab_size=2,
        tokenizer=Vocabulary(),
    )


def run(model: nn.Module, folder: Path, px: int, ids: Any = None, *, gradients: bool = True) -> Made:
    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return image_states(model, x)

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        states: list[torch.Tensor] = []
        hooks = [model.bert.embeddings.register_forward_hook(lambda _m, _i, y: states.append(y))]
        hooks += [
            b.register_forward_hook(lambda _m, _i, y: states.append(y[0] if isinstance(y, tuple) else y))
            for b in model.bert.encoder.layer
        ]
        out = model.encode_text(x)
        for hook in hooks:
            hook.remove()
        return out, states

    if ids is None:
        ids = text_ids(VOCABULARY, LENGTH, first=1, last=2, pad=0)
    scale = model.logit_scale
    return record(folder, model, image=image, text=text, ids=ids, px=pixels(px), scale=scale, gradients=gradients)


def training_checkpoint(state: dict[str, torch.Tensor]) -> dict[str, object]:
    """A checkpoint as the package's trainer saves it, with the distributed prefix."""
    prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
    return {"epoch": 3, "step": 100, "name": "tiny", "state_dict": prefixed, "optimizer": {"state": {}, "param_groups": []}}


@fixture
def cn_clip_vit(folder: Path) -> Made:
    model = tiny()
    randomise(model, 21)
    model.half()  # as published
    torch.save(training_checkpoint(model.state_dict()), folder / "model.pt")
    return run(model, folder, 32) | {"file": "model.pt"}


@fixture
def cn_clip_resnet(folder: Path) -> Made:
    model = tiny(resnet=True)
    randomise(model, 22)
    model.half()
    torch.save({"state_dict": model.state_dict()}, folder / "model.pt")
    return run(model, folder, 64) | {"file": "model.pt"}
