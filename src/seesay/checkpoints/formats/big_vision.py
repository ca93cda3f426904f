"""big_vision's `.npz` files of SigLIP and SigLIP 2, as its authors publish them: no configuration beside.

Flax stores kernels with the inputs first, and attention's with a side for the heads; the layers are either separate
("encoderblock_3") or stacked along a first side ("encoderblock"). `layout` undoes all of this before names are looked up.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seesay.checkpoints import shapes
from seesay.checkpoints.containers.weights import Container, TensorInfo, Weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import siglip
from seesay.checkpoints.formats.format import Evidence, Format
from seesay.checkpoints.names import Table, nested, row
from seesay.checkpoints.preprocessing import preset
from seesay.errors import CheckpointError
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.siglip_vit.config import SiglipVitConfig

if TYPE_CHECKING:
    from torch import Tensor

# Tensor names, as `layout` leaves them


def _layer(foreign: str, native: str, weight: str = "kernel") -> Table:
    return (row(f"{foreign}/{weight}", f"{native}.weight"), row(f"{foreign}/bias", f"{native}.bias"))


def _attention(foreign: str, native: str) -> Table:
    return tuple(r for part in ("query", "key", "value", "out") for r in _layer(f"{foreign}/{part}", f"{native}.{part}"))


def _mlp(foreign: str, native: str) -> Table:
    return (*_layer(f"{foreign}/Dense_0", f"{native}.up"), *_layer(f"{foreign}/Dense_1", f"{native}.down"))


BLOCK: Table = (
    *_layer("LayerNorm_0", "norm1", "scale"),
    *_attention("MultiHeadDotProductAttention_0", "attention"),
    *_layer("LayerNorm_1", "norm2", "scale"),
    *_mlp("MlpBlock_0", "mlp"),
)
ENCODER: Table = (*nested(BLOCK, "encoderblock_{}/", "blocks.{}."), *_layer("encoder_norm", "norm_after", "scale"))
IMAGE: Table = (
    *_layer("embedding", "patch_embedding"),
    row("pos_embedding", "position_embedding", how="squeeze"),
    *nested(ENCODER, "Transformer/"),
    row("MAPHead_0/probe", "pool.query", how="squeeze"),
    *_attention("MAPHead_0/MultiHeadDotProductAttention_0", "pool.attention"),
    *_layer("MAPHead_0/LayerNorm_0", "pool.norm", "scale"),
    *_mlp("MAPHead_0/MlpBlock_0", "pool.mlp"),
    *_layer("head", "projection"),
)
TEXT: Table = (
    row("Embed_0/embedding", "token_embedding.weight"),
    row("pos_embedding", "position_embedding", how="squeeze"),
    *nested(ENCODER, "Encoder_0/"),
    *_layer("head", "projection"),
)
NAMES: Table = (
    *nested(IMAGE, "img/", "image."),
    *nested(TEXT, "txt/", "text."),
    row("t", "logit_scale", how="scalar"),
    row("b", "logit_bias", how="scalar"),
)

# Layout

ROOT = "params/"
STACKED = "/encoderblock/"
MARKS = ("img/Transformer/encoder_norm/scale", "txt/Encoder_0/encoder_norm/scale")


@dataclass(frozen=True)
class _Place:
    """Where a tensor is in the file: its array, and its position along a first side where layers are stacked."""

    array: str
    layer: int | None


class Unrolled:
    """Every layer's tensors by themselves, in torch's layout. heads: of each tower, "img" and "txt"."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._places: dict[str, _Place] = {}
        self._last: tuple[str, Tensor] | None = None
        self.entries: Mapping[str, TensorInfo] = dict(self._unrolled())
        self.heads = {
            name.split("/")[0]: self._container.entries[place.array].shape[-2]
            for name, place in self._places.items()
            if name.endswith("encoderblock_0/MultiHeadDotProductAttention_0/query/kernel")
        }

    def _unrolled(self) -> "list[tuple[str, TensorInfo]]":
        entries = []
        for array, info in self._container.entries.items():
            if (root := _root(self._container.entries)) and not array.startswith(root):
                continue  # the state of the optimizer
            name = array.removeprefix(root)
            layers = range(info.shape[0]) if STACKED in name and info.shape else [None]
            for number in layers:
                own = name if number is None else name.replace(STACKED, f"/encoderblock_{number}/")
                self._places[own] = _Place(array, number)
                shape = info.shape if number is None else info.shape[1:]
                entries.append((own, TensorInfo(_turned_shape(own, shape), info.dtype)))
        return entries

    def read(self, name: str) -> "Tensor":
        place = self._places[name]
        if self._last is None or self._last[0] != place.array:  # the layers of an array follow each other
            self._last = (place.array, self._container.read(place.array))
        value = self._last[1] if place.layer is None else self._last[1][place.layer]
        shape = _turned_shape(name, tuple(value.shape))
        match _turn(name, value.ndim):
            case "patches":
                return value.permute(3, 2, 0, 1).contiguous()
            case "inputs-first":
                return value.reshape(value.shape[0], -1).T.contiguous()
            case "outputs-last":
                return value.reshape(-1, value.shape[-1]).T.contiguous()
        return value.reshape(shape)


