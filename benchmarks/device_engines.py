"""Checks of the engines and of attention on a device."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from device_check import Absent, Check, Found, distance, rate
from device_training import PHOTOS, run_recipe
from torch.nn.attention import SDPBackend, sdpa_kernel

import seesay
from seesay.errors import InputError, MissingDevice
from seesay.models.layers.transformer import Attention
from seesay.training.trainer import train

TEXTS = ("a dog in the snow", "a red car", "food on a table", "a bridge at night", "一只猫", "people at the beach")
BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "plain": SDPBackend.MATH,
}
MASKS = ("none", "causal", "padding")
TYPES = {"float32": (torch.float32, 1e-4), "bfloat16": (torch.bfloat16, 2e-2), "float16": (torch.float16, 3e-3)}
VECTORS, BATCHES = "CPU; largest difference of unit vectors", "slow float64; length of the difference, output and gradients"


def engine_checks(device: torch.device, seconds: float) -> list[Check]:
    """Pictures, texts and patches by both engines: with the bundled model, whose graphs are 8 bits, and one in float32."""
    cases = (("torch", "bundled", 1e-4), ("onnx", "bundled", 3e-2), ("onnx", "float32", 1e-4))  # as docs/devices.md has them
    return [
        Check(f"{engine} engine, {model}, {what}", VECTORS, tolerance, partial(vectors, engine, model, what, device, seconds))
        for engine, model, tolerance in cases
        for what in ("pictures", "texts", "patches")
    ]


def vectors(engine: Any, name: str, what: str, device: torch.device, seconds: float) -> Found:
    """What a model gives on the device, beside what the same engine gives on the CPU."""
    source = "bundled" if name == "bundled" else float32_model()
    try:
        model = seesay.load(source, engine=engine, device=device.type)  # type: ignore[arg-type]
    except (MissingDevice, InputError) as error:
        raise Absent(str(error)) from None
    expected = encoded(seesay.load(source, engine=engine, device="cpu"), what)
    count = len(TEXTS) if what == "texts" else len(photos())
    speed = rate(partial(encoded, model, what), count, device, seconds)
    return Found(float(np.abs(encoded(model, what) - expected).max()), speed, model.build_id)


def encoded(model: Any, what: str) -> np.ndarray:
    if what == "texts":
        return np.asarray(model.encode_text(TEXTS))
    return np.asarray(model.encode_image(photos()) if what == "pictures" else model.encode_dense(photos()))


def photos() -> list[Path]:
    return sorted(PHOTOS.rglob("*.jpg"))[:8]


@cache
def float32_model() -> Path:
    """A small model in float32: one step of training, then its graphs."""
    folder = Path(tempfile.mkdtemp(prefix="seesay-check-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    model = train(run_recipe(torch.device("cpu"), folder / "run", steps=1)).model
    assert model is not None
    return model


def attention_checks(device: torch.device, seconds: float) -> list[Check]:
    """Our layer of attention by each of torch's fused kernels, with every mask that towers use, forward and backward."""
    return [
        Check(f"attention, {backend}, {dtype}", BATCHES, tolerance, partial(attention, kind, torch_type, device, seconds))
        for backend, kind in BACKENDS.items()
        for dtype, (torch_type, tolerance) in TYPES.items()
    ]


def attention(kind: Any, dtype: torch.dtype, device: torch.device, seconds: float) -> Found:
    worst, offered, speed = 0.0, [], None
    for mask in MASKS:
        given = inputs(mask)
        expected = slow_attention(*given)
        try:
            found = fused_attention(kind, dtype, device, *given)
        except RuntimeError as error:
            if "kernel" not in str(error).lower():
                raise
            continue  # this kernel does not take this mask or type
        offered.append(mask)
        worst = max(worst, *(distance(one, other) for one, other in zip(found, expected, strict=True)))
        run: Callable[[], object] = partial(fused_attention, kind, dtype, device, *given)
        speed = speed or rate(run, len(given[1]), device, seconds)
    if not offered:
        raise Absent("torch offers no such kernel for this type here")
    return Found(worst, speed, f"masks: {', '.join(offered)}")


def inputs(mask: str) -> tuple[Attention, torch.Tensor, torch.Tensor | None, bool]:
    """A layer, tokens, and which of them are visible; the same every time."""
    torch.manual_seed(0)
    layer, x = Attention(64, 2), torch.randn(8, 50, 64)
    visible = (torch.arange(50) < torch.randint(5, 50, (8, 1)))[:, None, None, :] if mask == "padding" else None
    return layer, x, visible, mask == "causal"


def fused_attention(
    kind: Any, dtype: torch.dtype, device: torch.device, layer: Attention, x: torch.Tensor, mask: Any, causal: bool
) -> list[torch.Tensor]:
    """The output, and the gradients of its squares' sum for the tokens and the keys' weights."""
    layer = layer.to(device, dtype)
    tokens = x.to(device, dtype).requires_grad_()
    layer.zero_grad()
    with sdpa_kernel(kind):
        out = layer(tokens, tokens, mask=None if mask is None else mask.to(device), causal=causal)
        out.float().square().sum().backward()
    assert tokens.grad is not None
    assert layer.key.weight.grad is not None
    return [out, tokens.grad, layer.key.weight.grad]


def slow_attention(layer: Attention, x: torch.Tensor, mask: Any, causal: bool) -> list[torch.Tensor]:
    """The same by the formula, in float64 on the CPU, on a copy of the weights."""
    copy = Attention(64, 2)
    copy.load_state_dict(layer.state_dict())
    copy, tokens = copy.double(), x.double().requires_grad_()
    q, k, v = (copy.split(one(tokens)) for one in (copy.query, copy.key, copy.value))
    scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
    if causal:
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    out = copy.out((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    out.square().sum().backward()
    assert tokens.grad is not None
    assert copy.key.weight.grad is not None
    return [out, tokens.grad, copy.key.weight.grad]
