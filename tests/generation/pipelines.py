"""Makes small pipelines of diffusers with random weights, as folders laid out like the published ones.

Each maker writes the same bytes with every version of the libraries, since a tensor's values come from its name. Text encoders
keep CLIP's whole vocabulary, which a single file of the same model needs; everything else is a few thousand numbers.
"""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from seesay.tokenizers import vocabulary

SIZE = 16  # of the pictures that they paint, in pixels
WIDTH = 64  # of the image embeddings
START, END = "<|startoftext|>", "<|endoftext|>"
TEXT = {
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 2,  # as published, though it is none of CLIP's
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_hidden_layers": 4,
    "pad_token_id": 1,
    "vocab_size": 49408,
}
SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
IMAGE_PROCESSOR = {
    "crop_size": 32,
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 32,
}


def values(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Random values of a tensor, of a size that keeps activations near one; the same for one name on every machine."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    if len(shape) == 1:
        noise = 0.3 * noise + (1 if "norm" in name and name.endswith("weight") else 0)
    elif "embedding" in name and "linear" not in name:
        noise *= 0.7
    else:
        noise *= 1.2 / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.ascontiguousarray(noise, dtype=np.float32))


def randomise(module: torch.nn.Module, part: str) -> dict[str, torch.Tensor]:
    """A module's parameters by their published names, all of them random."""
    published = {}
    for name, tensor in module.named_parameters():
        if not name.startswith(("text_", "vision_", "visual_")) and isinstance(module, CLIPTextModel):
            name = f"text_model.{name}"  # newer versions of transformers left it out, published files have it
        published[name] = values(f"{part}/{name}", tuple(tensor.shape))
        tensor.data = published[name]
    return published


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def write_tokenizer(folder: Path, pad: str) -> None:
    """The files that published pipelines have: vocab.json and merges.txt, without a tokenizer.json."""
    model = json.loads(vocabulary("clip"))["model"]
    pieces = {piece: number for piece, number in model["vocab"].items() if number < 49406} | {START: 49406, END: 49407}
    special = {"bos_token": START, "eos_token": END, "pad_token": pad, "unk_token": END}
    write_json(folder / "vocab.json", pieces)
    merges = [" ".join(merge) for merge in model["merges"][: 49406 - 2 * 256]]  # the others spell the special tokens
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    write_json(folder / "special_tokens_map.json", special)
    settings = {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True, "errors": "replace"}
    write_json(folder / "tokenizer_config.json", special | settings | {"add_prefix_space": False})


def write_text_encoder(folder: Path, *, width: int, activation: str, layers: int, projection: bool = False) -> None:
    """A text encoder of CLIP with one head for every 64 of its width, as the published ones have."""
    kind: Any = CLIPTextModelWithProjection if projection else CLIPTextModel
    config = TEXT | {
        "architectures": [kind.__name__],
        "hidden_act": activation,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": width // 64,
        "num_hidden_layers": layers,
        "projection_dim": width,
    }
    write_json(folder / "config.json", config)
    module = kind(CLIPTextConfig(**config))
    save_file(randomise(module, folder.name), folder / "model.safetensors", metadata={"format": "pt"})


def write_image_encoder(folder: Path) -> None:
    config = {
        "architectures": ["CLIPVisionModelWithProjection"],
        "hidden_act": "gelu",
        "hidden_size": 64,
        "image_size": 32,
        "intermediate_size": 128,
        "layer_norm_eps": 1e-5,
        "model_type": "clip_vision_model",
        "num_attention_heads": 1,
        "num_hidden_layers": 2,
        "patch_size": 8,
        "projection_dim": WIDTH,
    }
    write_json(folder / "config.json", config)
    module = CLIPVisionModelWithProjection(CLIPVisionConfig(**config))
    save_file(randomise(module, folder.name), folder / "model.safetensors", metadata={"format": "pt"})


def write_painter(folder: Path, *, context: int, **settings: Any) -> None:
    """The network that paints, on `context` numbers per token; its autoencoder; its scheduler."""
    unet = UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=8,
        cross_attention_dim=context,
        **settings,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIZE,
    )
    for part, module in (("unet", unet), ("vae", vae)):
        randomise(module, part)
        module.save_pretrained(folder / part)
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)


def write_index(folder: Path, pipeline: str, **settings: Any) -> None:
    libraries = {"diffusers": ("unet", "vae", "scheduler")}
    names = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "scheduler": "DDIMScheduler"}
    for part in ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"):
        names[part] = "CLIPTokenizer" if "tokenizer" in part else "CLIPTextModel"
    names["text_encoder_2"] += "WithProjection"
    parts = {
        part: ["diffusers" if part in libraries["diffusers"] else "transformers", name]
        for part, name in names.items()
        if (folder / part).is_dir()
    }
    write_json(folder / "model_index.json", {"_class_name": pipeline, "_diffusers_version": "0.36.0"} | parts | settings)


