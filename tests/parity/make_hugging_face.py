"""Fixtures from Hugging Face transformers, saved by `save_pretrained`. Names carry the major version: its layouts differ."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from torch import nn
from transformers import (
    AlignConfig,
    AlignModel,
    AltCLIPConfig,
    AltCLIPModel,
    BertTokenizerFast,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizerFast,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    EfficientNetImageProcessor,
    MetaClip2Config,
    MetaClip2Model,
)

from tests.parity.fixtures import FIXTURES, Made, pixels, randomise, record, text_ids

MAJOR = transformers.__version__.split(".")[0]
VOCABULARY, LENGTH = 300, 16
END = VOCABULARY - 1
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "max_position_embeddings": LENGTH,
    "bos_token_id": END - 1,
    "eos_token_id": END,
    "pad_token_id": END,
    "projection_dim": 24,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 24,
}


def fixture(make: Any) -> Any:
    FIXTURES[f"{make.__name__.replace('_', '-')}-{MAJOR}"] = make
    return make


def save_processor(folder: Path, *, chinese: bool = False, whole: bool = False) -> None:
    """whole: as part of the model's processor, which version 5 writes to a file of its own; without the tokenizer's files."""
    images: Any
    if chinese:
        images = ChineseCLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
    else:
        images = CLIPImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32})
    if not whole:
        images.save_pretrained(folder)
        return
    with TemporaryDirectory() as place:
        if chinese:
            (Path(place) / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
            ChineseCLIPProcessor(images, BertTokenizerFast(f"{place}/vocab.txt")).save_pretrained(place)
        else:
            (Path(place) / "vocab.json").write_text('{"<|startoftext|>": 0, "<|endoftext|>": 1}')
            (Path(place) / "merges.txt").write_text("#version: 0.2\n")
            CLIPProcessor(images, CLIPTokenizerFast(f"{place}/vocab.json", f"{place}/merges.txt")).save_pretrained(place)
        for file in Path(place).glob("*processor_config.json"):
            shutil.copy(file, folder)


def tensor(output: Any) -> torch.Tensor:
    """transformers 5 wraps features in an output object, 4 gives the tensor."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output  # type: ignore[no-any-return]


def run(model: nn.Module, folder: Path, ids: Any, *, px: int = 32, gradients: bool = True) -> Made:
    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        hidden = model.vision_model(x, output_hidden_states=True).hidden_states
        return tensor(model.get_image_features(pixel_values=x)), list(hidden)

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        masked = isinstance(model, AltCLIPModel | ChineseCLIPModel)
        mask = (x != model.config.text_config.pad_token_id).long() if masked else None
        hidden = model.text_model(x, attention_mask=mask, output_hidden_states=True).hidden_states
        if isinstance(model, ChineseCLIPModel) and MAJOR == "4":  # 4.57 fails in get_text_features: no pooler to take from
            return model.text_projection(hidden[-1][:, 0]), list(hidden)
        return tensor(model.get_text_features(input_ids=x, attention_mask=mask)), list(hidden)

    def saved_name(name: str) -> str:  # transformers 5 renames AltCLIP's layers as it saves them, those of both towers
        return name.replace(".layers.", ".layer.") if isinstance(model, AltCLIPModel) and MAJOR == "5" else name

    towers: Any = {"image": image, "text": text, "scale": model.logit_scale}
    return record(folder, model, **towers, ids=ids, px=pixels(px), gradients=gradients, saved_name=saved_name)


def clip_ids() -> Any:
    return text_ids(VOCABULARY, LENGTH, first=END - 1, last=END, pad=END)


@fixture
def hf_clip(folder: Path) -> Made:
    text, vision = TEXT | {"hidden_act": "quick_gelu"}, VISION | {"hidden_act": "quick_gelu"}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    randomise(model, 51)
    model.save_pretrained(folder)
    save_processor(folder, whole=True)
    return run(model, folder, clip_ids()) | {"file": ""}


@fixture
def hf_clip_gelu(folder: Path) -> Made:
    """A model like converted LAION ones: GELU, another epsilon, and the wrong eos id 2 of old configurations; a .bin file."""
    text = TEXT | {"hidden_act": "gelu", "layer_norm_eps": 1e-3, "eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1}
    vision = VISION | {"hidden_act": "gelu", "layer_norm_eps": 1e-3}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    randomise(model, 52)
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    save_processor(folder)
    return run(model, folder, clip_ids()) | {"file": ""}


def single(folder: Path, model: nn.Module, seed: int, part: str, output: str) -> Made:
    randomise(model, seed)
    model.save_pretrained(folder)
    if part == "image":
        save_processor(folder)

    def tower(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        out = model(x, output_hidden_states=True)
        return getattr(out, output), list(out.hidden_states)

    towers = {"image": None, "text": None} | {part: tower}
    record(folder, model, image=towers["image"], text=towers["text"], ids=clip_ids() if part == "text" else None)
    return {"file": ""}


@fixture
def hf_text(folder: Path) -> Made:
    return single(folder, CLIPTextModel(CLIPTextConfig(**TEXT, hidden_act="quick_gelu")), 53, "text", "pooler_output")


@fixture
def hf_text_projection(folder: Path) -> Made:
    model = CLIPTextModelWithProjection(CLIPTextConfig(**TEXT, hidden_act="gelu"))
    return single(folder, model, 54, "text", "text_embeds")


@fixture
def hf_vision(folder: Path) -> Made:
    model = CLIPVisionModel(CLIPVisionConfig(**VISION, hidden_act="quick_gelu"))
    return single(folder, model, 55, "image", "pooler_output")


@fixture
def hf_vision_projection(folder: Path) -> Made:
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION, hidden_act="gelu"))
    return single(folder, model, 56, "image", "image_embeds")


