"""Fixtures from OpenCLIP (PyPI `open_clip_torch`)."""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
import transformers
from open_clip.hf_model import HFTextEncoder
from safetensors.torch import save_file
from torch import nn

from tests.parity.fixtures import Made, fixture, pixels, randomise, record, text_ids

VOCABULARY, LENGTH = 300, 16
VISION = {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 8}
TEXT = {"context_length": LENGTH, "vocab_size": VOCABULARY, "width": 24, "heads": 3, "layers": 2}
PREPROCESS = {
    "size": [32, 32],
    "mode": "RGB",
    "mean": [0.4, 0.5, 0.6],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bicubic",
    "resize_mode": "squash",
    "fill_color": 0,
}


def run(model: nn.Module, folder: Path, *, px: int = 32, ids: Any = None, **options: Any) -> Made:
    def image(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        tower, states = model.visual, []
        if hasattr(tower, "transformer"):
            parts = [*tower.transformer.resblocks]
            hooks = [parts[0].register_forward_pre_hook(lambda _m, inputs: states.append(inputs[0]))]
        else:
            parts, hooks = [tower.avgpool] + [getattr(tower, f"layer{i}") for i in range(1, 5)], []
        hooks += [m.register_forward_hook(lambda _m, _i, y: states.append(y)) for m in parts]
        out = model.encode_image(x)
        for hook in hooks:
            hook.remove()
        return out, states

    def text(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        states: list[torch.Tensor] = []
        transformer = model.transformer if hasattr(model, "transformer") else model.text.transformer
        if hasattr(transformer, "resblocks"):
            parts = [*transformer.resblocks]
            hooks = [parts[0].register_forward_pre_hook(lambda _m, inputs: states.append(inputs[0]))]
        else:
            parts = [transformer.embeddings, *transformer.encoder.layer]
            hooks = []
        hooks += [m.register_forward_hook(lambda _m, _i, y: states.append(y[0] if isinstance(y, tuple) else y)) for m in parts]
        out = model.encode_text(x)
        for hook in hooks:
            hook.remove()
        return out, states

    if ids is None:
        ids = text_ids(VOCABULARY, LENGTH, first=VOCABULARY - 2, last=VOCABULARY - 1, pad=0)
    scale = model.logit_scale
    return record(folder, model, image=image, text=text, ids=ids, px=pixels(px), scale=scale, **options)


def save_folder(folder: Path, model: nn.Module, model_cfg: Made) -> None:
    """Saves a folder as OpenCLIP publishes it on the hub."""
    side = model_cfg["vision_cfg"]["image_size"]
    config = {"model_cfg": model_cfg, "preprocess_cfg": PREPROCESS | {"size": [side, side]}}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )


def native(model_cfg: Made) -> nn.Module:
    cfg = dict(model_cfg)
    kind = open_clip.model.CustomTextCLIP if cfg.pop("custom_text", False) else open_clip.model.CLIP
    return kind(**cfg)  # type: ignore[no-any-return]


def folder_fixture(folder: Path, seed: int, model_cfg: Made, **options: Any) -> Made:
    model = native(model_cfg)
    randomise(model, seed)
    save_folder(folder, model, model_cfg)
    return run(model, folder, **options) | {"file": ""}


@fixture
def open_clip_native(folder: Path) -> Made:
    return folder_fixture(folder, 31, {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT})


@fixture
def open_clip_quickgelu(folder: Path) -> Made:
    return folder_fixture(folder, 32, {"embed_dim": 24, "quick_gelu": True, "vision_cfg": VISION, "text_cfg": TEXT})


@fixture
def open_clip_resized(folder: Path) -> Made:
    """Weights of 32 pixels and 16 tokens, run at 48 and 12: OpenCLIP resizes the positions."""
    cfg = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}
    trained = native(cfg)
    randomise(trained, 41)
    save_folder(folder, trained, cfg)
    model = native(cfg | {"vision_cfg": VISION | {"image_size": 48}, "text_cfg": TEXT | {"context_length": 12}})
    state = trained.state_dict()
    open_clip.model.resize_pos_embed(state, model)
    open_clip.model.resize_text_pos_embed(state, model)
    model.load_state_dict(state)
    ids = text_ids(VOCABULARY, 12, first=VOCABULARY - 2, last=VOCABULARY - 1, pad=0)
    overrides = {"image_px": 48, "context_length": 12}
    return run(model, folder, px=48, ids=ids) | {"file": "", "overrides": overrides, "gradients": "not of the positions"}


