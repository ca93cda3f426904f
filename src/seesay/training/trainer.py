"""The training loop: batches in, a model out, and at any moment a checkpoint from which the same run continues."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import torch

from seesay.errors import TrainingError
from seesay.models.card import Card
from seesay.training.data.loader import Loader
from seesay.training.data.samples import Sample
from seesay.training.optim.schedule import set_learning_rate
from seesay.training.parts import RunParts
from seesay.training.processes import ALONE, Processes
from seesay.training.recipe import Recipe
from seesay.training.report import report_file, write_report
from seesay.training.result import Result, card_of, places, write_changes, write_model
from seesay.training.run.folder import exclusive, write_recipe
from seesay.training.run.log import Log, NoLog, Record, RunLog
from seesay.training.run.observer import Observer
from seesay.training.run.snapshot import snapshot
from seesay.training.setup import set_up
from seesay.training.sharding import own_part, whole, whole_state
from seesay.training.start.freezing import set_training
from seesay.training.step import TrainingStep


class Trainer:
    """Runs the parts of a run (`setup.set_up`) to its end."""

    def __init__(self, parts: RunParts) -> None:
        self.parts, self.recipe, self.state = parts, parts.recipe, parts.state
        self.processes = parts.processes
        self.step = TrainingStep(parts)

    def run(self) -> Result:
        """Runs until the last step, or until the observer stops it. Raises TrainingError if the loss is no longer finite.

        Of several processes the lead alone writes; the others return the same result.
        """
        with exclusive(self.recipe.folder) if self.processes.lead else nullcontext():
            self.processes.first(lambda: None)  # the folder is ours
            return self._run()

    def _run(self) -> Result:
        state, lead = self.state, self.processes.lead
        if lead:
            write_recipe(self.recipe)
        self.processes.first(self._freeze)
        set_training(self.parts.clip, self.recipe)
        self.parts.observer.on_start(state.step, state.steps)
        log = RunLog(self.recipe.folder, state.step) if lead else NoLog()
        try:
            if self._validates_at_start():
                self._validate(log)
            if state.step < state.steps:
                self._loop(log)
            elif self.parts.validator is not None and state.validated != state.step:
                self._validate(log)
                self._save()
        finally:
            log.close()
        model, adapter = self._write_model() if state.step >= state.steps else (None, None)
        report = write_report(self.recipe, state.searches, self._facts()) if lead else report_file(self.recipe)
        skipped, validation_skipped = state.skipped, self.parts.validation_skipped
        folder, best = self.recipe.folder, state.best
        return Result(folder, model, report, state.step, state.steps, best, skipped, validation_skipped, adapter)

    def _freeze(self) -> None:
        """Computes the features of frozen towers for all samples that are known in advance."""
        folder, observer = self.recipe.folder / "features", self.parts.observer
        images, texts = self.parts.images, self.parts.texts
        if self.recipe.data.listed and (images.freezable or texts.freezable):
            samples = [sample for sample in self.parts.source.once() if isinstance(sample, Sample)]
            if images.freezable:
                files = dict.fromkeys((s.image, s.augment) for s in samples if isinstance(s.image, str | Path))
                files |= dict.fromkeys((path, False) for path in self.parts.anchored)
                keys = list(dict.fromkeys(images.view_keys(files)))
                images.freeze(keys, folder / "pictures.npz", observer.on_phase("pictures", len(keys)))
            if texts.freezable:
                different = {sample.text for sample in samples}
                texts.freeze(different, folder / "texts.npz", observer.on_phase("texts", len(different)))
        if self.parts.validator is not None:
            self.parts.validator.freeze(folder, observer.on_phase)

    def _loop(self, log: Log) -> None:
        recipe, state, observer = self.recipe, self.state, self.parts.observer
        loader = Loader(
            self.parts.source,
            self.step.prepare,
            batch=recipe.data.batch,
            seed=recipe.seed,
            position=state.position,
            threads=self.processes.cores,
            skipped=state.skipped,
            processes=self.processes,
        )
        started = time.perf_counter()
        with closing(iter(loader)) as batches:
            for batch in islice(batches, state.steps - state.step):
                rate = set_learning_rate(self.parts.optimizer, state.step, state.steps, recipe.optimizer)
                record = self.step(batch)
                state.step, state.position = state.step + 1, batch.position
                now = time.perf_counter()
                record |= {"learning_rate": rate, "samples_per_s": recipe.data.batch / (now - started)}
                started = now
                if state.skipped:
                    record["left_out"] = dict(state.skipped.reasons)
                observer.on_step(record)
                if self._finish_step(record, log):
                    return
                started += time.perf_counter() - now  # the rate excludes validation and checkpoints

    def _validates_at_start(self) -> bool:
        validation, state = self.recipe.validation, self.state
        return validation is not None and validation.at_start and state.step == 0 and state.validated is None

    def _finish_step(self, record: Record, log: Log) -> bool:
        """Log, validation and checkpoint, if they are due after this step. Returns whether the observer stops the run."""
        recipe, step = self.recipe, self.state.step
        last, stopping = step == self.state.steps, self.processes.any(self.parts.observer.should_stop())
        if last or step % recipe.log_every == 0:
            log.write(record)
        if recipe.validation and (last or step % recipe.validation.every == 0):
            self._validate(log)
            if self.parts.is_stale and not last:
                observer = self.parts.observer
                observer.note(f"{self.state.stale} validations in a row were no better; ending after step {step}")
                self.state.steps, last = step, True
        if last or stopping or step % recipe.checkpoints.every == 0:
            self._save()
        return stopping or last

    def _validate(self, log: Log) -> None:
        state, validator = self.state, self.parts.validator
        assert validator is not None
        with self._result_weights(), whole(self.parts.clip):
            measured, state.searches = validator()
        state.validated = state.step
        record: Record = {"step": state.step, **measured}
        log.write(record)
        state.stale += 1
        if state.best is None or record["score"] > state.best["score"]:
            with self._result_weights():
                weights = whole_state(self.parts.clip.state_dict())
                if self.processes.lead:
                    self.parts.checkpoints.save_best(state.step, {"step": state.step, "weights": weights})
            state.best, state.stale = record, 0
        self.parts.observer.on_validation(record)

    @contextmanager
    def _result_weights(self) -> Iterator[None]:
        """The model in eval mode, with the moving average in place of its weights if there is one."""
        clip, ema = self.parts.clip, self.parts.ema
        current = {name: tensor.clone() for name, tensor in clip.state_dict().items()} if ema else None
        if ema is not None:
            clip.load_state_dict(ema.values)
        clip.eval()
        try:
            yield
        finally:
            if current is not None:
                clip.load_state_dict(current)
            set_training(clip, self.recipe)

    def _save(self) -> None:
        weights = [own_part(tensor) for tensor in self.parts.clip.state_dict().values() if tensor.is_floating_point()]
        if self.processes.any(not all(bool(torch.isfinite(tensor).all()) for tensor in weights)):
            advice = self.parts.checkpoints.restart_advice()
            raise TrainingError(f"after step {self.state.step} some weights are not finite, so it gets no checkpoint. {advice}")
        if self.parts.sharded:
            self.parts.checkpoints.save_shards(self.state.step, snapshot(self.parts), self.processes)
        elif self.processes.lead:
            self.parts.checkpoints.save(self.state.step, snapshot(self.parts))

    def _write_model(self) -> tuple[Path, Path | None]:
        """Writes the best weights by validation; without a validation, the last. And the adapter, where one was trained."""
        clip, best, base = self.parts.clip, self.state.best, self.parts.base
        with self._result_weights():
            weights = whole_state(clip.state_dict())
            if not self.processes.lead:
                return places(self.recipe, base)
            if best is not None:
                weights = self.parts.checkpoints.best(best["step"])["weights"]
            model = write_model(clip.config, weights, self.parts.vocabulary, self.recipe, self._card())
            return model, None if base is None else write_changes(base, weights, self.recipe)

    def _card(self) -> Card:
        summary, state = f"{self._facts()[0]}.", self.state
        samples = len(self.parts.source)
        return card_of(self.parts.clip.config, self.recipe, summary, samples=samples, steps=state.steps, best=state.best)

    def _facts(self) -> list[str]:
        """Lines about the run for its report; the first is about the model."""
        parts, config, state = self.parts, self.parts.clip.config, self.state
        assert config.image is not None
        assert config.text is not None
        total = sum(parameter.numel() for parameter in parts.clip.parameters())
        trainable = sum(parameter.numel() for parameter in parts.trainable)
        facts = [
            f"{config.image.kind} and {config.text.kind}, {config.dim} dimensions, {total / 1e6:.1f} million parameters, "
            f"of which {trainable / 1e6:.1f} million learn",
            f"{len(parts.source)} samples a pass, batches of {self.recipe.data.batch}, step {state.step} of {state.steps}",
        ]
        return [*facts, *state.skipped.lines("training"), *parts.validation_skipped.lines("validation")]


def train(
    recipe: Recipe,
    *,
    resume: bool = False,
    finish: bool = False,
    observer: Observer | None = None,
    processes: Processes = ALONE,
) -> Result:
    """Runs a recipe to its end. Raises InputError, ModelError, TrainingError.

    processes: those that train together, each of which calls this.
    """
    return Trainer(set_up(recipe, resume=resume, finish=finish, observer=observer, processes=processes)).run()
