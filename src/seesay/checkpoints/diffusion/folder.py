"""Text encoders of a diffusers folder: `model_index.json`, and a folder per part."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seesay.checkpoints.containers.parsing import as_checkpoint_error
from seesay.checkpoints.containers.weights import INDEXES, Weights, open_weights
from seesay.checkpoints.diffusion.multilingual import multilingual_format
from seesay.checkpoints.diffusion.text_encoder import Family, Name, TextEncoderFile
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, read_checkpoint
from seesay.errors import CheckpointError, MissingExtra
from seesay.models.families.bert.config import BertConfig
from seesay.system.schema import read_object
from seesay.tokenizers import has_vocabulary

NAMES: tuple[Name, ...] = ("text_encoder", "text_encoder_2")
TOKENIZERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
WHOLE = ("model.safetensors", "pytorch_model.bin")
VARIANTS = ("model.*.safetensors", "model.safetensors.index.*.json", "pytorch_model.*.bin")
_ENDINGS = (".safetensors", ".safetensors.index.json", ".*.safetensors", ".safetensors.index.*.json", ".bin")
COMPONENT_FILES = tuple(stem + end for end in _ENDINGS for stem in ("model", "diffusion_pytorch_model", "pytorch_model"))
OTHERS = ("t5", "umt5", "llama", "gemma2", "qwen2", "mistral", "chatglm")  # model types that are no part of the CLIP family


def folder_encoders(path: Path, overrides: Overrides) -> tuple[TextEncoderFile, ...]:
    """The CLIP-like text encoders of a diffusers folder, or of one of its folders; empty for any other folder.

    Raises CheckpointError for a diffusers folder without one.
    """
    if is_diffusers_folder(path):
        home, wanted = path, NAMES
    elif path.name in NAMES and (path.parent / "model_index.json").is_file():
        home, wanted = path.parent, tuple(name for name in NAMES if name == path.name)
    else:
        return ()
    index = _object(home / "model_index.json") if (home / "model_index.json").is_file() else {}
    found = {name: read_encoder(home / name, overrides) for name in NAMES if _is_there(home, name, index)}
    checkpoints = {name: checkpoint for name, checkpoint in found.items() if checkpoint is not None and name in wanted}
    if not checkpoints:
        kind = index.get("_class_name", "a pipeline of no name")
        raise CheckpointError(
            f"{path} has no CLIP-like text encoder: it is a diffusers folder of {kind!s:.60}, and expected are the folders "
            "text_encoder or text_encoder_2 with a config.json of CLIP (or of Taiyi's BERT, or AltDiffusion's XLM-R)"
        )
    family = _family(index, found)
    return tuple(
        TextEncoderFile(name, family, checkpoint.weights.prefix, checkpoint, _vocabulary_folder(home, name))
        for name, checkpoint in checkpoints.items()
    )


def is_diffusers_folder(path: Path) -> bool:
    """True for the folder of a whole pipeline."""
    return (path / "model_index.json").is_file() or (path / "text_encoder" / "config.json").is_file()


def component_weights(folder: Path) -> Weights | None:
    """The weights of any part's folder, such as unet; None where there are none that can be opened without running code."""
    file = _first_file(folder, COMPONENT_FILES)
    try:
        return None if file is None else open_weights(file)
    except (CheckpointError, MissingExtra):
        return None


def home_of(path: Path) -> Path | None:
    """The folder of the tokenizer of a text encoder's own folder or file inside a diffusers folder; None elsewhere."""
    folder = path if path.is_dir() else path.parent
    name = TOKENIZERS.get(folder.name)
    return None if name is None or not has_vocabulary(folder.parent / name) else folder.parent / name


def _is_there(home: Path, name: Name, index: Mapping[str, Any]) -> bool:
    """True where the index names that part, and its folder is there. Raises CheckpointError for a part that is missing."""
    stated = index.get(name)
    if isinstance(stated, list) and stated and stated[0] is None:
        return False
    there = (home / name / "config.json").is_file()
    if not there and isinstance(stated, list):
        raise CheckpointError(f"{home / 'model_index.json'} names a {name}, and {home / name} with its config.json is missing")
    return there


def read_encoder(folder: Path, overrides: Overrides) -> Checkpoint | None:
    """The text tower in one folder; None for a T5 or another language model. Raises CheckpointError."""
    config = _object(folder / "config.json")
    kind = config.get("model_type")
    if kind in OTHERS:
        return None
    weights = open_weights(_weights_file(folder))
    if (other := multilingual_format(config)) is not None:
        return other(folder, config, weights)
    return read_checkpoint(folder, weights, overrides).without_images()


def _object(file: Path) -> dict[str, Any]:
    with as_checkpoint_error():
        return read_object(file)


def _weights_file(folder: Path) -> Path:
    """The encoder's file: the whole one, an index of shards, or a variant such as model.fp16.safetensors."""
    file = _first_file(folder, (WHOLE[0], INDEXES[0], *VARIANTS[:2], WHOLE[1], INDEXES[1], VARIANTS[2]))
    if file is None:
        raise CheckpointError(f"{folder} has no weights: expected {WHOLE[0]}, a variant of it, or {WHOLE[1]}")
    return file


def _first_file(folder: Path, patterns: Iterable[str]) -> Path | None:
    """The first file by patterns in their order; no shard, which an index stands for."""
    found = (file for pattern in patterns for file in sorted(folder.glob(pattern)))
    return next((file for file in found if file.is_file() and "-of-" not in file.name), None)


def _vocabulary_folder(home: Path, name: Name) -> Path | None:
    folder = home / TOKENIZERS[name]
    return folder if has_vocabulary(folder) else None


def _family(index: Mapping[str, Any], found: Mapping[Name, Checkpoint | None]) -> Family | None:
    pipeline = str(index.get("_class_name", ""))
    first = found.get("text_encoder")
    text = None if first is None else first.description.text
    if isinstance(text, BertConfig):
        return "taiyi" if text.position_ids == "from-zero" else "altdiffusion"
    if "3" in pipeline and pipeline.startswith("StableDiffusion"):
        return "sd3"
    if pipeline.startswith("Flux"):
        return "flux"
    if "XL" in pipeline or found.get("text_encoder_2") is not None:
        return "sdxl" if first is not None else "sdxl-refiner"
    return "sd1" if getattr(text, "activation", "") == "quick_gelu" else "sd2"
