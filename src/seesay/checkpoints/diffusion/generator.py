"""`Generator`: what an image generator's file or folder holds, told from headers alone."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.diffusion.folder import component_weights, folder_encoders
from seesay.checkpoints.diffusion.originals import original_of
from seesay.checkpoints.diffusion.parts import OTHER_ENCODER, Part, part, parts_of, phrase
from seesay.checkpoints.diffusion.text_encoder import Family, TextEncoderFile
from seesay.checkpoints.diffusion.text_encoders import check_complete, is_bare_text_tower, weights_encoders
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError

TITLES: dict[Family | None, str] = {
    "sd1": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sdxl": "Stable Diffusion XL",
    "sdxl-refiner": "Stable Diffusion XL refiner",
    "sd3": "Stable Diffusion 3",
    "flux": "FLUX",
    "taiyi": "Taiyi Stable Diffusion",
    "altdiffusion": "AltDiffusion",
    None: "a text encoder by itself",
}
KINDS = {"clip-text": "CLIP text tower", "bert": "BERT text tower"}
# Parts of a diffusers folder by the names of their folders.
FOLDERS = {
    "unet": "denoiser",
    "transformer": "denoiser",
    "vae": "vae",
    "safety_checker": "safety_checker",
    "text_encoder": "text_encoder",
    "text_encoder_2": "text_encoder",
    "text_encoder_3": "text_encoder",
    "image_encoder": "image_encoder",
    "controlnet": "controlnet",
    "prior": "prior",
}


@dataclass(frozen=True)
class EncoderFacts:
    """One text encoder. name: diffusers' name for it. prefix: of its tensors' names. dtypes: tensors by dtype as stored.

    original: the name in the catalogue of the CLIP that this generator was made with; None where that is not known. faults: why
    it cannot be used.
    """

    name: str
    kind: str
    path: str
    prefix: str
    layers: int
    width: int
    heads: int
    activation: str
    vocabulary: int
    positions: int
    projection: int | None
    pad_id: int
    dtypes: dict[str, int]
    parameters: int
    original: str | None
    faults: str | None


@dataclass(frozen=True)
class Generator:
    """A generator's parts. title: for people. family: None for a text encoder by itself and for what has none. faults: why no
    prompt can be encoded with it."""

    title: str
    family: Family | None
    encoders: tuple[EncoderFacts, ...]
    parts: tuple[Part, ...]
    faults: str | None


def file_generator(path: Path, weights: Weights, overrides: Overrides) -> Generator | None:
    """What the opened file of a generator holds; None for any other."""
    if path.is_dir() and (path / "config.json").is_file():
        return None
    tensors = weights.names
    parts = parts_of(tensors)
    if {each.kind for each in parts} <= {"other"} and not is_bare_text_tower(weights):
        return None
    encoders: tuple[TextEncoderFile, ...] = ()
    faults = None
    try:
        encoders = weights_encoders(path, weights, overrides)
        check_complete(path, weights)
    except CheckpointError as error:
        faults = str(error)
    if encoders and encoders[0].family is None:
        parts = (part("text_encoder", tensors.values()),)
    return _made(encoders, parts, faults, phrase(tensors))


def folder_generator(path: Path, overrides: Overrides) -> tuple[Generator, tuple[Weights, ...]]:
    """What a diffusers folder holds, and its opened files."""
    encoders: tuple[TextEncoderFile, ...] = ()
    faults = None
    try:
        encoders = folder_encoders(path, overrides)
    except CheckpointError as error:
        faults = str(error)
    found = {name: weights for name in FOLDERS if (weights := component_weights(path / name)) is not None}
    names = {encoder.name for encoder in encoders}
    parts = tuple(
        part(OTHER_ENCODER if name.startswith("text_encoder") and name not in names else FOLDERS[name], weights.names.values())
        for name, weights in found.items()
    )
    return _made(encoders, parts, faults, "a diffusers folder without a text encoder of CLIP"), tuple(found.values())


def _made(
    encoders: tuple[TextEncoderFile, ...], parts: tuple[Part, ...], faults: str | None, otherwise: str | None
) -> Generator:
    """otherwise: what it is where there is no text encoder."""
    facts = tuple(_facts(encoder) for encoder in encoders)
    family = encoders[0].family if encoders else None
    wrong = "\n".join(each.faults for each in facts if each.faults)
    title = TITLES[family] if encoders else otherwise or "a text encoder that cannot be read"
    return Generator(title, family, facts, parts, faults or wrong or None)


def _facts(encoder: TextEncoderFile) -> EncoderFacts:
    config: Any = encoder.config
    weights = encoder.checkpoint.weights
    read = {origin.foreign for origin in encoder.checkpoint.account.origins.values()}
    infos = [info for name, info in weights.names.items() if name in read]
    return EncoderFacts(
        name=encoder.name,
        kind=KINDS.get(config.kind, f"{config.kind} tower"),
        path=str(encoder.path),
        prefix=encoder.prefix,
        layers=encoder.layers,
        width=config.width,
        heads=config.heads,
        activation=config.activation,
        vocabulary=config.vocabulary,
        positions=config.positions,
        projection=encoder.dim,
        pad_id=encoder.pad_id,
        dtypes=dict(Counter(info.dtype for info in infos).most_common()),
        parameters=part("text_encoder", infos).parameters,
        original=original_of(encoder),
        faults=encoder.faults(),
    )
