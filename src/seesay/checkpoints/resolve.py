"""Who describes a checkpoint: the caller's overrides, files beside it, the catalogue, or its format's rule, in that order."""

from dataclasses import replace
from pathlib import Path

from seesay.checkpoints import shapes
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import registry
from seesay.checkpoints.formats.format import Evidence, Format
from seesay.checkpoints.hub.catalog import architecture
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import preset
from seesay.errors import CheckpointError, InputError
from seesay.images.spec import ImageSpec
from seesay.tokenizers import pad_id


def describe(recognised: Format, evidence: Evidence) -> Description:
    """The checkpoint's description. Raises CheckpointError where something stays unspecified or is impossible."""
    overrides = evidence.overrides
    try:
        description = _padded(_described(recognised, evidence), evidence.folder)
        description = _with_preprocessing(_with_towers(description, overrides), overrides)
    except InputError as error:  # a configuration's own bounds, such as heads that do not divide a width
        raise CheckpointError(f"{evidence.weights.path} is described by what cannot be: {error}") from None
    _check_plausible(description, evidence.shapes)
    return description


def _described(recognised: Format, evidence: Evidence) -> Description:
    """The description before single values are overridden."""
    overrides = evidence.overrides
    if overrides.architecture:
        description = _from_catalogue(overrides)
        spec = description.image_spec or _preprocessing_of(recognised, evidence, description)
        return replace(description, image_spec=spec)
    if recognised.configuration is not None and (configured := recognised.configuration(evidence)) is not None:
        return configured
    if overrides.entry is not None:
        return _from_catalogue(overrides)
    return recognised.rule(evidence)


def _from_catalogue(overrides: Overrides) -> Description:
    """An architecture of the catalogue; preprocessing only where the entry of these very weights states it."""
    entry = overrides.entry
    name = overrides.architecture or (entry.architecture if entry else "")
    towers = architecture(name, entry.activation if entry and not overrides.architecture else None)
    return Description(
        dim=towers.dim,
        image=towers.image,
        text=towers.text,
        image_spec=entry.preprocess if entry else None,
        tokenizer_spec=towers.tokenizer_spec,
        tokenizer=towers.vocabulary,
        source=f"the architecture {name} of the catalogue",
    )


def _preprocessing_of(recognised: Format, evidence: Evidence, description: Description) -> ImageSpec | None:
    """Preprocessing from any library's file beside the weights, or else the format's rule."""
    assert description.image is not None  # every architecture of the catalogue has both towers
    image_px = description.image.image_px
    rule = recognised.preprocessing
    return registry.preprocessing_file(evidence.folder, image_px) or (preset(rule, image_px) if rule else None)


def _padded(description: Description, folder: Path) -> Description:
    """With the padding id of the tokenizer's files. A tower that masks another id than this sees the padding."""
    spec = description.tokenizer_spec
    guess = description.traits is None
    padding_id = pad_id(folder, guess=guess) if description.tokenizer == "folder" else None
    if spec is None or padding_id is None:
        return description
    masked_id = None if description.text is None else description.text.pad_id
    padding = spec.padding if masked_id in (None, padding_id) else "context"
    return replace(description, tokenizer_spec=replace(spec, pad_id=padding_id, padding=padding))


def _with_towers(description: Description, overrides: Overrides) -> Description:
    """With the caller's activation, heads, resolution and context length, as far as the towers have them."""
    image, text = description.image, description.text
    if image is not None:
        image = image.overridden(activation=overrides.activation, heads=overrides.image_heads)
    if text is not None:
        activation = overrides.text_activation or (overrides.activation if text.follows_image_activation else None)
        text = text.overridden(activation=activation, heads=overrides.text_heads)
    if overrides.image_px and image is not None and "image_px" in image.overridable:
        if overrides.image_px % image.cell_px:
            raise CheckpointError(
                f"image_px={overrides.image_px} is not a multiple of {image.cell_px}, the size of this tower's patches"
            )
        image = image.overridden(image_px=overrides.image_px)
        if (spec := description.image_spec) is not None:
            description = replace(description, image_spec=spec.at(overrides.image_px))
    if overrides.context_length and text is not None and "positions" in text.overridable:
        text = text.overridden(positions=overrides.context_length)
        assert description.tokenizer_spec
        tokenizer_spec = replace(description.tokenizer_spec, context_length=overrides.context_length)
        description = replace(description, tokenizer_spec=tokenizer_spec)
    return replace(description, image=image, text=text)


def _with_preprocessing(description: Description, overrides: Overrides) -> Description:
    """With the caller's preprocessing. Raises CheckpointError where an image tower is left without any."""
    if description.image is None:
        return description
    rule = overrides.preprocessing
    if rule is not None:
        spec = rule if isinstance(rule, ImageSpec) else preset(rule, description.image.image_px)
        return replace(description, image_spec=spec)
    if description.image_spec is None:
        raise CheckpointError(
            f"{description.source} does not say how pictures are preprocessed, and no preprocessor_config.json or "
            "processor_config.json that does lies beside it. Pass preprocessing='openai' (shorter side, centre crop), "
            "'chinese-clip' or 'siglip' (squashed) or an ImageSpec; in a shell, --preprocessing openai, chinese-clip or siglip"
        )
    return description


def _check_plausible(description: Description, tensor_shapes: shapes.Shapes) -> None:
    """Raises CheckpointError for what would fail, or take all memory, before tensors can be compared."""
    for tower, config in (("image", description.image), ("text", description.text)):
        if config is None or config.layers is None:
            continue
        stored = shapes.stages(tensor_shapes) if isinstance(config.layers, tuple) else shapes.depth(tensor_shapes, tower)
        if config.layers != stored:
            raise CheckpointError(
                f"{description.source}: {config.layers} layers in the {tower} tower, the weights have {stored}"
            )
    size_px = description.image_spec.size_px if description.image_spec else 0
    if description.image is not None and size_px != description.image.image_px:
        raise CheckpointError(
            f"preprocessing makes pictures of {size_px} pixels, the image tower takes {description.image.image_px}"
        )
