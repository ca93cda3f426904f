"""Writes `architectures` of checkpoints/hub/catalog.json from the model configurations in OpenCLIP and Chinese-CLIP.

    python -m recipes.catalog.build          (with open_clip_torch and cn_clip installed)

It takes OpenCLIP's architectures with native towers or a BERT-like text tower, Chinese-CLIP's pairs, and those of transformers
that are listed here. The part `models` is
written by hand, each fact with its source, and stays unchanged.
"""

import importlib.util
import json
from collections.abc import Iterator
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


def main() -> None:
    catalog = json.loads(FILE.read_text(encoding="utf-8"))
    architectures = dict([*from_open_clip(), *from_chinese_clip(), *from_transformers()])
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


def _pair(described: Description) -> Architecture:
    assert described.image
    assert described.text
    assert described.tokenizer
    assert described.tokenizer_spec
    return Architecture(described.dim, described.image, described.text, described.tokenizer, described.tokenizer_spec)


if __name__ == "__main__":
    main()