def _root(entries: Mapping[str, TensorInfo]) -> str:
    return ROOT if any(name.startswith(ROOT) for name in entries) else ""


def _turn(name: str, sides: int) -> str:
    """How an array becomes torch's: by its name, and for the patches by its number of sides."""
    if re.search(r"/(query|key|value)/kernel$", name):
        return "inputs-first"
    if re.search(r"/(query|key|value)/bias$", name):
        return "flat"
    if name.endswith("/kernel"):
        return "patches" if sides == 4 else "outputs-last"
    return "same"


def _turned_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    match _turn(name, len(shape)):
        case "patches":
            return (shape[3], shape[2], shape[0], shape[1])
        case "inputs-first" if len(shape) > 1:
            return (_product(shape[1:]), shape[0])
        case "outputs-last" if len(shape) > 1:
            return (shape[-1], _product(shape[:-1]))
        case "flat":
            return (_product(shape),)
    return shape


def _product(sides: tuple[int, ...]) -> int:
    product = 1
    for side in sides:
        product *= side
    return product


def layout(weights: Weights) -> Weights:
    """The weights with every layer's tensors by themselves, in torch's layout."""
    return replace(weights, container=Unrolled(weights.container))


# Description

# The authors feed 384 pixels to patches of 14, of which 27 fit; positions alone would show 378.
IMAGE_PX = {(14, 27): 384}


def _rule(evidence: Evidence) -> Description:
    container = evidence.weights.container
    assert isinstance(container, Unrolled)
    image = _image(evidence, container) if "image.patch_embedding.weight" in evidence.shapes else None
    text = _text(evidence, container) if "text.token_embedding.weight" in evidence.shapes else None
    tower = image or text
    if tower is None:
        raise CheckpointError("neither an image tower nor a text tower of big_vision's image-text models")
    projections = [f"{part}.projection.weight" for part in ("text", "image")]
    dim = next((evidence.shapes[name][0] for name in projections if name in evidence.shapes), tower.width)
    return Description(
        dim=dim,
        image=image,
        text=text,
        image_spec=None if image is None else preset("siglip", image.image_px),
        tokenizer_spec=None if text is None else siglip.tokenizer_spec(evidence.folder, text.vocabulary, text.positions),
        tokenizer=None if text is None else "folder",
        source="big_vision's rules",
        biased=image is not None and text is not None,
        traits=None if text is None else siglip.TRAITS,
    )


def _image(evidence: Evidence, container: Unrolled) -> SiglipVitConfig:
    stored = evidence.shapes
    if len(stored["image.patch_embedding.weight"]) == 2:
        raise CheckpointError(
            "this is a SigLIP 2 model of NaFlex (pictures of any shape), which this version of SeeSay does not read"
        )
    if "image.pool.query" not in stored:
        raise CheckpointError("its image tower has no MAPHead_0: of big_vision's image-text models, only SigLIP's are read")
    width, _, patch, _ = shapes.shape(stored, "image.patch_embedding.weight", 4)
    grid = shapes.square(1 + shapes.shape(stored, "image.position_embedding", 2)[0], "the image tower")
    return SiglipVitConfig(
        kind="siglip-vit",
        image_px=IMAGE_PX.get((patch, grid), patch * grid),
        patch_px=patch,
        width=width,
        depth=shapes.depth(stored, "image"),
        heads=evidence.overrides.image_heads or container.heads["img"],
        mlp_width=shapes.shape(stored, "image.blocks.0.mlp.up.weight", 2)[0],
        activation=evidence.overrides.activation or "gelu_tanh",  # flax's `gelu` is the approximate one
        layer_norm_eps=siglip.EPS,
        projection="affine" if "image.projection.weight" in stored else "none",
    )


def _text(evidence: Evidence, container: Unrolled) -> ClipTextConfig:
    stored = evidence.shapes
    vocabulary, width = shapes.shape(stored, "text.token_embedding.weight", 2)
    return ClipTextConfig(
        kind="clip-text",
        width=width,
        depth=shapes.depth(stored, "text"),
        heads=evidence.overrides.text_heads or container.heads["txt"],
        mlp_width=shapes.shape(stored, "text.blocks.0.mlp.up.weight", 2)[0],
        vocabulary=vocabulary,
        positions=shapes.shape(stored, "text.position_embedding", 2)[0],
        activation=evidence.overrides.text_activation or evidence.overrides.activation or "gelu_tanh",
        layer_norm_eps=siglip.EPS,
        causal=False,
        pooling="last",
        eos_id=siglip.END,
        projection="affine" if "text.projection.weight" in stored else "none",
    )


def _recognises(weights: Weights) -> bool:
    return any(root + mark in weights.names for root in ("", ROOT) for mark in MARKS)


FORMAT = Format(
    name="big_vision",
    title="big_vision",
    recognises=_recognises,
    table=lambda names: NAMES,
    rule=_rule,
    layout=layout,
    preprocessing="siglip",
)
