"""Blends models of one architecture into a new one: a weighted mean of all their weights (WiSE-FT, model soups)."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seesay._version import __version__
from seesay.checkpoints.convert import check_new, new_folder
from seesay.checkpoints.export import TOLERANCE
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.hub.locate import locate
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, digest, open_checkpoint, space_of
from seesay.errors import InputError
from seesay.models.card import Card
from seesay.models.config import ModelConfig, WeightSource
from seesay.system.schema import to_json

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models.clip import Clip

PARTS = ("dim", "image", "text", "image_spec", "tokenizer_spec", "score")  # of a configuration, which a blend has once
STATISTICS = ("running_mean", "running_var")  # of batch norms


@dataclass(frozen=True)
class Blend:
    """The folder of a blended model. shares: of each source, by its name or path. notes: what should be known of the result.
    differences: of its graphs from torch, by tower."""

    folder: Path
    space_id: str
    shares: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]
    differences: dict[str, float]


def blend(models: Sequence[str | PathLike[str]], shares: Sequence[float], folder: Path) -> Blend:
    """Writes a new model folder whose every weight is the mean of the models' own, each with its share.

    Two models, one of which was fine-tuned from the other, make WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903); several that
    were fine-tuned from one make a uniform soup (Wortsman et al. 2022, arXiv 2203.05482). Shares are at least 0 and sum to 1;
    with a share of 1 the weights are that model's, bit for bit. All numbers are averaged, also the logarithm of the scale, and
    the statistics of batch norms, of which a note says so where they differ. Raises InputError for fewer than two models, for
    models of different architectures (every difference is listed) and where `folder` exists; CheckpointError, ModelError,
    MissingExtra.
    """
    names = [str(model) for model in models]
    _check_shares(names, shares)
    check_new(folder)
    checkpoints = [_open(model) for model in models]
    vocabularies = [checkpoint.tokenizer() for checkpoint in checkpoints]
    _check_same(names, [checkpoint.config() for checkpoint in checkpoints], vocabularies)
    configs: list[ModelConfig] = []
    state, uneven = weighted_mean(_states(checkpoints, configs), shares)
    config = _blended(configs, state, folder.name)
    parts = tuple(zip(names, shares, strict=True))
    notes = _notes(names, configs, uneven)
    with new_folder(folder) as draft:
        differences = write_folder(_clip(config, state), vocabularies[0], draft, "float32")
        text = json.dumps(to_json(_card(config, parts, notes)), indent=1, ensure_ascii=False)
        (draft / "card.json").write_text(text + "\n", encoding="utf-8")
    return Blend(folder, config.space_id, parts, notes, differences)


def weighted_mean(states: "Iterator[Mapping[str, Tensor]]", shares: Sequence[float]) -> "tuple[dict[str, Tensor], list[str]]":
    """The mean of state dicts of one architecture, each tensor summed in float64; and the names of those that differ.

    Integers, which count the batches of batch norms, are those of the largest share. The states are taken one after another,
    so that memory holds the sum and one of them. With one share of 1 the result is that state's, bit for bit.
    """
    import torch

    sums: dict[str, Tensor] = {}
    first: dict[str, Tensor] = {}
    uneven: dict[str, None] = {}
    largest = max(range(len(shares)), key=lambda number: shares[number])
    for number, (state, share) in enumerate(zip(states, shares, strict=True)):
        for name, tensor in state.items():
            if number == 0:
                first[name] = tensor
            elif not torch.equal(first[name], tensor):
                uneven[name] = None
            if not tensor.is_floating_point():
                if number == largest:
                    sums[name] = tensor.clone()
            elif share:  # a share of 0 must not turn a -0.0 into 0.0, or an infinity into NaN
                part = tensor.double() * share
                sums[name] = sums[name] + part if name in sums else part
    return {name: sums[name].to(first[name].dtype) for name in first}, list(uneven)


def _check_shares(names: Sequence[str], shares: Sequence[float]) -> None:
    if len(names) < 2:
        raise InputError(f"expected at least two models to blend, got {len(names)}")
    if len(shares) != len(names) or not all(0 <= share <= 1 for share in shares) or not math.isclose(sum(shares), 1):
        raise InputError(f"expected {len(names)} shares from 0 to 1 whose sum is 1, got {', '.join(map(str, shares))}")


def _open(model: str | PathLike[str]) -> Checkpoint:
    path, entry = locate(model)
    return open_checkpoint(path, Overrides(entry=entry) if entry else None)


def _states(checkpoints: Sequence[Checkpoint], configs: list[ModelConfig]) -> "Iterator[dict[str, Tensor]]":
    """The weights of one model after another; its configuration, whose provenance needs them, is appended to `configs`."""
    for checkpoint in checkpoints:
        clip = checkpoint.model()
        configs.append(clip.config)
        yield clip.state_dict()


def _clip(config: ModelConfig, state: "Mapping[str, Tensor]") -> "Clip":
    import torch

    from seesay.models.clip import Clip

    with torch.device("meta"):
        clip = Clip(config)
    clip.load_state_dict(state, assign=True)
    return clip.eval()


def _check_same(names: Sequence[str], configs: Sequence[ModelConfig], vocabularies: Sequence[bytes | None]) -> None:
    """Raises InputError with every difference between the first model and another."""
    faults: list[str] = []
    for name, config, vocabulary in zip(names[1:], configs[1:], vocabularies[1:], strict=True):
        for part in PARTS:
            faults += _differences(part, to_json(getattr(configs[0], part)), to_json(getattr(config, part)), names[0], name)
        if _pieces(vocabulary) != _pieces(vocabularies[0]):
            faults.append(f"vocabulary: that of {name} has other pieces than that of {names[0]}")
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults[:12])
        raise InputError(
            f"models can be blended where they are of one architecture and take the same inputs; these differ:\n{listed}\n"
            "Blend a model with one that was fine-tuned from it"
        )


def _differences(at: str, first: Any, other: Any, first_name: str, other_name: str) -> Iterator[str]:
    """The values that differ in two JSON documents, by path."""
    if isinstance(first, dict) and isinstance(other, dict) and first.get("kind") == other.get("kind"):
        for key in dict.fromkeys([*first, *other]):
            yield from _differences(f"{at}.{key}", first.get(key), other.get(key), first_name, other_name)
    elif first != other and at != "tokenizer_spec.pad_id":  # which formats state differently, and no vector depends on
        here, there = (value.get("kind", value) if isinstance(value, dict) else value for value in (first, other))
        yield f"{at} is {here} in {first_name}, but {there} in {other_name}"


def _pieces(vocabulary: bytes | None) -> dict[str, int] | None:
    """Piece -> id: formats write the same vocabulary into different files."""
    if vocabulary is None:
        return None
    import tokenizers

    return tokenizers.Tokenizer.from_str(vocabulary.decode()).get_vocab()


def _blended(configs: Sequence[ModelConfig], state: "Mapping[str, Tensor]", name: str) -> ModelConfig:
    """The first model's configuration with the numbers, licences, provenance and identity of the blend."""
    sha256 = digest(state.items())
    licences = dict.fromkeys(config.licence for config in configs if config.licence != "unknown")
    licence = "; ".join(licences) or "unknown"
    sources = dict.fromkeys(source for config in configs for source in config.provenance)
    config = replace(
        configs[0],
        name=name,
        logit_scale=float(state["logit_scale"]),
        logit_bias=float(state["logit_bias"]) if "logit_bias" in state else None,
        languages=tuple(language for language in configs[0].languages if all(language in c.languages for c in configs)),
        licence=licence,
        provenance=(*sources, WeightSource(name, f"seesay {__version__} models blend", licence, sha256)),
        search=configs[0].search if all(config.search == configs[0].search for config in configs) else None,
    )
    return replace(config, space_id=space_of(config, sha256))


