"""Writes a pipeline's folder as one file, with the tensor names of the model's authors instead of those of diffusers."""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.generation.pipelines import values

Tensors = dict[str, torch.Tensor]

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE = {
    "conv_norm_out": "norm_out",
    "mid_block.attentions.0": "mid.attn_1",
    "group_norm": "norm",
    "to_out.0": "proj_out",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "conv_shortcut": "nin_shortcut",
}
OPEN_CLIP = {
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.final_layer_norm": "ln_final",
    "text_model.encoder.layers": "transformer.resblocks",
    "self_attn": "attn",
    "layer_norm": "ln_",
    "fc1": "c_fc",
    "fc2": "c_proj",
}


def single_file(folder: Path, file: Path) -> Path:
    """Writes `folder`, which a maker of Stable Diffusion 1, 2 or XL wrote, as `file`."""
    tensors = unet(weights(folder / "unet")) | vae(weights(folder / "vae"))
    first = weights(folder / "text_encoder")
    if (folder / "text_encoder_2").is_dir():
        tensors |= clip(first, "conditioner.embedders.0.transformer.")
        second = weights(folder / "text_encoder_2")
        tensors |= open_clip(second, "conditioner.embedders.1.model.")
    elif '"!"' in (folder / "tokenizer" / "tokenizer_config.json").read_text(encoding="utf-8"):
        tensors |= open_clip(first | last_layer(first), "cond_stage_model.model.")
    else:
        tensors |= clip(first, "cond_stage_model.transformer.")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


def weights(part: Path) -> Tensors:
    (file,) = part.glob("*.safetensors")
    return load_file(file)


def replaced(name: str, table: dict[str, str]) -> str:
    for ours, theirs in table.items():
        name = name.replace(ours, theirs)
    return name


def clip(encoder: Tensors, prefix: str) -> Tensors:
    """A text encoder as transformers names it, with the buffer that its older versions stored."""
    positions = {f"{prefix}text_model.embeddings.position_ids": torch.arange(77)[None]}
    return {f"{prefix}{name}": tensor for name, tensor in encoder.items()} | positions


def open_clip(encoder: Tensors, prefix: str) -> Tensors:
    """A text encoder as OpenCLIP names it: one tensor for queries, keys and values, and a projection that is not transposed."""
    found = {}
    for name, tensor in encoder.items():
        part = re.fullmatch(r"(.*self_attn)\.q_proj\.(weight|bias)", name)
        if part:
            joined = torch.cat([encoder[f"{part[1]}.{which}_proj.{part[2]}"] for which in "qkv"])
            found[f"{part[1]}.in_proj_{part[2]}"] = joined
        elif name == "text_projection.weight":
            found["text_projection"] = tensor.T
        elif ".k_proj." not in name and ".v_proj." not in name:
            found[name] = tensor
    found["logit_scale"] = torch.tensor(4.6)
    return {prefix + replaced(name, OPEN_CLIP): tensor for name, tensor in found.items()}


def last_layer(encoder: Tensors) -> Tensors:
    """What the folder of Stable Diffusion 2 leaves out of its CLIP: the last layer, and the projection."""
    layers = 1 + max(int(found[1]) for name in encoder if (found := re.search(r"layers\.(\d+)", name)))
    extra = {
        name.replace("layers.0.", f"layers.{layers}."): tuple(tensor.shape)
        for name, tensor in encoder.items()
        if "layers.0." in name
    }
    width = encoder["text_model.final_layer_norm.weight"].shape[0]
    return {name: values(name, shape) for name, shape in (extra | {"text_projection.weight": (width, width)}).items()}


def unet(tensors: Tensors) -> Tensors:
    """The painter's blocks, counted through: one layer per block, and two blocks."""
    found = {}
    for name, tensor in tensors.items():
        where = re.fullmatch(r"(down|up|mid)_blocks?\.(\d+\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
        if where is None:
            new = replaced(name, UNET)
        else:
            side, block, kind, layer, rest = where.groups()
            place = unet_place(side, int((block or "0").rstrip(".")), kind, int(layer), tensors)
            new = f"{place}.{replaced(rest, RESNET) if kind == 'resnets' else rest}".replace(".op.conv.", ".op.")
        found[f"model.diffusion_model.{new}"] = tensor
    return found


def unet_place(side: str, block: int, kind: str, layer: int, tensors: Tensors) -> str:
    if side == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * layer}"
    if side == "down":
        number = 1 + 2 * block + layer
        return (
            f"input_blocks.{2 + 2 * block}.0.op"
            if kind == "downsamplers"
            else f"input_blocks.{number}.{kind == 'attentions':d}"
        )
    if kind == "upsamplers":
        attends = any(name.startswith(f"up_blocks.{block}.attentions") for name in tensors)
        return f"output_blocks.{2 * block + 1}.{1 + attends}"
    return f"output_blocks.{2 * block + layer}.{kind == 'attentions':d}"


def vae(tensors: Tensors) -> Tensors:
    """The autoencoder; blocks on the way up are counted from the top, and its attention is made of 1x1 convolutions."""
    found = {}
    for name, tensor in tensors.items():
        new = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
        new = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(r"up_blocks\.(\d)\.resnets", lambda part: f"up.{1 - int(part[1])}.block", new)
        new = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda part: f"up.{1 - int(part[1])}.upsample", new)
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda part: f"mid.block_{int(part[1]) + 1}", new)
        attention = "attentions" in new and tensor.ndim == 2
        found[f"first_stage_model.{replaced(new, VAE)}"] = tensor[:, :, None, None] if attention else tensor
    return found
