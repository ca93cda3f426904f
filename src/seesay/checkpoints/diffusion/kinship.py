"""`Kinship`: whether two text encoders are the same, or one is a rounded copy of the other, or fine-tuned from it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from seesay.checkpoints.diffusion.fingerprint import Fingerprint, Hashes, text_shapes
from seesay.checkpoints.diffusion.prompts import PROMPTS
from seesay.checkpoints.diffusion.text_encoder import TextEncoderFile
from seesay.errors import CheckpointError
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.tower_config import TextTowerConfig
from seesay.system.progress import Progress
from seesay.tokenizers import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

Dtype = Literal["float16", "bfloat16"]
Side = Literal["own", "other", "neither"]
Relation = Literal["equal", "rounded", "fine-tuned", "unrelated", "other shape"]
RELATED = 0.5  # cosine of weights: about 0 for two trainings from different starts, and above 0.9 after any fine-tuning
BATCH = 20  # prompts
SETTINGS = ("activation", "heads", "layer_norm_eps")  # of a tower, by which the same numbers give other vectors


@dataclass(frozen=True)
class Kinship:
    """How one text encoder relates to another.

    relation "equal": every tensor that both have is the same number for number; "rounded": after rounding to `dtype`, which one
    of them was rounded to (`rounded_side`; "neither": they differ by less than that rounding); "fine-tuned": other
    numbers from the same start, by the cosine of their weights; "unrelated": from another start; "other shape": they cannot be
    compared. tensors: that both have, `differing` of them differ. own_only, other_only: what only one of them has. cosine:
    mean and least over `prompts` prompts (None without a tokenizer), of the vectors at the end of the text after the last
    layer that both have, normed. unlike: settings with which both compute and that differ, as (own, other): with the same
    numbers they then give other vectors.
    """

    relation: Relation
    tensors: int
    differing: int = 0
    dtype: Dtype | None = None
    rounded_side: Side | None = None
    weight_cosine: float | None = None
    cosine: float | None = None
    least_cosine: float | None = None
    prompts: int = 0
    own_only: tuple[str, ...] = ()
    other_only: tuple[str, ...] = ()
    unlike: Mapping[str, tuple[str | float, str | float]] = field(default_factory=dict)


def have_one_shape(own: TextEncoderFile, other: TextEncoderFile) -> bool:
    """Whether the tensors that both have are as large, whatever the number of layers."""
    shapes, others = text_shapes(own), text_shapes(other)
    common = shapes.keys() & others.keys()
    return own.config.kind == other.config.kind and bool(common) and all(shapes[name] == others[name] for name in common)


def kinship(
    own: TextEncoderFile,
    other: TextEncoderFile,
    own_hashes: Fingerprint,
    other_hashes: Fingerprint,
    progress: Progress | None = None,
) -> Kinship:
    """How `own` relates to `other`. Encodes prompts only where their tensors differ. progress: in prompts, of both."""
    shapes, others = text_shapes(own), text_shapes(other)
    common = sorted(shapes.keys() & others.keys())
    own_only, other_only = _parts(shapes.keys() - others.keys()), _parts(others.keys() - shapes.keys())
    if not have_one_shape(own, other):
        return Kinship("other shape", len(common), own_only=own_only, other_only=other_only)
    pairs = [(own_hashes.tensors[name], other_hashes.tensors[name]) for name in common]
    differing = sum(a.exact != b.exact for a, b in pairs)
    found = Kinship(
        "equal", len(common), differing, own_only=own_only, other_only=other_only, unlike=_unlike(own.config, other.config)
    )
    if not differing:
        return found
    if (rounding := _rounding(pairs)) is not None:
        return replace(found, relation="rounded", dtype=rounding[0], rounded_side=rounding[1])
    weights = _weight_cosine(own, other, [name for name in common if len(shapes[name]) > 1])
    if weights < RELATED:
        return replace(found, relation="unrelated", weight_cosine=weights)
    found = replace(found, relation="fine-tuned", weight_cosine=weights)
    try:
        cosines = _cosines(own, other, progress)
    except CheckpointError:  # without a tokenizer no prompt can be encoded
        return found
    return replace(found, cosine=float(cosines.mean()), least_cosine=float(cosines.min()), prompts=len(PROMPTS))


def _unlike(own: TextTowerConfig, other: TextTowerConfig) -> dict[str, tuple[str | float, str | float]]:
    pairs = {name: (getattr(own, name, None), getattr(other, name, None)) for name in SETTINGS}
    return {name: (a, b) for name, (a, b) in pairs.items() if a is not None and b is not None and a != b}


def _parts(names: Set[str]) -> tuple[str, ...]:
    """The layers and other parts that these tensors belong to, such as "layer 24" and "projection"."""
    parts = {tuple(name.split(".")[1:3]) for name in names}
    layers = sorted({int(number) + 1 for part, number in parts if part == "blocks"})
    return (*(f"layer {number}" for number in layers), *sorted({part for part, _ in parts if part != "blocks"}))


def _rounding(pairs: list[tuple[Hashes, Hashes]]) -> tuple[Dtype, Side] | None:
    """The dtype to which both have to be rounded to be equal, and which of them is rounded already."""
    if all(a.float16 == b.float16 for a, b in pairs):
        return "float16", _side(all(a.is_float16 for a, _ in pairs), all(b.is_float16 for _, b in pairs))
    if all(a.bfloat16 == b.bfloat16 for a, b in pairs):
        return "bfloat16", _side(all(a.is_bfloat16 for a, _ in pairs), all(b.is_bfloat16 for _, b in pairs))
    return None


def _side(own: bool, other: bool) -> Side:
    return "own" if own else "other" if other else "neither"


def _weight_cosine(own: TextEncoderFile, other: TextEncoderFile, matrices: list[str]) -> float:
    """The mean cosine of the matrices of these names, each by its size."""
    cosines, sizes = 0.0, 0
    for name in matrices:
        a, b = own.checkpoint.read(name), other.checkpoint.read(name)
        norms = float(a.norm() * b.norm())
        cosines += float((a * b).sum()) / norms * a.numel() if norms else 0.0
        sizes += a.numel()
    return cosines / max(sizes, 1)


def _cosines(own: TextEncoderFile, other: TextEncoderFile, progress: Progress | None) -> "Tensor":
    """Of the vectors of the prompts, (P,)."""
    import torch

    spec = replace(own.tokenizer_spec, padding="longest")
    ids = torch.from_numpy(Tokenizer(own.vocabulary(), spec)(list(PROMPTS)).ids)
    depth = min(own.layers, other.layers)
    a, b = (_vectors(encoder, ids, depth, number, progress) for number, encoder in enumerate((own, other)))
    return torch.nn.functional.cosine_similarity(a, b, dim=-1)


def _vectors(encoder: TextEncoderFile, ids: "Tensor", depth: int, number: int, progress: Progress | None) -> "Tensor":
    """(P, L) -> (P, width): what leaves block `depth` at the end of each text, normed; of BERT at its first token."""
    import torch

    tower, config = encoder.load(), encoder.config
    vectors = []
    for at in range(0, len(ids), BATCH):
        batch = ids[at : at + BATCH]
        with torch.inference_mode():
            states = tower.hidden_states(batch)[: depth + 1]
            last = tower.last_state(states)
        ends = torch.zeros(len(batch), dtype=torch.long)
        if isinstance(config, ClipTextConfig) and config.pooling == "eos":
            ends = (batch == config.eos_id).int().argmax(dim=1)
        vectors.append(last[torch.arange(len(batch)), ends])
        if progress is not None:
            progress(number * len(ids) + at + len(batch), 2 * len(ids))
    return torch.cat(vectors)
