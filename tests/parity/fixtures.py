"""Makes tiny checkpoints with the original libraries, every parameter and buffer random, and records what they compute.

    python -m tests.parity.fixtures OUT [NAME ...]

runs in an environment that has the libraries (requirements-parity.txt) and writes per fixture OUT/NAME/: the checkpoint
in its original format, `expected.npz` and `facts.json`. Default initialisation hides swapped norms and dropped biases, hence
the random buffers too. What is stored: inputs, raw image and text embeddings, hidden states, logits, and of one contrastive
loss the gradient of every parameter by its original name, as its norm and eight projections on fixed random directions.
"""

import json
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

BATCH = 3
PIXELS = 32
Made = dict[str, Any]
FIXTURES: dict[str, Callable[[Path], Made]] = {}


def fixture(make: Callable[[Path], Made]) -> Callable[[Path], Made]:
    FIXTURES[make.__name__.replace("_", "-")] = make
    return make


def directions(name: str, size: int) -> np.ndarray:
    """(8, size): fixed directions for a parameter, so that a gradient is stored in nine numbers."""
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal((8, size))


def summary(name: str, gradient: np.ndarray) -> np.ndarray:
    """(9,): the norm of a gradient, and its projections."""
    flat = gradient.astype(np.float64).ravel()
    return np.concatenate([[np.linalg.norm(flat)], directions(name, flat.size) @ flat / np.sqrt(flat.size)])


def image_states(model: Any, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The embedding, and what enters the first block or stage and leaves each, of an image tower as OpenAI wrote it.

    Chinese-CLIP's package has the same one.
    """
    captured: list[torch.Tensor] = []
    tower = model.visual
    if hasattr(tower, "transformer"):
        parts = [(tower.ln_pre, lambda y: y)] + [(b, lambda y: y.permute(1, 0, 2)) for b in tower.transformer.resblocks]
    else:
        parts = [(tower.avgpool, lambda y: y)] + [(getattr(tower, f"layer{i}"), lambda y: y) for i in range(1, 5)]
    hooks = [m.register_forward_hook(lambda _m, _i, y, f=f: captured.append(f(y))) for m, f in parts]
    out = model.encode_image(x)
    for hook in hooks:
        hook.remove()
    return out, captured


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Every parameter and buffer random, at sizes that keep activations near one."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if not tensor.is_floating_point() or name.endswith(("attn_mask", "k_bias", "box_bias")) or "rope" in name:
                continue  # buffers that are no weights: masks, places, rotary positions
            noise = random.standard_normal(tuple(tensor.shape)).astype(np.float32)
            if name.endswith("logit_scale"):
                value = np.full(tensor.shape, 1.3 + 0.1 * noise, dtype=np.float32)
            elif name.endswith("logit_bias"):
                value = np.full(tensor.shape, -2 + 0.1 * noise, dtype=np.float32)
            elif name.endswith("running_var"):
                value = np.exp(0.3 * noise)
            elif tensor.ndim == 1:
                is_scale = any(part in name.lower() for part in ("norm", "ln_", "pre_ln", "bn", "downsample.1", "gamma"))
                value = (1 if is_scale and not name.endswith(("bias", "running_mean")) else 0) + 0.3 * noise
            elif "embedding" in name or name.endswith("pos_embed"):
                value = 0.7 * noise
            else:
                value = noise * 1.2 / np.sqrt(np.prod(tensor.shape[1:]))
            tensor.copy_(torch.from_numpy(np.asarray(value)))


def text_ids(vocabulary: int, length: int, *, first: int, last: int, pad: int) -> np.ndarray:
    """(BATCH, length): texts of different lengths, each with its first and last token."""
    random = np.random.default_rng(7)
    low = max(first, last, pad) + 1 if max(first, last, pad) < 10 else 1
    high = vocabulary if low > 1 else min(first, last)
    ids = np.full((BATCH, length), pad, dtype=np.int64)
    for row, count in zip(ids, (length - 2, 3, length // 2), strict=True):
        row[0], row[1 : 1 + count], row[1 + count] = first, random.integers(low, high, count), last
    return ids


def pixels(size: int = PIXELS) -> np.ndarray:
    return np.random.default_rng(8).standard_normal((BATCH, 3, size, size)).astype(np.float32)


def logits(image: torch.Tensor, text: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    scaled = scale.exp() * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    return scaled if bias is None else scaled + bias


def contrastive(logits: torch.Tensor) -> torch.Tensor:
    pairs = torch.arange(len(logits))
    return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2


def record(
    folder: Path,
    model: torch.nn.Module,
    *,
    image: Callable[[torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]] | None,
    text: Callable[[torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]] | None,
    ids: np.ndarray | None = None,
    px: np.ndarray | None = None,
    scale: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    facts: Made | None = None,
    gradients: bool = True,
    saved_name: Callable[[str], str] = str,
) -> Made:
    """Runs the original in float32 and stores what it gives; `image` and `text` return (embedding, hidden states).

    saved_name: from a parameter's name to its name in the file, where the library renames.
    """
    model.float().eval().requires_grad_(gradients)
    out: dict[str, np.ndarray] = {}
    loss = torch.zeros(())
    vectors = []
    for part, run, tower_inputs in (("image", image, pixels() if px is None else px), ("text", text, ids)):
        if run is None or tower_inputs is None:
            continue
        out["pixels" if part == "image" else "ids"] = tower_inputs
        vector, hidden = run(torch.from_numpy(tower_inputs))
        vectors.append(vector)
        out[part] = vector.detach().numpy()
        out |= {f"{part}.hidden.{i}": state.detach().numpy() for i, state in enumerate(hidden)}
    if len(vectors) == 2:
        assert scale is not None
        scores = logits(vectors[0], vectors[1], scale, bias)
        out["logits"] = scores.detach().numpy()
        loss = contrastive(scores)
    else:
        loss = (F.normalize(vectors[0], dim=-1) * torch.linspace(-1, 1, vectors[0].shape[1])).sum()
    if gradients:
        model.zero_grad()
        loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            out[f"gradient/{saved_name(name)}"] = summary(saved_name(name), parameter.grad.numpy())
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "expected.npz", **out)
    return facts or {}


def main() -> None:
    out, *names = sys.argv[1:]
    for module in available():
        __import__(module)
    for name, make in FIXTURES.items():
        if names and name not in names:
            continue
        folder = Path(out) / name
        folder.mkdir(parents=True, exist_ok=True)
        facts = make(folder)
        (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{name}: {size / 1e3:.0f} kB")


def available() -> Iterator[str]:
    """The makers whose library is installed here."""
    from importlib.util import find_spec

    makers = {
        "clip": ("openai",),
        "open_clip": ("open_clip", "siglip", "open_clip_eva"),
        "cn_clip": ("chinese_clip",),
        "transformers": ("hugging_face", "hugging_face_siglip", "hugging_face_finders"),
        "consisid_eva_clip": ("eva_clip",),
    }
    for library, modules in makers.items():
        if find_spec(library):
            yield from (f"tests.parity.make_{module}" for module in modules)
        else:
            print(f"{library} is not installed here; its fixtures are left alone")


if __name__ == "__main__":
    from tests.parity import fixtures  # the makers register with the imported module, not with __main__

    fixtures.main()
