"""The models and checkpoints that a recipe starts from."""

from seesay.checkpoints.hub.locate import locate
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.config import WeightSource
from seesay.training.recipe import Recipe


class StartModels:
    """Checkpoints by the name that the recipe gives them, each read once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._checkpoints: dict[str, Checkpoint] = {}
        self._clips: dict[str, Clip] = {}

    def checkpoint(self, name: str) -> Checkpoint:
        """Raises InputError, ModelError."""
        if name not in self._checkpoints:
            path, entry = locate(self.recipe.model_source(name))
            self._checkpoints[name] = open_checkpoint(path, Overrides(entry=entry) if entry else None)
        return self._checkpoints[name]

    def clip(self, name: str, tower: str) -> Clip:
        """The model of this name, which must have this tower ("image" or "text"). Raises InputError, ModelError."""
        if name not in self._clips:
            self._clips[name] = self.checkpoint(name).model()
        if getattr(self._clips[name].config, tower) is None:
            raise InputError(f"model.{tower}.start: {name} has no {tower} tower")
        return self._clips[name]

    def licence(self) -> str:
        """The recipe's licence and those of the models it starts from, which bind the result; "unknown" without any."""
        licences = (self.recipe.model.licence, *(clip.config.licence for clip in self._clips.values()))
        return "; ".join(dict.fromkeys(licence for licence in licences if licence != "unknown")) or "unknown"

    def provenance(self) -> tuple[WeightSource, ...]:
        """The sources of all models opened so far."""
        return tuple(dict.fromkeys(source for clip in self._clips.values() for source in clip.config.provenance))