@fixture
def hf_chinese_clip(folder: Path) -> Made:
    text = TEXT | {"pad_token_id": 0, "max_position_embeddings": 20, "type_vocab_size": 2, "layer_norm_eps": 1e-12}
    model = ChineseCLIPModel(ChineseCLIPConfig(text_config=text, vision_config=dict(VISION), projection_dim=24))
    randomise(model, 57)
    model.save_pretrained(folder)
    save_processor(folder, chinese=True, whole=True)
    ids = text_ids(VOCABULARY, LENGTH, first=1, last=2, pad=0)
    return run(model, folder, ids) | {"file": ""}


@fixture
def hf_altclip(folder: Path) -> Made:
    text = TEXT | {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "max_position_embeddings": 20, "project_dim": 28}
    vision = VISION | {"hidden_act": "quick_gelu"}
    model = AltCLIPModel(AltCLIPConfig(text_config=text | {"type_vocab_size": 1}, vision_config=vision, projection_dim=24))
    randomise(model, 58)
    model.save_pretrained(folder)
    save_processor(folder)
    ids = text_ids(VOCABULARY, LENGTH, first=4, last=2, pad=1)
    return run(model, folder, ids) | {"file": ""}


@fixture
def hf_metaclip_2(folder: Path) -> Made:
    """The end of text is a low id, XLM-V's, which CLIPModel would take for a mistake."""
    text = TEXT | {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu"}
    vision = VISION | {"hidden_act": "gelu"}
    model = MetaClip2Model(MetaClip2Config(text_config=text, vision_config=vision, projection_dim=24))
    randomise(model, 59)
    model.save_pretrained(folder)
    save_processor(folder)
    return run(model, folder, text_ids(VOCABULARY, LENGTH, first=0, last=2, pad=1)) | {"file": ""}


class MultilingualClip(nn.Module):
    """As M-CLIP's authors put it together: the mean of the tokens, then a linear layer with a bias."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.transformer = transformers.AutoModel.from_config(config)
        self.LinearTransformation = nn.Linear(config.hidden_size, 28)


def m_clip(folder: Path, seed: int, config: Any, base: str) -> Made:
    model = MultilingualClip(config)
    randomise(model, seed)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    published = {"model_type": "M-CLIP", "modelBase": base, "numDims": 28, "transformerDimensions": 24}
    (folder / "config.json").write_text(json.dumps(published), encoding="utf-8")

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        mask = (x != config.pad_token_id).long()
        out = model.transformer(input_ids=x, attention_mask=mask, output_hidden_states=True)
        mean = (out.last_hidden_state * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1)[:, None]
        return model.LinearTransformation(mean), list(out.hidden_states)

    ids = text_ids(VOCABULARY, LENGTH, first=4, last=2, pad=config.pad_token_id)
    record(folder, model, image=None, text=text, ids=ids)
    return {"file": "", "overrides": {"text_heads": 3}}


@fixture
def m_clip_xlm_roberta(folder: Path) -> Made:
    settings = TEXT | {"pad_token_id": 1, "max_position_embeddings": 20, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return m_clip(folder, 60, transformers.XLMRobertaConfig(**settings), "xlm-roberta-large")


@fixture
def m_clip_bert(folder: Path) -> Made:
    settings = TEXT | {"pad_token_id": 0, "max_position_embeddings": 20}
    return m_clip(folder, 61, transformers.BertConfig(**settings), "sentence-transformers/LaBSE")


@fixture
def hf_align(folder: Path) -> Made:
    """Odd and even sides, both paddings of strided convolutions, a stage with residuals; 17 pixels cut from 20."""
    vision = {
        "image_size": 17,
        "width_coefficient": 0.25,
        "depth_coefficient": 1.1,
        "kernel_sizes": [3, 3, 5],
        "in_channels": [32, 32, 48],
        "out_channels": [32, 48, 96],
        "strides": [1, 2, 2],
        "num_block_repeats": [1, 1, 1],
        "expand_ratios": [1, 6, 2],
        "depthwise_padding": [4],
        "hidden_dim": 24,
    }
    text = TEXT | {"vocab_size": 60, "num_hidden_layers": 1, "pad_token_id": 0, "max_position_embeddings": 20}
    model = AlignModel(AlignConfig(text_config=text, vision_config=vision, projection_dim=24))
    randomise(model, 62)
    with torch.no_grad():
        model.temperature.fill_(0.3)
    model.save_pretrained(folder)
    EfficientNetImageProcessor(
        size={"height": 20, "width": 20},
        crop_size={"height": 17, "width": 17},
        do_center_crop=True,
        rescale_factor=1 / 127.5,
        rescale_offset=True,
        do_normalize=False,
        include_top=False,
        resample=2,
    ).save_pretrained(folder)

    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        states: list[torch.Tensor] = []
        parts = [model.vision_model.embeddings, *model.vision_model.encoder.blocks]
        hooks = [part.register_forward_hook(lambda _m, _i, y: states.append(y)) for part in parts]
        out = tensor(model.get_image_features(pixel_values=x))
        for hook in hooks:
            hook.remove()
        return out, states

    def text_tower(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        mask = (x != 0).long()
        hidden = model.text_model(x, attention_mask=mask, output_hidden_states=True).hidden_states
        return tensor(model.get_text_features(input_ids=x, attention_mask=mask)), list(hidden)

    ids = text_ids(60, LENGTH, first=1, last=2, pad=0)
    scale = -model.temperature.detach().log()  # the temperature divides cosines
    return record(folder, model, image=image, text=text_tower, ids=ids, px=pixels(17), scale=scale) | {"file": ""}
