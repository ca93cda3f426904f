"""Textual inversions and LoRA for the tiny generators, in every form in which they are published."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.generation.tiny import LAYERS, WIDTHS, values

SHORT = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}
KOHYA = {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
LINEARS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
RANK, ALPHA = 3, 2.0
UNET = {
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": torch.ones(2, 4),
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": torch.ones(4, 2),
}


def vectors(part: str, count: int = 2) -> torch.Tensor:
    return values(f"inversion/{part}/embedding", (count, WIDTHS[part]))


def web_embedding(path: Path, name: str, count: int = 2) -> Path:
    """A .pt of web interfaces, which holds numbers of its training beside the vectors."""
    content = {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": vectors("text_encoder", count)},
        "name": name,
        "step": 500,
        "sd_checkpoint": None,
        "sd_checkpoint_name": None,
    }
    torch.save(content, path)
    return path


def web_safetensors(path: Path) -> Path:
    save_file({"emb_params": vectors("text_encoder")}, path)
    return path


def diffusers_embedding(path: Path, token: str, *, count: int = 2) -> Path:
    """learned_embeds.bin or .safetensors: one vector as (width,), more as (n, width)."""
    content = {token: vectors("text_encoder", count)[0] if count == 1 else vectors("text_encoder", count)}
    if path.suffix == ".safetensors":
        save_file({name: tensor.clone() for name, tensor in content.items()}, path)
    else:
        torch.save(content, path)
    return path


def xl_embedding(path: Path) -> Path:
    save_file({SHORT[part]: vectors(part) for part in WIDTHS}, path)
    return path


def changes(part: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The change of each layer of an encoder, as "down" and "up"."""
    width = WIDTHS[part]
    inputs = {"mlp.fc2": 2 * width}
    outputs = {"mlp.fc1": 2 * width}
    found = {}
    for i in range(LAYERS):
        for name in LINEARS:
            at = f"text_model.encoder.layers.{i}.{name}"
            down = values(f"lora/{part}/{at}/down", (RANK, inputs.get(name, width)))
            up = 0.3 * values(f"lora/{part}/{at}/up", (outputs.get(name, width), RANK))
            found[at] = (down, up)
    return found


def kohya_lora(path: Path, *parts: str, alpha: float | None = ALPHA, unet: bool = True, prefix: str | None = None) -> Path:
    """As kohya's scripts write it. prefix: `lora_te_`, as for Stable Diffusion 1."""
    tensors: dict[str, torch.Tensor] = dict(UNET) if unet else {}
    for part in parts:
        for name, (down, up) in changes(part).items():
            at = (prefix or KOHYA[part]) + name.replace(".", "_")
            tensors |= {f"{at}.lora_down.weight": down, f"{at}.lora_up.weight": up}
            tensors |= {} if alpha is None else {f"{at}.alpha": torch.tensor(alpha)}
    save_file(tensors, path)
    return path


def diffusers_lora(path: Path, *parts: str, settings: dict[str, Any] | None = None, form: str = "peft") -> Path:
    """As diffusers writes it. form: "peft" (lora_A, lora_B), "linear" (lora_linear_layer) or "old" (to_q_lora, attention only).
    settings: PEFT's, in the header."""
    tensors: dict[str, torch.Tensor] = {}
    for part in parts:
        for name, (down, up) in changes(part).items():
            at = f"{part}.{name}"
            if form == "old":
                if "self_attn" in name:
                    start, kind = at.removesuffix("_proj").rsplit(".", 1)
                    tensors |= {f"{start}.to_{kind}_lora.down.weight": down, f"{start}.to_{kind}_lora.up.weight": up}
                continue
            names = {"peft": ("lora_A", "lora_B"), "linear": ("lora_linear_layer.down", "lora_linear_layer.up")}[form]
            tensors |= {f"{at}.{names[0]}.weight": down, f"{at}.{names[1]}.weight": up}
    header = {"format": "pt"} | ({} if settings is None else {"lora_adapter_metadata": json.dumps(settings)})
    save_file(tensors, path, metadata=header)
    return path


def settings(part: str, **more: Any) -> dict[str, Any]:
    """PEFT's settings of a text encoder's LoRA, as diffusers writes them."""
    own = {
        "r": RANK,
        "lora_alpha": ALPHA,
        "target_modules": sorted({name.rsplit(".", 1)[-1] for name in LINEARS}),
        "use_dora": False,
        "use_rslora": False,
        "lora_bias": False,
        "alpha_pattern": {},
        "rank_pattern": {},
    }
    return {f"{part}.{name}": value for name, value in (own | more).items()}