@fixture
def open_clip_resnet(folder: Path) -> Made:
    vision = {"image_size": 64, "layers": [1, 1, 1, 2], "width": 4, "head_width": 16}
    return folder_fixture(folder, 33, {"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT}, px=64)


@fixture
def open_clip_custom_text(folder: Path) -> Made:
    return folder_fixture(folder, 34, {"embed_dim": 24, "custom_text": True, "vision_cfg": VISION, "text_cfg": TEXT})


@fixture
def open_clip_clipa(folder: Path) -> Made:
    vision = VISION | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
    text = TEXT | {"pool_type": "last", "no_causal_mask": True, "hf_tokenizer_name": "bert-base-uncased"}
    ids = text_ids(VOCABULARY, LENGTH, first=1, last=2, pad=0)
    return folder_fixture(folder, 35, {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}, ids=ids)


@fixture
def open_clip_eos(folder: Path) -> Made:
    """A model like MetaCLIP 2: the end of text is a low id, so argmax would pool elsewhere; layer scale, mean pooling."""
    vision = VISION | {"ls_init_value": 0.1, "pool_type": "avg", "mlp_ratio": 2.0}
    text = TEXT | {"pool_type": "eos", "eos_id": 2, "hf_tokenizer_name": "facebook/xlm-v-base"}
    ids = text_ids(VOCABULARY, LENGTH, first=0, last=2, pad=1)
    return folder_fixture(folder, 36, {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}, ids=ids)


def coca(cfg: Made) -> nn.Module:
    return open_clip.coca_model.CoCa(**{key: value for key, value in cfg.items() if key != "custom_text"})


PIECES = 60  # of CoCa's fixtures
POOL = {"layers": 1, "attentional_pool": True, "attn_pooler_queries": 5, "attn_pooler_heads": 3, "output_tokens": True}


def coca_fixture(folder: Path, seed: int, vision: Made, text: Made) -> Made:
    """The pad id stands in the texts too, as id 0, "!", does in OpenCLIP's."""
    text = TEXT | {"vocab_size": PIECES, "embed_cls": True, "output_tokens": True} | text
    decoder = {"context_length": LENGTH, "vocab_size": PIECES, "width": 16, "heads": 2, "layers": 1, "attn_pooler_heads": 2}
    cfg = {"embed_dim": 24, "vision_cfg": VISION | vision, "text_cfg": text, "multimodal_cfg": decoder, "custom_text": True}
    model = coca(cfg)
    randomise(model, seed)
    save_folder(folder, model, cfg)
    model.encode_image, model.encode_text = lambda x: model.visual(x)[0], lambda x: model.text(x)[0]  # unnormalised
    ids = text_ids(PIECES, LENGTH, first=PIECES - 2, last=PIECES - 1, pad=text.get("pad_id", 0))
    ids[0, 4] = ids[2, 3] = text.get("pad_id", 0)
    return run(model, folder, ids=ids) | {"file": ""}


@fixture
def open_clip_coca(folder: Path) -> Made:
    return coca_fixture(folder, 44, POOL, {})


@fixture
def open_clip_coca_mean(folder: Path) -> Made:
    """Tokens as wide as the queries, the mean of the others pooled, another padding, no causal mask."""
    return coca_fixture(folder, 45, POOL | {"width": 24, "pool_type": "avg"}, {"pad_id": 5, "no_causal_mask": True})


@fixture
def open_clip_training(folder: Path) -> Made:
    """A checkpoint as the trainer saves it: no configuration, DDP's prefix."""
    model = native({"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT})
    randomise(model, 37)
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters())
    saved = {"epoch": 2, "name": "tiny", "state_dict": state, "optimizer": optimizer.state_dict()}
    torch.save(saved, folder / "epoch_2.pt")
    overrides = {"activation": "gelu", "image_heads": 4, "text_heads": 3, "preprocessing": "openai"}
    return run(model, folder) | {"file": "epoch_2.pt", "overrides": overrides}


HEADS = {"image_heads": 4, "text_heads": 3}  # of the tiny towers; published ones have heads of 64


@fixture
def long_clip(folder: Path) -> Made:
    """Long-CLIP's file: the tower adds the first 20 rows of one table of positions, and the later ones of another."""
    length = 26
    text = TEXT | {"context_length": length, "vocab_size": PIECES}
    model = native({"embed_dim": 24, "quick_gelu": True, "vision_cfg": VISION | {"layers": 1}, "text_cfg": text})
    randomise(model, 46)
    state, random = dict(model.state_dict()), torch.Generator().manual_seed(4)
    table, unused = state["positional_embedding"], torch.randn(length, 24, generator=random)
    is_first = (torch.arange(length) < 20)[:, None]
    state["positional_embedding"] = torch.where(is_first, table, unused)
    state["positional_embedding_res"] = torch.where(is_first, unused, table)
    torch.save(state, folder / "longclip.pt")
    ids = text_ids(PIECES, length, first=PIECES - 2, last=PIECES - 1, pad=0)
    return run(model, folder, ids=ids) | {"file": "longclip.pt", "overrides": HEADS}


@fixture
def tiny_clip(folder: Path) -> Made:
    """TinyCLIP's file: the same towers under the names that its authors' fork of OpenCLIP gives them."""
    model = native({"embed_dim": 24, "vision_cfg": VISION | {"layers": 1}, "text_cfg": TEXT | {"vocab_size": PIECES}})
    randomise(model, 47)

    def saved_name(name: str) -> str:
        part = "_image_encoder" if name.startswith("visual.") else "_text_encoder"
        return f"{'_logit_scale' if name == 'logit_scale' else part}.module.{name}"

    state = {saved_name(name): tensor for name, tensor in model.state_dict().items()}
    torch.save({"epoch": 25, "state_dict": state | {"_text_encoder.module.attn_mask": model.attn_mask}}, folder / "tiny.pt")
    ids = text_ids(PIECES, LENGTH, first=PIECES - 2, last=PIECES - 1, pad=0)
    return run(model, folder, ids=ids, saved_name=saved_name) | {"file": "tiny.pt", "overrides": HEADS}


def with_hf_text(config: Any, *, proj: str, pooler: str) -> nn.Module:
    cfg = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}
    model = open_clip.model.CustomTextCLIP(**cfg)
    model.text = HFTextEncoder("", 24, config=config, pooler_type=pooler, proj_type=proj, pretrained=False)
    if pooler != "cls_pooler":
        model.text.transformer.pooler = None  # as HFTextEncoder does for a published name: add_pooling_layer=False
    return model  # type: ignore[no-any-return]


def hf_fixture(folder: Path, seed: int, kind: type, *, proj: str, pooler: str, pad: int, last: int, **extra: Any) -> Made:
    config = kind(
        vocab_size=VOCABULARY,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=20,
        pad_token_id=pad,
        bos_token_id=0,
        eos_token_id=2,
        **extra,
    )
    model = with_hf_text(config, proj=proj, pooler=pooler)
    randomise(model, seed)
    model_cfg = {
        "embed_dim": 24,
        "vision_cfg": VISION,
        "text_cfg": {"hf_model_name": "tiny", "hf_tokenizer_name": "tiny", "hf_proj_type": proj, "hf_pooler_type": pooler},
    }
    save_folder(folder, model, model_cfg)
    (folder / "config.json").write_text(config.to_json_string(), encoding="utf-8")
    ids = text_ids(VOCABULARY, LENGTH, first=4, last=last, pad=pad)
    return run(model, folder, ids=ids) | {"file": ""}


@fixture
def open_clip_xlm_roberta(folder: Path) -> Made:
    kind = transformers.XLMRobertaConfig
    return hf_fixture(folder, 38, kind, proj="mlp", pooler="mean_pooler", pad=1, last=2, type_vocab_size=1, layer_norm_eps=1e-5)


@fixture
def open_clip_roberta_linear(folder: Path) -> Made:
    kind = transformers.RobertaConfig
    return hf_fixture(folder, 39, kind, proj="linear", pooler="cls_last_hidden_state_pooler", pad=1, last=2, type_vocab_size=1)


@fixture
def open_clip_bert_pooler(folder: Path) -> Made:
    return hf_fixture(folder, 40, transformers.BertConfig, proj="mlp", pooler="cls_pooler", pad=0, last=2)
