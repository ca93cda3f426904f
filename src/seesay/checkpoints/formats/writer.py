"""Writing a model in the formats of Hugging Face transformers and OpenCLIP, where they can express it exactly.

What a format cannot say is refused with every reason at once, never approximated in silence.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seesay.checkpoints.formats.layouts import LAYOUTS, Layout
from seesay.checkpoints.names import Row
from seesay.errors import CheckpointError
from seesay.images.spec import ImageSpec
from seesay.models.config import ModelConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.tokenizers.to_files import transformers_files

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models.clip import Clip

Target = Literal["hf", "open_clip"]
HF_ACTIVATIONS = {"gelu": "gelu", "quick_gelu": "quick_gelu", "gelu_tanh": "gelu_pytorch_tanh"}
RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}  # Pillow's numbers


def write(clip: "Clip", vocabulary: bytes | None, folder: Path, target: Target) -> None:
    """Writes weights and configuration into an existing folder. Raises CheckpointError with every reason why not."""
    from safetensors.torch import save_file

    layout, files = (_hugging_face if target == "hf" else _open_clip)(clip.config, vocabulary)
    name = "model.safetensors" if target == "hf" else "open_clip_model.safetensors"
    state = clip.state_dict()
    if clip.config.image is None or clip.config.text is None:
        state.pop("logit_scale")  # one tower alone scales nothing
    save_file(foreign_state(state, layout), folder / name, metadata={"format": "pt"})
    for file, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / file).write_text(text, encoding="utf-8")


def hugging_face_config(config: ModelConfig) -> dict[str, Any]:
    """What transformers' config.json says of this model. Raises CheckpointError with every reason why it cannot."""
    described: dict[str, Any] = _hugging_face(config, None)[1]["config.json"]
    return described


def foreign_state(state: "Mapping[str, Tensor]", layout: Layout) -> "dict[str, Tensor]":
    """Our tensors under a format's names: its table read backwards."""
    import torch

    left = dict(state)
    made: dict[str, torch.Tensor] = {}
    marks = "visual.attnpool.positional_embedding" if any(name.startswith("image.stem.") for name in left) else ""
    for row in layout.table([marks]):
        if not row.ours:
            continue
        pattern = Row(row.ours[0]).pattern
        for name in list(left):
            if match := pattern.fullmatch(name):
                parts = [left.pop(ours.format(*match.groups())) for ours in row.ours]
                value = torch.cat(parts) if len(parts) > 1 else parts[0].T if row.how == "transpose" else parts[0]
                made[row.theirs.format(*match.groups())] = value.detach().clone().contiguous()
    if left:
        raise CheckpointError(f"{layout.title} has no name for {', '.join(sorted(left)[:5])}")
    return made


def _layout(name: str) -> Layout:
    return next(layout for layout in LAYOUTS if layout.name == name)


def _require(target: str, reasons: list[str]) -> None:
    if reasons:
        raise CheckpointError(f"{target} cannot express this model exactly:\n" + "\n".join(f"  {reason}" for reason in reasons))


# Hugging Face transformers


