"""Writes `architectures` of checkpoints/hub/catalog.json from the model configurations in OpenCLIP and Chinese-CLIP.

    python -m recipes.catalog.build          (with open_clip_torch and cn_clip installed)

It takes OpenCLIP's architectures with native towers or a BERT-like text tower, Chinese-CLIP's pairs, and those of transformers,
TinyCLIP and Long-CLIP that are listed here. The part `models` is
written by hand, each fact with its source, and stays unchanged.
"""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import align, altclip, open_clip_config
from seesay.checkpoints.hub.catalog import FILE, Architecture
from seesay.errors import CheckpointError
from seesay.models.config import ImageConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.system.schema import from_json, to_json
from seesay.tokenizers import SPECS

CHINESE_PAIRS = {  # image tower -> text tower
    "RN50": "RBT3-chinese",
    "ViT-B-16": "RoBERTa-wwm-ext-base-chinese",
    "ViT-L-14": "RoBERTa-wwm-ext-base-chinese",
    "ViT-L-14-336": "RoBERTa-wwm-ext-base-chinese",
    "ViT-H-14": "RoBERTa-wwm-ext-large-chinese",
}
OPENAI_VIT_L_14 = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "patch_size": 14,
}
# Image tower's layers, width and patch; text tower's width and layers; the space (Cream, TinyCLIP/src/open_clip/model_configs)
TINY = {
    "TinyCLIP-ResNet-19M-Text-19M": ([3, 4, 6, 3], 44, None, 512, 6, 1024),
    "TinyCLIP-ResNet-30M-Text-29M": ([3, 4, 6, 3], 56, None, 512, 9, 1024),
    "TinyCLIP-ViT-8M-16-Text-3M": (10, 256, 16, 256, 3, 512),
    "TinyCLIP-ViT-39M-16-Text-19M": (12, 512, 16, 512, 6, 512),
    "TinyCLIP-ViT-40M-32-Text-19M": (12, 512, 32, 512, 6, 512),
    "TinyCLIP-ViT-61M-32-Text-29M": (12, 640, 32, 512, 9, 512),
}
LONG = {"LongCLIP-B": "ViT-B-16-quickgelu", "LongCLIP-L": "ViT-L-14-quickgelu"}  # with more text positions
LONG_POSITIONS = 248


def main() -> None:
    catalog = json.loads(FILE.read_text(encoding="utf-8"))
    open_clip = dict(from_open_clip())
    architectures = dict([*open_clip.items(), *from_chinese_clip(), *from_transformers(), *tiny(), *long(open_clip)])
    missing = {model["architecture"] for model in catalog["models"]} - architectures.keys()
    if missing:
        raise SystemExit(f"no configuration for {', '.join(sorted(missing))}")
    written = catalog["architectures"]
    catalog["architectures"] = {name: _json(architectures[name], written.get(name)) for name in sorted(architectures)}
    FILE.write_text(json.dumps(catalog, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {len(architectures)} architectures beside {len(catalog['models'])} models")


def _json(architecture: Architecture, written: Any) -> Any:
    """What is written already where it says the same: fields that were added since are at their defaults there."""
    same = written is not None and from_json(Architecture, written, "catalog.json") == architecture
    return written if same else to_json(architecture)


def configs(package: str, *parts: str) -> Path:
    """A folder inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed")
    return Path(spec.origin).parent.joinpath(*parts)


def from_open_clip() -> Iterator[tuple[str, Architecture]]:
    """OpenCLIP's architectures by name."""
    for file in sorted(configs("open_clip", "model_configs").glob("*.json")):
        try:
            described = open_clip_config.describe(json.loads(file.read_text(encoding="utf-8")), None, file.name)
        except CheckpointError:  # unsupported towers
            continue
        yield file.stem, _pair(described)


def from_chinese_clip() -> Iterator[tuple[str, Architecture]]:
    """Chinese-CLIP's architectures by name, IMAGE@TEXT as in cn_clip."""
    folder = configs("cn_clip", "clip", "model_configs")
    for vision, text in CHINESE_PAIRS.items():
        v, t = (json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in (vision, text))
        yield (
            f"{vision}@{text}",
            Architecture(v["embed_dim"], chinese_image(v), chinese_text(t), "chinese_clip", SPECS["chinese_clip"]),
        )


def chinese_image(v: dict[str, Any]) -> ImageConfig:
    """An image tower from one of cn_clip's vision configurations."""
    width, head = v["vision_width"], v.get("vision_head_width", 64)
    if isinstance(v["vision_layers"], str):
        stages = tuple(json.loads(v["vision_layers"]))
        return ModifiedResNetConfig("modified-resnet", v["image_resolution"], width, stages, width * 32 // head)
    return VitConfig(
        kind="vit",
        image_px=v["image_resolution"],
        patch_px=v["vision_patch_size"],
        width=width,
        depth=v["vision_layers"],
        heads=width // head,
        mlp_width=4 * width,
        activation="quick_gelu",
        layer_norm_eps=1e-5,
    )


def chinese_text(t: dict[str, Any]) -> BertConfig:
    """A text tower from one of cn_clip's text configurations."""
    return BertConfig(
        kind="bert",
        width=t["text_hidden_size"],
        depth=t["text_num_hidden_layers"],
        heads=t["text_num_attention_heads"],
        mlp_width=t["text_intermediate_size"],
        vocabulary=t["vocab_size"],
        positions=t["text_max_position_embeddings"],
        activation=t["text_hidden_act"],
        layer_norm_eps=1e-12,
        pooling="cls",
        head="linear",
        types=t["text_type_vocab_size"],
    )


def from_transformers() -> Iterator[tuple[str, Architecture]]:
    """Architectures of models that only transformers publishes, by their repositories' names.

    Values that equal the classes' defaults are left out, as in the published config.json.
    """
    yield "align-base", _pair(align.describe({"vision_config": {"image_size": 289}}, None, "align-base"))
    yield "AltCLIP", _pair(altclip.describe({"vision_config": OPENAI_VIT_L_14}, None, "AltCLIP"))


def tiny() -> Iterator[tuple[str, Architecture]]:
    """TinyCLIP's architectures by name, of which those that were pruned automatically have no configuration."""
    for name, (layers, width, patch, text_width, text_layers, dim) in TINY.items():
        vision = {"image_size": 224, "layers": layers, "width": width, "patch_size": patch}
        text = {"width": text_width, "heads": text_width // 64, "layers": text_layers}
        cfg = {"embed_dim": dim, "vision_cfg": vision, "text_cfg": {"context_length": 77, "vocab_size": 49408} | text}
        yield name, _pair(open_clip_config.describe(cfg, None, name))


def long(open_clip: dict[str, Architecture]) -> Iterator[tuple[str, Architecture]]:
    """Long-CLIP's architectures by name."""
    for name, base in LONG.items():
        towers = open_clip[base]
        yield (
            name,
            replace(
                towers,
                text=towers.text.overridden(positions=LONG_POSITIONS),
                tokenizer_spec=replace(towers.tokenizer_spec, context_length=LONG_POSITIONS),
            ),
        )


def _pair(described: Description) -> Architecture:
    assert described.image
    assert described.text
    assert described.tokenizer
    assert described.tokenizer_spec
    return Architecture(described.dim, described.image, described.text, described.tokenizer, described.tokenizer_spec)


if __name__ == "__main__":
    main()
