"""Fixtures from OpenAI's own package (PyPI `clip-anytorch`)."""

from pathlib import Path
from typing import Any

import clip.model
import torch
from torch import nn

from tests.parity.fixtures import Made, fixture, image_states, pixels, randomise, record, text_ids

VOCABULARY, LENGTH = 300, 16


def tiny_vit() -> nn.Module:
    return clip.model.CLIP(24, 32, 2, 128, 8, LENGTH, VOCABULARY, 128, 2, 1)  # type: ignore[no-any-return]


def tiny_resnet() -> nn.Module:
    return clip.model.CLIP(24, 64, (1, 2, 1, 1), 8, None, LENGTH, VOCABULARY, 64, 1, 1)  # type: ignore[no-any-return]


def hidden_states(model: nn.Module, px: int, folder: Path, ids: Any = None, *, gradients: bool = True) -> Made:
    """Runs the float32 model with hooks on its blocks (or stages)."""
    model.float().eval()
    states: list[torch.Tensor] = []

    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return image_states(model, x)

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        states.clear()
        hooks = [
            b.register_forward_hook(lambda _m, _i, y: states.append(y.permute(1, 0, 2))) for b in model.transformer.resblocks
        ]
        out = model.encode_text(x)
        for hook in hooks:
            hook.remove()
        return out, [model.token_embedding(x) + model.positional_embedding[: x.shape[1]], *states]

    ids = tiny_ids() if ids is None else ids
    scale = model.logit_scale
    return record(folder, model, image=image, text=text, ids=ids, px=pixels(px), scale=scale, gradients=gradients)


def tiny_ids() -> Any:
    return text_ids(VOCABULARY, LENGTH, first=VOCABULARY - 2, last=VOCABULARY - 1, pad=0)


def save_archive(model: nn.Module, px: int, file: Path) -> None:
    """Saves an archive like OpenAI's: convolutions and linear layers in float16, traced, three numbers as extra buffers."""
    clip.model.convert_weights(model)
    length, vocabulary = len(model.positional_embedding), len(model.token_embedding.weight)
    for name, value in (("input_resolution", px), ("context_length", length), ("vocab_size", vocabulary)):
        delattr(model, name) if hasattr(model, name) else None
        model.register_buffer(name, torch.tensor(value))
    ids = torch.ones(1, length, dtype=torch.long)
    image = torch.zeros(1, 3, px, px).half()
    traced = torch.jit.trace(model.eval(), (image, ids), check_trace=False, strict=False)
    torch.jit.save(traced, str(file))
    for name in ("input_resolution", "context_length", "vocab_size"):
        delattr(model, name)


@fixture
def openai_vit_archive(folder: Path) -> Made:
    model = tiny_vit()
    randomise(model, 1)
    save_archive(model, 32, folder / "model.pt")
    return hidden_states(model, 32, folder) | {"file": "model.pt"}


@fixture
def openai_resnet_archive(folder: Path) -> Made:
    model = tiny_resnet()
    randomise(model, 2)
    save_archive(model, 64, folder / "model.pt")
    return hidden_states(model, 64, folder) | {"file": "model.pt"}
