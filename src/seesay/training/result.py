"""The result of a run: a model folder with its card, and a summary of the run."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seesay._version import __version__
from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.export import TOLERANCE
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.reader import digest, space_of
from seesay.evaluation.retrieval import DIRECTIONS
from seesay.models.card import Card, CardScore
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig, WeightSource
from seesay.system.schema import to_json
from seesay.training.data import SourceConfig
from seesay.training.data.skipped import SkippedSamples
from seesay.training.recipe import Recipe
from seesay.training.run.log import Record


@dataclass(frozen=True)
class Result:
    """folder: the run's. model: the model's folder; None if the run was stopped before its end. report: an HTML page. best: the
    log record of the validation that chose the weights, if any. skipped: samples of the training data; validation_skipped:
    images of the validation data."""

    folder: Path
    model: Path | None
    report: Path
    step: int
    steps: int
    best: Record | None
    skipped: SkippedSamples
    validation_skipped: SkippedSamples


def write_model(config: ModelConfig, weights: Mapping[str, Tensor], vocabulary: bytes, recipe: Recipe, card: Card) -> Path:
    """Writes `model` into the run's folder, replacing an earlier one; verifies its graphs against torch. Raises ModelError."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    with torch.device("meta"):
        clip = Clip(config)
    clip.load_state_dict(state, assign=True)
    weights_digest = digest(state.items())
    config = replace(
        config,
        logit_scale=float(state["logit_scale"]),
        logit_bias=float(state["logit_bias"]) if "logit_bias" in state else None,
        provenance=(
            *config.provenance,
            WeightSource(recipe.name, f"seesay {__version__} train", config.licence, weights_digest),
        ),
    )
    clip.config = replace(config, space_id=space_of(config, weights_digest))
    folder, old = recipe.folder / "model", recipe.folder / "model.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    with new_folder(folder) as draft:
        write_folder(clip.eval(), vocabulary, draft, "float32")
        text = json.dumps(to_json(card), indent=1, ensure_ascii=False)
        (draft / "card.json").write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    return folder


def card_of(config: ModelConfig, recipe: Recipe, about: str, *, samples: int, steps: int, best: Record | None) -> Card:
    """The card of a trained model. best: the log record of the validation that chose the weights, if any."""
    scores: tuple[CardScore, ...] = ()
    chosen = f"step {steps}"
    if best is not None:
        task = best["data"]
        chosen = f"step {best['step']} of {steps}, the best on {task}"
        scores = tuple(
            CardScore(task, f"{title.lower()} {k}", share, _note(best["bounds"][way][k]))
            for way, title in DIRECTIONS.items()
            for k, share in best[way].items()
        )
    data = ", ".join(_file_names(source) for source in recipe.data.sources)
    return Card(
        summary=about,
        languages=config.languages,
        licence=config.licence,
        sources=config.provenance,
        training=f"Recipe {recipe.name}: batches of {recipe.data.batch} of {samples} samples of {data}; weights of {chosen}.",
        scores=scores,
        published=(),
        fidelity=(),
        batch_tolerance=TOLERANCE,
        limits=(),
    )


def _file_names(source: SourceConfig) -> str:
    """Without folders, which describe a machine rather than the data."""
    return ", ".join(Path(name).name for name in source.files)


def _note(bounds: list[float]) -> str:
    low, high = (100 * bound for bound in bounds)
    return f"95 % interval {low:.1f}-{high:.1f}; the step was chosen on these data"