def _hugging_face(config: ModelConfig, vocabulary: bytes | None) -> tuple[Layout, dict[str, Any]]:
    image, text, reasons = config.image, config.text, list[str]()
    if config.logit_bias is not None:
        reasons.append("it has a logit bias, which CLIPModel has not")
    chinese = isinstance(text, BertConfig)
    if image is not None and not isinstance(image, VitConfig):
        reasons.append(f"its image tower is {image.kind}; CLIPModel has a ViT only")
    elif image is not None:
        reasons += _hf_vit_reasons(image)
    if isinstance(text, BertConfig):
        reasons += _hf_bert_reasons(text, alone=image is None)
    elif text is not None and not (isinstance(text, ClipTextConfig) and text.causal and text.pooling == "eos"):
        reasons.append("its text tower is not causal and pooled at the end of text")
    if config.image_spec is not None and config.image_spec.resize == "longest":
        reasons.append("its pictures are padded, which CLIPImageProcessor does not do")
    _require("Hugging Face transformers", reasons)

    about: dict[str, Any] = {"projection_dim": config.dim, "torch_dtype": "float32"}
    parts: dict[str, Any] = {}
    if isinstance(text, ClipTextConfig):
        parts["text_config"] = {
            "model_type": "clip_text_model",
            "vocab_size": text.vocabulary,
            "max_position_embeddings": text.positions,
            "eos_token_id": text.eos_id,
            "bos_token_id": text.eos_id - 1,
            "pad_token_id": text.eos_id,
            **_hf_tower(text, config.dim),
        }
    elif isinstance(text, BertConfig):
        parts["text_config"] = {
            "model_type": "chinese_clip_text_model",
            "vocab_size": text.vocabulary,
            "max_position_embeddings": text.positions,
            "type_vocab_size": text.types,
            "pad_token_id": text.pad_id,
            **_hf_tower(text, config.dim),
        }
    if isinstance(image, VitConfig):
        kind = "chinese_clip_vision_model" if chinese else "clip_vision_model"
        sizes = {"image_size": image.image_px, "patch_size": image.patch_px}
        parts["vision_config"] = {"model_type": kind, **sizes, **_hf_tower(image, config.dim)}
    if len(parts) == 2:
        named = {
            "model_type": "chinese_clip" if chinese else "clip",
            "architectures": ["ChineseCLIPModel" if chinese else "CLIPModel"],
        }
        files = {"config.json": {**named, **about, "logit_scale_init_value": config.logit_scale, **parts}}
    else:
        ((part, values),) = parts.items()
        projected = (isinstance(image, VitConfig) and image.projection == "linear") or (
            isinstance(text, ClipTextConfig) and text.projection == "linear"
        )
        kind = ("CLIPTextModel" if part == "text_config" else "CLIPVisionModel") + ("WithProjection" if projected else "")
        files = {"config.json": {"architectures": [kind], **about, **values}}
    if config.image_spec is not None:
        files["preprocessor_config.json"] = _hf_processor(config.image_spec, chinese)
    if vocabulary is not None:
        assert config.tokenizer_spec
        files |= transformers_files(vocabulary, config.tokenizer_spec.context_length)
    return _layout("hf_chinese_clip" if chinese else "hf_clip"), files


def _hf_vit_reasons(image: VitConfig) -> list[str]:
    wrong = {
        "pools the mean of its patches": image.pooling != "cls",
        "has no norm before its blocks": not image.norm_before,
        "scales its layers": image.layer_scale,
    }
    return [f"its image tower {what}, which CLIPVisionModel does not" for what, is_so in wrong.items() if is_so]


def _hf_bert_reasons(text: BertConfig, *, alone: bool) -> list[str]:
    right = text.pooling == "cls" and text.head == "linear" and text.position_ids == "from-zero" and text.types > 0
    reasons = [] if right and text.gate is None else ["its BERT text tower is not pooled and projected as ChineseCLIPModel's"]
    return [*reasons, "ChineseCLIPModel has no text tower alone"] if alone else reasons


def _hf_tower(tower: VitConfig | ClipTextConfig | BertConfig, dim: int) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.mlp_width,
        "num_hidden_layers": tower.depth,
        "num_attention_heads": tower.heads,
        "hidden_act": HF_ACTIVATIONS[tower.activation],
        "layer_norm_eps": tower.layer_norm_eps,
        "projection_dim": dim,
    }


def _hf_processor(spec: ImageSpec, chinese: bool) -> dict[str, Any]:
    squashed = spec.resize == "squash"
    return {
        "image_processor_type": "ChineseCLIPImageProcessor" if chinese else "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": spec.size_px, "width": spec.size_px} if squashed else {"shortest_edge": spec.resize_px},
        "resample": RESAMPLE[spec.interpolation],
        "do_center_crop": not squashed,
        "crop_size": {"height": spec.size_px, "width": spec.size_px},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(spec.mean),
        "image_std": list(spec.std),
    }


