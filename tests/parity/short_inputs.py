"""What OpenCLIP and timm make of dropped patches, and of positions for other sizes, compared with data/short_inputs.json.

    python -m tests.parity.short_inputs [--store]

Needs open_clip, timm and torch, nothing of SeeSay; tests/training/test_short_inputs.py holds ours against what is stored.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import torch
from open_clip.transformer import PatchDropout
from safetensors.torch import load_file
from timm.layers import resample_abs_pos_embed

from tests.parity.open_clip_losses import close

DATA = Path(__file__).parent / "data"
STORED = DATA / "short_inputs.json"
FIXTURE = "open-clip-native"
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
PATCHES = (4, 9, 49, 196, 256)


def main() -> None:
    content = json.loads(json.dumps({"counts": counts(), "tower": tower(), "tables": tables()}))
    if "--store" in sys.argv:
        STORED.write_text(json.dumps(content) + "\n", encoding="utf-8")
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    differing = [name for name in content if not close(content[name], stored[name])]
    print(f"short inputs: {len(content)} kinds, {len(differing)} differ from the stored ones", *differing)
    if differing:
        raise SystemExit(1)


def counts() -> dict[str, list[int]]:
    """By share, how many of so many patches stay."""
    return {
        str(share): [PatchDropout(share).train()(torch.zeros(1, 1 + count, 2)).shape[1] - 1 for count in PATCHES]
        for share in SHARES
    }


def tower() -> dict[str, Any]:
    """The image tower of a fixture in training, half of its patches dropped: which stayed, the result, a gradient."""
    config = json.loads((DATA / FIXTURE / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    config["vision_cfg"]["patch_dropout"] = 0.5
    model = open_clip.model.CLIP(**config)
    model.load_state_dict(load_file(DATA / FIXTURE / "open_clip_model.safetensors"))
    model.train()
    seen: dict[str, torch.Tensor] = {}
    model.visual.patch_dropout.register_forward_hook(lambda _m, inputs, out: seen.update(whole=inputs[0], kept=out))
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    result = model.encode_image(pixels)
    result.square().sum().backward()
    places = [
        [next(n for n, token in enumerate(whole) if torch.equal(token, one)) for one in kept]
        for whole, kept in zip(seen["whole"], seen["kept"], strict=True)
    ]
    gradient = model.visual.positional_embedding.grad
    return {"kept": places, "result": result.tolist(), "gradient": gradient[:, :4].tolist()}


def tables() -> dict[str, Any]:
    """Tables of positions for other sizes, by OpenCLIP with a class token, by timm without one, and for texts."""
    random = torch.Generator().manual_seed(2)
    grid, square, line = (torch.randn(rows, 4, generator=random) for rows in (1 + 9, 16, 6))
    return {
        "given": {"grid": grid.tolist(), "square": square.tolist(), "line": line.tolist()},
        "grid": {str(side): with_class_token(grid, side) for side in (2, 5)},
        "square": {
            str(side): resample_abs_pos_embed(square[None], [side, side], num_prefix_tokens=0)[0].tolist() for side in (3, 6)
        },
        "line": {str(length): of_texts(line, length) for length in (4, 11)},
    }


def with_class_token(table: torch.Tensor, side: int) -> Any:
    state = {"visual.positional_embedding": table.clone()}
    open_clip.model.resize_pos_embed(state, SimpleNamespace(visual=SimpleNamespace(grid_size=(side, side))))
    return state["visual.positional_embedding"].tolist()


def of_texts(table: torch.Tensor, length: int) -> Any:
    state = {"positional_embedding": table.clone()}
    open_clip.model.resize_text_pos_embed(state, SimpleNamespace(positional_embedding=torch.zeros(length, table.shape[1])))
    return state["positional_embedding"].tolist()


if __name__ == "__main__":
    main()
