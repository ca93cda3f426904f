"""How a checkpoint works, from whoever says it: the caller, the configuration beside it, the catalogue, its source's rule."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seesay.checkpoints import shapes
from seesay.checkpoints.containers.weights import Weights
from seesay.checkpoints.formats import hugging_face, open_clip
from seesay.checkpoints.formats.layouts import Layout
from seesay.checkpoints.hub.catalog import architecture
from seesay.checkpoints.overrides import Description, Preprocessing, Said, check, preset
from seesay.checkpoints.shapes import Shapes
from seesay.errors import CheckpointError, InputError
from seesay.images.spec import ImageSpec
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.system.schema import read_object
from seesay.tokenizers import SPECS, pad_id
from seesay.tokenizers.vocabulary import PIECES, VocabularyName

HEAD_WIDTH = 64  # OpenAI's rule for both towers of every model, and Chinese-CLIP's but for ViT-H's image tower
CHINESE_IMAGE_HEAD_WIDTHS = {1280: 80}
OPENAI = Said(activation="quick_gelu")
CHINESE = Said(activation="quick_gelu", text_activation="gelu")


def describe(layout: Layout, weights: Weights, ours: Shapes, said: Said) -> Description:
    """`ours`: the tensors' shapes by our names. Raises CheckpointError where something is left open or cannot be."""
    try:
        described = _overridden(_padded(_from_files(layout, weights, ours, said), weights.path.parent), said)
    except InputError as error:  # of a configuration's own bounds, such as heads that do not divide a width
        raise CheckpointError(f"{weights.path} is described by what cannot be: {error}") from None
    _plausible(described, ours)
    return described


def _from_files(layout: Layout, weights: Weights, ours: Shapes, said: Said) -> Description:
    folder = weights.path.parent
    if said.architecture:
        described = _from_catalogue(said)
        spec = described.image_spec or _image_spec_beside(folder, described) or _image_spec_by_rule(layout, weights, described)
        return replace(described, image_spec=spec)
    match layout.name:
        case "hf_clip" | "hf_clip_text" | "hf_clip_vision" | "hf_chinese_clip":
            file = folder / "config.json"
            if not file.is_file():
                raise CheckpointError(
                    f"{folder} has no config.json, which says heads, activation and more that {weights.path.name} cannot show. "
                    "Put it there, or pass architecture=NAME (seesay models architectures)"
                )
            projected = any(name.endswith(".projection.weight") for name in ours)
            processor = hugging_face.image_processor(folder)
            described = hugging_face.describe(_json(file) or {}, processor, projected=projected, name=str(file))
            described = _as_published(described, said)
        case "open_clip_hf_text" | "open_clip" | "openai" if (folder / "open_clip_config.json").is_file():
            file = folder / "open_clip_config.json"
            described = open_clip.describe(_json(file) or {}, _json(folder / "config.json"), str(file))
        case "openai" | "open_clip" | "open_clip_hf_text" if said.entry:
            described = _from_catalogue(said)
        case "open_clip_hf_text":
            raise CheckpointError(
                f"{folder} has no open_clip_config.json, which says how {weights.path.name} pools its texts. Put it there, or "
                "pass architecture=NAME, the name of its architecture in the catalogue (seesay models architectures)"
            )
        case "cn_clip":
            width = ours.get("image.class_embedding", (0,))[0]
            image_heads_of = CHINESE_IMAGE_HEAD_WIDTHS.get(width, HEAD_WIDTH)
            described = _from_shapes(ours, said.or_else(CHINESE), image_heads_of, HEAD_WIDTH, "Chinese-CLIP's rules")
            described = replace(described, image_spec=_image_spec_by_rule(layout, weights, described))
        case "openai" if from_openai(weights):
            described = _from_shapes(ours, said.or_else(OPENAI), HEAD_WIDTH, HEAD_WIDTH, "OpenAI's rules")
            described = replace(described, image_spec=_image_spec_by_rule(layout, weights, described))
        case "openai" | "open_clip":
            said.require("activation", "image_heads", "text_heads", "preprocessing")
            described = _from_shapes(ours, said, None, None, "what the caller says")
        case _:
            raise CheckpointError(f"{folder} has SeeSay's weights without SeeSay's config.json")
    return described


def _from_catalogue(said: Said) -> Description:
    """An architecture by name; preprocessing only where the entry of these very weights says it."""
    entry = said.entry
    name = said.architecture or (entry.architecture if entry else "")
    found = architecture(name, entry.activation if entry and not said.architecture else None)
    return Description(
        dim=found.dim,
        image=found.image,
        text=found.text,
        image_spec=entry.preprocess if entry else None,
        tokenizer_spec=found.tokenizer_spec,
        tokenizer=found.vocabulary,
        source=f"the architecture {name} of the catalogue",
    )


def _as_published(described: Description, said: Said) -> Description:
    """transformers' conversion of weights that the catalogue knows, prepared as their authors do it: one space with theirs."""
    if said.entry is None:
        return described
    known, spec = architecture(said.entry.architecture), said.entry.preprocess
    if described.image is not None and described.image.image_px == spec.size_px:
        described = replace(described, image_spec=spec)
    if described.text is not None and described.text.vocabulary == known.text.vocabulary and known.vocabulary != "folder":
        described = replace(described, tokenizer=known.vocabulary, tokenizer_spec=known.tokenizer_spec)
    return described


