"""The result of a run: a model folder with its card, and a summary of the run."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seesay._version import __version__
from seesay.checkpoints.adapters import write_adapter
from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.export import TOLERANCE
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.reader import digest, space_of
from seesay.models.card import Card, CardScore
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig, WeightSource
from seesay.models.layers.lora import changes_in, merged
from seesay.system.schema import to_json
from seesay.training.data import SourceConfig
from seesay.training.data.skipped import SkippedSamples
from seesay.training.recipe import Recipe
from seesay.training.run.log import Record
from seesay.training.start.changes import scales
from seesay.training.validation import ways_of


@dataclass(frozen=True)
class Result:
    """folder: the run's. model: the model's folder; None if the run was stopped before its end. report: an HTML page. best: the
    log record of the validation that chose the weights, if any. skipped: samples of the training data; validation_skipped:
    images of the validation data. adapter: the folder of the LoRA adapter, where one was trained on one base."""

    folder: Path
    model: Path | None
    report: Path
    step: int
    steps: int
    best: Record | None
    skipped: SkippedSamples
    validation_skipped: SkippedSamples
    adapter: Path | None = None


def write_model(config: ModelConfig, weights: Mapping[str, Tensor], vocabulary: bytes, recipe: Recipe, card: Card) -> Path:
    """Writes `model` into the run's folder, replacing an earlier one; verifies its graphs against torch. Raises ModelError.

    weights: with changes of LoRA, which are merged.
    """
    state = _plain(weights)
    state = merged(state, changes_in(state, scales(recipe.model)))
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
    with _replaced(recipe.folder / "model") as folder, new_folder(folder) as draft:
        write_folder(clip.eval(), vocabulary, draft, "float32")
        text = json.dumps(to_json(card), indent=1, ensure_ascii=False)
        (draft / "card.json").write_text(text + "\n", encoding="utf-8")
    return folder


def places(recipe: Recipe, base: ModelConfig | None) -> tuple[Path, Path | None]:
    """Where the model is written, and the adapter, if there is one."""
    adapts = base is not None and (recipe.model.image.lora is not None or recipe.model.text.lora is not None)
    return recipe.folder / "model", recipe.folder / "adapter" if adapts else None


def write_changes(base: ModelConfig, weights: Mapping[str, Tensor], recipe: Recipe) -> Path | None:
    """Writes the changes of LoRA as `adapter` into the run's folder; None without any. Raises ModelError."""
    changes = changes_in(_plain(weights), scales(recipe.model))
    if not changes:
        return None
    dropouts = [tower.lora.dropout for tower in (recipe.model.image, recipe.model.text) if tower.lora is not None]
    with _replaced(recipe.folder / "adapter") as folder:
        write_adapter(folder, changes, base, max(dropouts))
    return folder


def _plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, as float32."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """The place of a folder that the block writes anew; an earlier one is removed."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    yield folder
    shutil.rmtree(old, ignore_errors=True)


def card_of(config: ModelConfig, recipe: Recipe, about: str, *, samples: int, steps: int, best: Record | None) -> Card:
    """The card of a trained model. best: the log record of the validation that chose the weights, if any."""
    scores: tuple[CardScore, ...] = ()
    chosen = f"step {steps}"
    if best is not None:
        task = best["data"]
        chosen = f"step {best['step']} of {steps}, the best on {task}"
        scores = tuple(
            CardScore(task, f"{title.lower()} {k}", share, _note(best["bounds"][way][k]))
            for way, title in ways_of(best).items()
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
