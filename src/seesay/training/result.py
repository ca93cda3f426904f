"""What a run leaves: a SeeSay folder that `load` and ONNX Runtime open at once, with its card."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seesay._version import __version__
from seesay.checkpoints.convert import new_folder, write
from seesay.checkpoints.export import TOLERANCE
from seesay.checkpoints.reader import digest, space_of
from seesay.evaluation.retrieval import DIRECTIONS
from seesay.models.card import Card, CardScore
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig, WeightSource
from seesay.system.schema import to_json
from seesay.training.data.left_out import LeftOut
from seesay.training.data.mix import SourceConfig
from seesay.training.data.shards import Shards
from seesay.training.recipe import Recipe
from seesay.training.run.log import Record


@dataclass(frozen=True)
class Result:
    """folder: of the run. model: the SeeSay folder, None where the run was stopped before its end. report: a page.
    left_out: samples of the training data; unread: pictures of the validation data."""

    folder: Path
    model: Path | None
    report: Path
    step: int
    steps: int
    best: Record | None
    left_out: LeftOut
    unread: LeftOut


def write_model(config: ModelConfig, weights: Mapping[str, Tensor], vocabulary: bytes, recipe: Recipe, card: Card) -> Path:
    """Writes `model` in the run's folder, in place of an earlier one, its graphs proven against torch. Raises ModelError."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    with torch.device("meta"):
        clip = Clip(config)
    clip.load_state_dict(state, assign=True)
    made = digest(state.items())
    config = replace(
        config,
        logit_scale=float(state["logit_scale"]),
        logit_bias=float(state["logit_bias"]) if "logit_bias" in state else None,
        provenance=(*config.provenance, WeightSource(recipe.name, f"seesay {__version__} train", config.licence, made)),
    )
    clip.config = replace(config, space_id=space_of(config, made))
    folder, old = recipe.folder / "model", recipe.folder / "model.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    with new_folder(folder) as unfinished:
        write(clip.eval(), vocabulary, unfinished, "float32")
        text = json.dumps(to_json(card), indent=1, ensure_ascii=False)
        (unfinished / "card.json").write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    return folder


def card_of(config: ModelConfig, recipe: Recipe, about: str, *, samples: int, steps: int, best: Record | None) -> Card:
    """What is known of a model that a recipe made. `best`: the validation whose weights were taken, if there was one."""
    scores: tuple[CardScore, ...] = ()
    taken = f"step {steps}"
    if best is not None:
        task = best["data"]
        taken = f"step {best['step']} of {steps}, the best on {task}"
        scores = tuple(
            CardScore(task, f"{title.lower()} {k}", share, _note(best["bounds"][way][k]))
            for way, title in DIRECTIONS.items()
            for k, share in best[way].items()
        )
    data = ", ".join(_named(source) for source in recipe.data.sources)
    return Card(
        summary=about,
        languages=config.languages,
        licence=config.licence,
        sources=config.provenance,
        training=f"Recipe {recipe.name}: batches of {recipe.data.batch} of {samples} samples of {data}; weights of {taken}.",
        scores=scores,
        published=(),
        fidelity=(),
        batch_tolerance=TOLERANCE,
        limits=(),
    )


def _named(source: SourceConfig) -> str:
    """Without folders, which say more of a machine than of the data."""
    return ", ".join(Path(name).name for name in (source.shards if isinstance(source, Shards) else (source.path,)))


def _note(bounds: list[float]) -> str:
    low, high = (100 * bound for bound in bounds)
    return f"95 % interval {low:.1f}-{high:.1f}; the step was chosen on these data"
