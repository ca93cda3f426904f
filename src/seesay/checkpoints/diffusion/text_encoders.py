"""Finds the text encoders of a generator, or of a CLIP checkpoint, in a file or folder."""

from pathlib import Path

from seesay.checkpoints.containers import outputs
from seesay.checkpoints.containers.weights import Weights, open_weights
from seesay.checkpoints.diffusion.folder import folder_encoders, home_of
from seesay.checkpoints.diffusion.layouts import HUGGING_FACE, OPEN_CLIP_WIDTHS, Place, places_in, read_tower
from seesay.checkpoints.diffusion.parts import phrase
from seesay.checkpoints.diffusion.text_encoder import Family, Name, TextEncoderFile
from seesay.checkpoints.hub.catalog import CatalogModel, find
from seesay.checkpoints.hub.local import local_weights
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import CheckpointError
from seesay.models.config import is_model_folder
from seesay.tokenizers import has_vocabulary

SECOND = "conditioner.embedders.1.model."  # where SDXL's second text encoder lies


def text_encoders(path: str | Path, overrides: Overrides | None = None) -> tuple[TextEncoderFile, ...]:
    """The text encoders of a generator's file or folder, or the text tower of any CLIP checkpoint, in diffusers' order.

    A name of the catalogue means the model's weights on this machine.

    Reads headers only; a pickle is opened without running what is in it. overrides: activation or heads, where the file is
    neither of the published widths nor described by a folder. T5 encoders (Stable Diffusion 3, FLUX) are not of the CLIP family
    and left out. Raises CheckpointError, which says what was expected and what the file is.
    """
    path, overrides = Path(path), overrides or Overrides()
    if not path.exists() and (entry := find(path.as_posix())) is not None:
        return text_encoders(_published(entry), Overrides(entry=entry))
    if path.is_dir() and (found := folder_encoders(path, overrides)):
        return found
    if path.is_dir() and (is_model_folder(path) or (path / "config.json").is_file()):
        return (_checkpoint_encoder(path, overrides),)
    weights = open_weights(path)
    check_complete(path, weights)
    return weights_encoders(path, weights, overrides)


def _published(entry: CatalogModel) -> Path:
    """The weights of a model of the catalogue. Raises CheckpointError where they are not on this machine."""
    path = local_weights(entry)
    if path is None:
        raise CheckpointError(f"{entry.id} is not on this machine; seesay models pull {entry.id} gets it")
    return path


def weights_encoders(path: Path, weights: Weights, overrides: Overrides) -> tuple[TextEncoderFile, ...]:
    """The text encoders of a file, also where one of two is missing. Raises CheckpointError where there is none."""
    if (made := outputs.stated(weights.path)) is not None:
        raise CheckpointError(
            f"{path} has no text encoder: {outputs.title(made)}. Expected the generator's own file or folder, or a "
            "CLIP checkpoint"
        )
    if places := places_in(weights.names):
        return tuple(_placed_encoder(path, weights, place, overrides) for place in places)
    if (what := phrase(weights.names)) is not None:
        raise CheckpointError(
            f"{path} has no text encoder that SeeSay reads: it is {what}. Expected a Stable Diffusion file (1.x, 2.x, XL, XL "
            "refiner, 3), a clip_l or clip_g file, a diffusers folder, or a CLIP checkpoint"
        )
    if is_bare_text_tower(weights):
        return (_bare_encoder(path, weights, overrides),)
    return (_checkpoint_encoder(path, overrides),)


def is_bare_text_tower(weights: Weights) -> bool:
    """True for clip_l and clip_g: a text tower in transformers' layout without images and without a configuration beside."""
    described = (weights.path.parent / "config.json").is_file()
    return HUGGING_FACE.recognises(weights) and not _has_images(weights) and not described


def check_complete(path: Path, weights: Weights) -> None:
    """Raises CheckpointError for an SDXL file of which one encoder is missing."""
    found = {place.prefix for place in places_in(weights.names)}
    if "conditioner.embedders.0.transformer." in found and SECOND not in found:
        raise CheckpointError(
            f"{path} is a Stable Diffusion XL file without its second text encoder ({SECOND}*): its prompts need both. Take a "
            "whole file, or a diffusers folder"
        )
    if SECOND in found and len(found) == 1:
        raise CheckpointError(
            f"{path} is a Stable Diffusion XL file without its first text encoder (conditioner.embedders.0.transformer.*): its "
            "prompts need both. Take a whole file, or a diffusers folder"
        )


def _placed_encoder(path: Path, weights: Weights, place: Place, overrides: Overrides) -> TextEncoderFile:
    checkpoint = read_tower(path, weights.part(place.prefix), place.format, overrides)
    family: Family = place.family
    text = checkpoint.description.text
    if family == "sd1" and getattr(text, "width", 0) in OPEN_CLIP_WIDTHS:
        family = "sd2"
    if family == "sd3" and any(name.startswith("model.diffusion_model.double_blocks.") for name in weights.names):
        family = "flux"
    return TextEncoderFile(place.name, family, weights.prefix + place.prefix, checkpoint)


def _bare_encoder(path: Path, weights: Weights, overrides: Overrides) -> TextEncoderFile:
    """clip_l or clip_g: a text tower in transformers' layout without a configuration."""
    checkpoint = read_tower(path, weights, HUGGING_FACE, overrides)
    name: Name = "text_encoder_2" if getattr(checkpoint.description.text, "width", 0) == 1280 else "text_encoder"
    return TextEncoderFile(name, None, weights.prefix, checkpoint)


def _checkpoint_encoder(path: Path, overrides: Overrides) -> TextEncoderFile:
    """The text tower of a checkpoint of any format of the CLIP family."""
    checkpoint = open_checkpoint(path, overrides).without_images()
    folder = home_of(path) or checkpoint.weights.path.parent
    packaged = checkpoint.description.tokenizer in ("clip", "open_clip")
    vocabulary = folder if has_vocabulary(folder) and not packaged else None
    return TextEncoderFile("text_encoder", None, checkpoint.weights.prefix, checkpoint, vocabulary)


def _has_images(weights: Weights) -> bool:
    return any(name.startswith(("vision_model.", "visual.")) for name in weights.names)
