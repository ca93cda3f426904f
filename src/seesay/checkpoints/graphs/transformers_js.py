"""The layout of transformers.js (Xenova, onnx-community): graphs in onnx/, described as transformers describes models.

The graphs are written by optimum: `vision_model.onnx` gives image_embeds, `text_model.onnx` text_embeds, `model.onnx` both and
the logits. SigLIP's towers have no projection, and their embedding is called pooler_output.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.hugging_face import Processor, image_processor, image_spec_of
from seesay.checkpoints.graphs.header import GraphHeader
from seesay.checkpoints.graphs.layout import Layout, Statement, chosen_spec
from seesay.checkpoints.graphs.selection import GraphFiles
from seesay.checkpoints.graphs.tokenizer_files import check_vocabulary, context_length, fixed_length, read_tokenizer
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from seesay.images.spec import ImageSpec
from seesay.models.fields import Modality
from seesay.models.logits import ScoreKind
from seesay.system.schema import read_object
from seesay.tokenizers.spec import TokenizerSpec


class Kind(NamedTuple):
    """How texts of a `model_type` are prepared. positions: of a text tower whose configuration does not state them. length: of
    texts, where it is a convention beside the positions. is_padded: to the full length, always. pools_at_end: of a text."""

    positions: int
    length: int | None = None
    is_padded: bool = False
    pools_at_end: bool = False
    score: ScoreKind = "softmax"
    languages: tuple[str, ...] = ()


KINDS = {
    "clip": Kind(77, pools_at_end=True),
    "metaclip_2": Kind(77, pools_at_end=True, languages=("multilingual",)),
    "siglip": Kind(64, is_padded=True, score="sigmoid"),
    "chinese_clip": Kind(512, length=52, languages=("zh",)),
}


def _describe(folder: Path, files: GraphFiles, headers: Mapping[Modality, GraphHeader], overrides: Overrides) -> Statement:
    source = folder / "config.json"
    if not source.is_file():
        raise CheckpointError(f"{folder} has no config.json, which says what its graphs are")
    faults: list[str] = []
    s = ForeignConfig(read_object(source), "", faults)
    kind = KINDS[s.choice("model_type", {name: name for name in KINDS})]
    raise_faults(faults, str(source))
    text, vision = s.part("text_config"), s.part("vision_config")
    tokenizer = read_tokenizer(folder)
    positions = _stated(text, "max_position_embeddings")
    vocabulary = _stated(text, "vocab_size")
    check_vocabulary(tokenizer, vocabulary, source)
    length = context_length(
        tokenizer,
        stated=kind.length or positions,
        fixed=fixed_length(headers["text"]),
        default=kind.positions,
        override=overrides.context_length,
        source=source,
    )
    image_px = vision.side("image_size") if "image_size" in vision.values else None
    dim = _stated(s, "projection_dim")
    spec = _image_spec(folder, faults) if overrides.preprocessing is None else None
    raise_faults(faults, str(source))
    return Statement(
        source=source,
        image_spec=chosen_spec(spec, image_px, overrides, folder / "preprocessor_config.json"),
        image_px=image_px,
        dim=dim,
        vocabulary=vocabulary or tokenizer.pieces,
        end=tokenizer.end if kind.pools_at_end else None,
        tokenizer=tokenizer.content,
        tokenizer_spec=TokenizerSpec(length, tokenizer.pad_id, "context" if kind.is_padded else "longest"),
        score=kind.score,
        languages=kind.languages,
    )


def _stated(s: ForeignConfig, key: str) -> int | None:
    return s.integer(key) if s.values.get(key) is not None else None


def _image_spec(folder: Path, faults: list[str]) -> ImageSpec | None:
    """As transformers prepares pictures. Levels that are not normalised, as MobileCLIP's, are only divided by 255."""
    processor = image_processor(folder)
    if processor is None or not isinstance(processor.settings, Mapping):
        return None
    settings: dict[str, Any] = dict(processor.settings)
    if settings.get("do_normalize") is False:
        del settings["do_normalize"]
        settings |= {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]}
    return image_spec_of(Processor(processor.file, settings), faults)


TRANSFORMERS_JS = Layout(
    name="transformers.js",
    title="ONNX graphs as transformers.js uses them",
    outputs={"image": ("image_embeds", "pooler_output"), "text": ("text_embeds", "pooler_output")},
    logits="logits_per_image",
    describe=_describe,
)
