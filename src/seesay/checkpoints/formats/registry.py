"""Lists the checkpoint formats, in the order in which they are tried, and recognises the format of weights."""

from pathlib import Path

from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.formats import (
    align,
    altclip,
    big_vision,
    chinese_clip,
    clipseg,
    eva_clip,
    hugging_face,
    hugging_face_siglip,
    long_clip,
    m_clip,
    open_clip,
    openai,
    owl_vit,
    seesay,
    tiny_clip,
    unsupported,
)
from seesay.checkpoints.formats.format import Format, Writer
from seesay.errors import CheckpointError, InputError
from seesay.images.spec import ImageSpec

# A format's tensor names may include those of formats below it: OpenAI's image tower is part of Chinese-CLIP and OpenCLIP.
FORMATS: list[Format] = [
    seesay.FORMAT,
    big_vision.FORMAT,
    chinese_clip.FORMAT,
    eva_clip.FORMAT,
    long_clip.FORMAT,
    tiny_clip.FORMAT,
    open_clip.HF_TEXT,
    open_clip.CUSTOM_TEXT,
    openai.FORMAT,
    open_clip.NATIVE,
    hugging_face_siglip.SIGLIP,
    hugging_face_siglip.VISION,
    hugging_face_siglip.TEXT,
    owl_vit.FORMAT,
    clipseg.FORMAT,
    align.FORMAT,
    altclip.FORMAT,
    m_clip.FORMAT,
    hugging_face.CHINESE_CLIP,
    hugging_face.CLIP,
    hugging_face.VISION,
    hugging_face.TEXT,
]


def register(new: Format) -> None:
    """Adds a format, which is tried before all others."""
    FORMATS.insert(0, new)


def recognise(weights: Weights) -> Format:
    """The format of these weights. Raises CheckpointError that names what they are where no format reads them."""
    try:
        return _recognise(weights)
    except CheckpointError as error:
        raise CheckpointError(f"{weights.path}: {error}") from None


def _recognise(weights: Weights) -> Format:
    folder = weights.path.parent
    family = unsupported.by_names(weights.names)
    claiming = None if family else next((each for each in FORMATS if each.recognises(weights)), None)
    if claiming is None:
        if other := unsupported.by_configuration(folder, _model_types()) or family:
            raise unsupported.refusal(other)
        shown = ", ".join(sorted(weights.names)[:5])
        raise CheckpointError(f"these keys belong to no format of the CLIP family that is known here: {shown}, ...")
    if claiming.model_types and (other := unsupported.by_configuration(folder, claiming.model_types)):
        raise unsupported.refusal(other)
    return claiming


def refuse_unsupported(folder: Path) -> None:
    """Raises CheckpointError where the folder's config.json is of a model family that no format reads."""
    if (family := unsupported.by_configuration(folder, _model_types())) is not None:
        raise unsupported.refusal(family)


def _model_types() -> frozenset[str]:
    return frozenset[str]().union(*(each.model_types for each in FORMATS))


def preprocessing_file(folder: Path, image_px: int) -> ImageSpec | None:
    """Preprocessing from any format's file in the folder, or None. Raises CheckpointError where it cannot be followed."""
    for each in FORMATS:
        if each.preprocessing_file is not None and (spec := each.preprocessing_file(folder, image_px)) is not None:
            return spec
    return None


def writers() -> dict[str, Writer]:
    """Writers by target; of several formats of one library, that of the first writes all of them."""
    return {each.writer.target: each.writer for each in reversed(FORMATS) if each.writer is not None}


def writer(target: str) -> Writer:
    """The writer of that target. Raises InputError."""
    if target not in writers():
        raise InputError(f"no format {target!r} can be written; there are {', '.join(writers())}")
    return writers()[target]
