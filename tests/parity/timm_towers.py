"""OpenCLIP's models with timm towers, at reduced sizes, beside ours: embeddings of the torch tower and of the exported graph.

    python -m tests.parity.timm_towers [--store] [NAME ...]

runs in an environment with open_clip and timm (requirements-parity.txt). timm builds each architecture by its own name with
smaller numbers. --store writes two models, converted by SeeSay, with what OpenCLIP computes: data/timm/, which `make test` runs
without torch and timm.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from seesay.checkpoints.convert import convert
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.engines.onnx import OnnxEngine
from tests.parity.fixtures import pixels, randomise, text_ids
from tests.parity.test_checkpoints import DATA, UNIT, unit

STORED = DATA / "timm"
VOCABULARY, LENGTH, DIM = 100, 16, 24
TEXT = {"context_length": LENGTH, "vocab_size": VOCABULARY, "width": 16, "heads": 2, "layers": 1}
Settings = dict[str, Any]


def _vit(px: int, **more: Any) -> Settings:
    return {"img_size": px, "embed_dim": 32, "depth": 2, "num_heads": 2, **more}


def _vitamin() -> Settings:
    from timm.models.vitamin import VitCfg, VitConvCfg

    conv = VitConvCfg(norm_layer="layernorm2d", norm_eps=1e-6)
    cfg = VitCfg(embed_dim=(8, 16, 32), depths=(1, 1, 1), stem_width=8, conv_cfg=conv, head_type="1d")
    return _vit(64, embed_cfg=cfg)


def sizes() -> dict[str, Settings]:
    """Arguments by which timm makes an architecture small."""
    return {
        "convnext_base": {"depths": (1, 1, 2, 1), "dims": (8, 12, 16, 24)},
        "convnext_xxlarge": {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)},
        "fastvit_mci0": {"layers": (1, 1, 1, 1), "embed_dims": (8, 8, 16, 32)},
        "fastvit_mci3": {"layers": (1, 1, 1, 1, 1), "embed_dims": (8, 8, 16, 32, 32)},
        "swin_base_patch4_window7_224": {"img_size": 112, "embed_dim": 8, "depths": (2, 2), "num_heads": (1, 2)},
        "vit_base_mci_224": {"img_size": 64, "depth": 2, "num_heads": 2, "mlp_ratio": 0.25},
        "vit_large_patch14_clip_224": _vit(56),
        "vit_medium_patch16_gap_256": _vit(64),
        "vit_pe_core_tiny_patch16_384": _vit(64, attn_pool_num_heads=4),
        "vit_relpos_medium_patch16_cls_224": _vit(64, rel_pos_dim=16),
        "vitamin_small_224": _vitamin(),
    }


# The vision_cfg and text_cfg of OpenCLIP's configurations: all that differ in more than numbers.
OWN: Settings = {"timm_pool": "", "timm_proj": "linear", "timm_drop": 0.0, "timm_drop_path": 0.1}
TOKEN: Settings = {"timm_pool": "token", "timm_proj": None, "timm_drop": 0.0, "timm_drop_path": 0.0}
MEAN: Settings = TOKEN | {"timm_pool": "avg"}
MAP: Settings = {"timm_pool": "map", "timm_proj": None}
MODELS: dict[str, tuple[str, int, Settings, Settings]] = {
    "convnext": ("convnext_base", 64, OWN, {}),
    "convnext-mlp": ("convnext_xxlarge", 96, OWN | {"timm_proj": "mlp"}, {}),
    "mobileclip-s": ("fastvit_mci0", 64, MEAN, {"no_causal_mask": True}),
    "mobileclip2-s3": ("fastvit_mci3", 128, MEAN, {"no_causal_mask": True}),
    "mobileclip-b": ("vit_base_mci_224", 64, TOKEN, {"no_causal_mask": False}),
    "mobileclip2-l": ("vit_large_patch14_clip_224", 56, TOKEN, {"no_causal_mask": True}),
    "pe-core": ("vit_pe_core_tiny_patch16_384", 64, MAP, {}),
    "swin": ("swin_base_patch4_window7_224", 112, OWN, {}),
    "vit-gap": ("vit_medium_patch16_gap_256", 64, OWN, {}),
    "vit-relpos": ("vit_relpos_medium_patch16_cls_224", 64, OWN, {}),
    "vitamin": ("vitamin_small_224", 64, OWN, {}),
}
STORABLE = ("convnext", "mobileclip-s")


@contextmanager
def small() -> Iterator[None]:
    """timm makes the architectures above in small, whoever asks."""
    import timm

    made = timm.create_model

    def create(name: str, **options: Any) -> nn.Module:
        return made(name, **sizes().get(name, {}) | options)  # type: ignore[no-any-return]

    with patch.object(timm, "create_model", create):
        yield


def model_cfg(name: str) -> Settings:
    architecture, px, vision, text = MODELS[name]
    vision = {"timm_model_name": architecture, "timm_model_pretrained": False, "image_size": px, **vision}
    return {"embed_dim": DIM, "custom_text": bool(text), "vision_cfg": vision, "text_cfg": TEXT | text}


def original(name: str) -> nn.Module:
    """OpenCLIP's model, every weight and statistic random; tables that no checkpoint holds stay as they are."""
    import open_clip

    cfg = model_cfg(name)
    kind = open_clip.model.CustomTextCLIP if cfg.pop("custom_text") else open_clip.model.CLIP
    model = kind(**cfg).eval()
    tables = {key: buffer.clone() for key, buffer in model.named_buffers() if key not in model.state_dict()}
    randomise(model, 50 + list(MODELS).index(name))
    for key, table in tables.items():
        model.get_buffer(key).copy_(table)
    return model  # type: ignore[no-any-return]