def _notes(names: Sequence[str], configs: Sequence[ModelConfig], uneven: Sequence[str]) -> tuple[str, ...]:
    """What speaks against the result."""
    notes = []
    origins = [{source.sha256 for source in config.provenance} for config in configs]
    if not set.intersection(*origins):
        notes.append(
            f"{' and '.join(names)} name no common origin; the mean of weights that were trained apart is usually no use"
        )
    norms = {name.rpartition(".")[0] for name in uneven if name.endswith(STATISTICS)}
    if norms:
        notes.append(
            f"{len(norms)} batch norms have different statistics, whose mean only approximates those of the new weights"
        )
    return tuple(notes)


def _card(config: ModelConfig, shares: Sequence[tuple[str, float]], notes: Sequence[str]) -> Card:
    parts = ", ".join(f"{share:g} of {Path(name).name}" for name, share in shares if share)
    return Card(
        summary=f"A blend of models of one architecture: {parts}.",
        languages=config.languages,
        licence=config.licence,
        sources=config.provenance,
        training=f"Not trained itself: every weight is the weighted mean of the models' own (Wortsman et al. 2022): {parts}.",
        scores=(),
        published=(),
        fidelity=(),
        batch_tolerance=TOLERANCE,
        limits=tuple(f"{note}." for note in notes),
    )