def _image_spec_beside(folder: Path, described: Description) -> ImageSpec | None:
    """What the files of a library say about pictures, whatever they say about the towers."""
    faults: list[str] = []
    spec = None
    if described.image is not None and (file := folder / "open_clip_config.json").is_file():
        spec = open_clip.image_spec_of(_json(file) or {}, described.image.image_px, faults)
    elif (processor := hugging_face.image_processor(folder)) is not None:
        file, values = processor
        spec = hugging_face.image_spec_of(values, file.stem, faults)
    check(faults, str(file))
    return spec


def _image_spec_by_rule(layout: Layout, weights: Weights, described: Description) -> ImageSpec | None:
    """As OpenAI and Chinese-CLIP prepare pictures for every model of theirs."""
    if layout.name == "cn_clip":
        return _image_spec("chinese-clip", described)
    return _image_spec("openai", described) if layout.name == "openai" and from_openai(weights) else None


def _padded(described: Description, folder: Path) -> Description:
    """Texts padded as the tokenizer's files have it. A BERT-like tower masks its own padding only, so it sees any other."""
    spec = described.tokenizer_spec
    found = pad_id(folder) if described.tokenizer == "folder" else None
    if spec is None or found is None:
        return described
    sees = described.text is not None and described.text.pad_id not in (None, found)
    return replace(described, tokenizer_spec=replace(spec, pad_id=found, padding="context" if sees else spec.padding))


def _overridden(described: Description, said: Said) -> Description:
    """What the caller says wins; and in the end preprocessing must be known, and make what the tower takes."""
    image, text = described.image, described.text
    if image is not None:
        image = image.overridden(activation=said.activation, heads=said.image_heads)
    if text is not None:
        activation = said.text_activation or (said.activation if text.follows_image_activation else None)
        text = text.overridden(activation=activation, heads=said.text_heads)
    if said.image_px and image is not None and "image_px" in image.overridable:
        if said.image_px % image.cell_px:
            raise CheckpointError(
                f"image_px={said.image_px} is not a multiple of {image.cell_px}, the size of this tower's patches"
            )
        image = image.overridden(image_px=said.image_px)
        if (spec := described.image_spec) is not None:
            resize_px = round(spec.resize_px * said.image_px / spec.size_px)
            described = replace(described, image_spec=replace(spec, size_px=said.image_px, resize_px=resize_px))
    if said.context_length and text is not None and "positions" in text.overridable:
        text = text.overridden(positions=said.context_length)
        assert described.tokenizer_spec
        spec_of_texts = replace(described.tokenizer_spec, context_length=said.context_length)
        described = replace(described, tokenizer_spec=spec_of_texts)
    described = replace(described, image=image, text=text)
    if image is None:
        return described
    if said.preprocessing is not None:
        described = replace(described, image_spec=_image_spec(said.preprocessing, described))
    if described.image_spec is None:
        raise CheckpointError(
            f"{described.source} does not say how pictures are preprocessed, and no preprocessor_config.json or "
            "processor_config.json that does lies beside it. Pass preprocessing='openai' (shorter side, centre crop), "
            "'chinese-clip' (squashed) or an ImageSpec; in a shell, --preprocessing openai or chinese-clip"
        )
    return described


def _plausible(described: Description, ours: Shapes) -> None:
    """Raises CheckpointError for what would fail, or take all memory, before tensors can be compared."""
    for tower, config in (("image", described.image), ("text", described.text)):
        if config is None or config.layers is None:
            continue
        stored = shapes.stages(ours) if isinstance(config.layers, tuple) else shapes.depth(ours, tower)
        if config.layers != stored:
            raise CheckpointError(f"{described.source}: {config.layers} layers in the {tower} tower, the weights have {stored}")
    made = described.image_spec.size_px if described.image_spec else 0
    if described.image is not None and made != described.image.image_px:
        raise CheckpointError(
            f"preprocessing makes pictures of {made} pixels, the image tower takes {described.image.image_px}"
        )


def from_openai(weights: Weights) -> bool:
    """OpenAI's archives carry three numbers that nobody else stores."""
    return weights.kind == "TorchScript archive" or "input_resolution" in weights.names


def _from_shapes(ours: Shapes, said: Said, image_heads_of: int | None, text_heads_of: int | None, source: str) -> Description:
    image, text = shapes.image_config(ours, said, image_heads_of), shapes.text_config(ours, said, text_heads_of)
    named: VocabularyName = "clip" if isinstance(text, ClipTextConfig) else "chinese_clip"
    packaged, spec = False, None
    if text is not None:
        packaged = text.vocabulary >= PIECES[named]  # a smaller tower has one of its own
        spec = SPECS[named] if packaged else replace(SPECS[named], cleaning="none")
        if isinstance(text, ClipTextConfig):
            spec = replace(spec, context_length=text.positions)
    return Description(
        dim=shapes.dimension(ours),
        image=image,
        text=text,
        image_spec=None,
        tokenizer_spec=spec,
        tokenizer=None if text is None else named if packaged else "folder",
        source=source,
        languages=("zh",) if isinstance(text, BertConfig) else (),
    )


def _image_spec(given: Preprocessing | ImageSpec, described: Description) -> ImageSpec | None:
    if described.image is None or isinstance(given, ImageSpec):
        return given if isinstance(given, ImageSpec) else None
    return preset(given, described.image.image_px)


def _json(file: Path) -> Mapping[str, Any] | None:
    return read_object(file) if file.is_file() else None