def save(folder: Path, name: str, model: nn.Module) -> None:
    """The folder as OpenCLIP publishes it on the hub."""
    from safetensors.torch import save_file

    px = MODELS[name][1]
    preprocess = {"size": [px, px], "mode": "RGB", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"}
    config = {"model_cfg": model_cfg(name), "preprocess_cfg": preprocess | {"resize_mode": "shortest", "fill_color": 0}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")


def expected(name: str, model: Any) -> dict[str, np.ndarray]:
    """What OpenCLIP computes of random pixels and ids."""
    images = pixels(MODELS[name][1])
    ids = text_ids(VOCABULARY, LENGTH, first=VOCABULARY - 2, last=VOCABULARY - 1, pad=0)
    with torch.no_grad():
        image, text = model.encode_image(torch.from_numpy(images)), model.encode_text(torch.from_numpy(ids))
    return {"ids": ids, "image": image.numpy(), "text": text.numpy()}


def differences(name: str, checkpoint: Checkpoint, folder: Path, wanted: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest differences of unit embeddings from OpenCLIP's, of the torch towers and of the graphs in `folder`."""
    clip, engine, images = checkpoint.model(), OnnxEngine(folder), pixels(MODELS[name][1])
    with torch.no_grad():
        ours = {
            "torch image": clip.image(torch.from_numpy(images)).numpy(),
            "torch text": clip.text(torch.from_numpy(wanted["ids"])).numpy(),
            "graph image": engine.encode_pixels(images),
            "graph text": engine.encode_tokens(wanted["ids"]),
        }
    return {part: float(np.abs(unit(ours[part]) - unit(wanted[part.split()[1]])).max()) for part in ours}


def compare(name: str, *, store: bool = False) -> dict[str, float]:
    """Makes, reads, converts and runs one of the models."""
    with TemporaryDirectory() as temporary, small():
        source, made = Path(temporary) / "source", Path(temporary) / "made"
        source.mkdir()
        model = original(name)
        save(source, name, model)
        wanted, checkpoint = expected(name, model), open_checkpoint(source)
        found = convert(checkpoint, made).differences
        if store:
            shutil.rmtree(STORED / name, ignore_errors=True)
            shutil.copytree(made, STORED / name)
            np.savez_compressed(STORED / name / "expected.npz", **wanted)  # type: ignore[arg-type]
        return differences(name, checkpoint, made, wanted) | {"dense": found["dense"]}


def main() -> None:
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or list(MODELS)
    wrong = 0
    for name in names:
        found = compare(name, store="--store" in sys.argv and name in STORABLE)
        wrong += not max(found.values()) <= UNIT
        print(f"{name}: " + ", ".join(f"{part} {difference:.0e}" for part, difference in found.items()), flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