# OpenCLIP


def _open_clip(config: ModelConfig, vocabulary: bytes | None) -> tuple[Layout, dict[str, Any]]:
    image, text, spec, reasons = config.image, config.text, config.image_spec, list[str]()
    if image is None or text is None or spec is None:
        raise CheckpointError("OpenCLIP cannot express one tower alone; it needs both")
    if not isinstance(text, ClipTextConfig):
        reasons.append(
            f"its text tower is {text.kind}, which OpenCLIP names after a repository on the hub instead of describing it"
        )
    if not isinstance(image, VitConfig | ModifiedResNetConfig):
        reasons.append(f"its image tower is {image.kind}")
    if spec.resize == "shortest" and spec.resize_px != spec.size_px:
        reasons.append(f"its pictures are resized to {spec.resize_px} and cropped to {spec.size_px} pixels")
    if spec.interpolation not in ("bicubic", "bilinear"):
        reasons.append(f"its pictures are resized by {spec.interpolation}")
    if isinstance(image, VitConfig) and isinstance(text, ClipTextConfig):
        if (image.activation == "quick_gelu") != (text.activation == "quick_gelu"):
            reasons.append("only one of its towers uses QuickGELU")
        if image.projection != "linear" or text.projection != "linear":
            reasons.append("a tower's projection is not linear")
    _require("OpenCLIP", reasons)
    assert isinstance(text, ClipTextConfig)
    assert isinstance(image, VitConfig | ModifiedResNetConfig)

    vision: dict[str, Any] = {"image_size": image.image_px, "width": image.width}
    if isinstance(image, VitConfig):
        vision |= {"layers": image.depth, "patch_size": image.patch_px, "head_width": image.width // image.heads}
        vision |= _unless(image.mlp_width == 4 * image.width, mlp_ratio=image.mlp_width / image.width)
        vision |= _unless(image.norm_before, no_ln_pre=True)
        vision |= _unless(image.pooling == "cls", pool_type="avg")
        vision |= _unless(not image.norm_after_pool, final_ln_after_pool=True)
        vision |= _unless(not image.layer_scale, ls_init_value=1e-5)
        vision |= _open_clip_tower(image)
    else:
        vision |= {"layers": list(image.stages), "head_width": image.width * 32 // image.heads}
    written: dict[str, Any] = {
        "context_length": text.positions,
        "vocab_size": text.vocabulary,
        "width": text.width,
        "heads": text.heads,
        "layers": text.depth,
        **_unless(text.mlp_width == 4 * text.width, mlp_ratio=text.mlp_width / text.width),
        **_unless(text.causal, no_causal_mask=True),
        **_unless(text.pooling == "eos", pool_type="last"),
        **_open_clip_tower(text),
    }
    if text.pooling == "eos" and text.eos_id != text.vocabulary - 1:
        written |= {"pool_type": "eos", "eos_id": text.eos_id}
    model_cfg = {"embed_dim": config.dim, "vision_cfg": vision, "text_cfg": written}
    model_cfg |= _unless(text.activation != "quick_gelu", quick_gelu=True)
    model_cfg |= _unless(config.logit_bias is None, init_logit_bias=config.logit_bias)
    preprocess_cfg = {
        "size": spec.size_px,
        "mode": "RGB",
        "mean": list(spec.mean),
        "std": list(spec.std),
        "interpolation": spec.interpolation,
        "resize_mode": spec.resize,
        "fill_color": spec.fill,
    }
    return _layout("openai"), {"open_clip_config.json": {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}}


def _open_clip_tower(tower: VitConfig | ClipTextConfig) -> dict[str, Any]:
    return {
        **_unless(tower.layer_norm_eps == 1e-5, norm_kwargs={"eps": tower.layer_norm_eps}),
        **_unless(tower.activation != "gelu_tanh", act_kwargs={"approximate": "tanh"}),
    }


def _unless(default: bool, **value: Any) -> dict[str, Any]:
    """A setting, left out where OpenCLIP's default says the same."""
    return {} if default else value