def stable_diffusion_1(folder: Path) -> Path:
    """As Stable Diffusion 1.5: the last layer of a CLIP with QuickGELU, padded with its last token."""
    write_tokenizer(folder / "tokenizer", pad=END)
    write_text_encoder(folder / "text_encoder", width=128, activation="quick_gelu", layers=4)
    write_painter(folder, context=128)
    none: dict[str, Any] = {"safety_checker": [None, None], "feature_extractor": [None, None]}
    write_index(folder, "StableDiffusionPipeline", **none, requires_safety_checker=False)
    return folder


def stable_diffusion_2(folder: Path) -> Path:
    """As Stable Diffusion 2.1: a CLIP with GELU that lacks its last layer, padded with "!"."""
    write_tokenizer(folder / "tokenizer", pad="!")
    write_text_encoder(folder / "text_encoder", width=64, activation="gelu", layers=4)
    write_painter(folder, context=64, use_linear_projection=True)
    none: dict[str, Any] = {"safety_checker": [None, None], "feature_extractor": [None, None]}
    write_index(folder, "StableDiffusionPipeline", **none, requires_safety_checker=False)
    return folder


def stable_diffusion_xl(folder: Path) -> Path:
    """As Stable Diffusion XL: the layers before the last of two CLIPs, side by side, and the pooled vector of the second."""
    write_tokenizer(folder / "tokenizer", pad=END)
    write_tokenizer(folder / "tokenizer_2", pad="!")
    write_text_encoder(folder / "text_encoder", width=64, activation="quick_gelu", layers=4)
    write_text_encoder(folder / "text_encoder_2", width=128, activation="gelu", layers=4, projection=True)
    write_painter(
        folder,
        context=64 + 128,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 128,  # six numbers of sizes and crops, and the pooled vector
    )
    write_index(folder, "StableDiffusionXLPipeline", force_zeros_for_empty_prompt=True)
    return folder


def image_variation(folder: Path) -> Path:
    """As Stable unCLIP: paints from a picture's embedding, to which noise was added."""
    write_tokenizer(folder / "tokenizer", pad="!")
    write_text_encoder(folder / "text_encoder", width=64, activation="gelu", layers=4)
    write_painter(folder, context=64, class_embed_type="projection", projection_class_embeddings_input_dim=2 * WIDTH)
    write_image_encoder(folder / "image_encoder")
    write_json(folder / "feature_extractor" / "preprocessor_config.json", IMAGE_PROCESSOR)
    normalizer = StableUnCLIPImageNormalizer(WIDTH)
    with torch.no_grad():
        normalizer.mean.copy_(values("image_normalizer/mean", (1, WIDTH)))
        normalizer.std.copy_(values("image_normalizer/std", (1, WIDTH)).abs() + 0.5)
    normalizer.save_pretrained(folder / "image_normalizer")
    noising = {"_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 1000}
    write_json(folder / "image_noising_scheduler" / "scheduler_config.json", noising)
    write_index(
        folder,
        "StableUnCLIPImg2ImgPipeline",
        feature_extractor=["transformers", "CLIPImageProcessor"],
        image_encoder=["transformers", "CLIPVisionModelWithProjection"],
        image_noising_scheduler=["diffusers", "DDPMScheduler"],
        image_normalizer=["stable_diffusion", "StableUnCLIPImageNormalizer"],
    )
    return folder


def ip_adapter(folder: Path) -> Path:
    """An IP-Adapter for `stable_diffusion_1`: models/image_encoder, and models/ip-adapter.safetensors with four tokens."""
    models = folder / "models"
    write_image_encoder(models / "image_encoder")
    shapes: dict[str, tuple[int, ...]] = {
        "image_proj.proj.weight": (4 * 128, WIDTH),
        "image_proj.proj.bias": (4 * 128,),
        "image_proj.norm.weight": (128,),
        "image_proj.norm.bias": (128,),
    }
    # The attention layers that look at the text, in the order in which the painter counts all of its layers.
    for number in (1, 3, 5, 7):
        for part in ("to_k_ip", "to_v_ip"):
            shapes[f"ip_adapter.{number}.{part}.weight"] = (32, 128)
    save_file({name: values(name, shape) for name, shape in shapes.items()}, models / "ip-adapter.safetensors")
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {
    maker.__name__: maker
    for maker in (stable_diffusion_1, stable_diffusion_2, stable_diffusion_xl, image_variation, ip_adapter)
}
