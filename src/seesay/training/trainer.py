"""The loop: batches in, a model out, and at any moment a checkpoint from which the same run goes on."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.errors import InputError, TrainingError
from seesay.models.card import Card
from seesay.models.layers.recompute import recompute_blocks
from seesay.render import plots
from seesay.system.paths import printable
from seesay.system.schema import to_json
from seesay.training.accumulation import contrastive_step
from seesay.training.data.inputs import Pictures, Texts
from seesay.training.data.left_out import LeftOut
from seesay.training.data.loader import Batch, Loader, ids_of
from seesay.training.data.mix import open_sources
from seesay.training.data.samples import Sample
from seesay.training.device import prepare_device
from seesay.training.losses import embedding_distillation
from seesay.training.losses.anchored import AnchoredTexts
from seesay.training.losses.objective import Objective, Teacher, Truth, number_classes
from seesay.training.optim.optimizer import Ema, adamw, set_learning_rate
from seesay.training.recipe import Recipe
from seesay.training.report import write_report
from seesay.training.result import Result, card_of, write_model
from seesay.training.run.folder import alone, claim, write_recipe
from seesay.training.run.log import Log, Record
from seesay.training.run.state import CheckpointFolder, write_whole
from seesay.training.run.watch import Watch
from seesay.training.start.towers import build, set_training
from seesay.training.validation import Search, Validator, score

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Prepared:
    """A sample on its way into a batch."""

    picture: np.ndarray
    teacher_image: np.ndarray | None = None
    teacher_text: np.ndarray | None = None


class Trainer:
    """One run of a recipe. `resume` goes on from the newest checkpoint in the recipe's folder, if there is one; `finish` ends
    the run there."""

    def __init__(self, recipe: Recipe, *, resume: bool = False, finish: bool = False, watch: Watch | None = None) -> None:
        plots.require()  # for the page at the end
        self.recipe, self.watch = recipe, watch or Watch()
        self.folder = recipe.folder
        self.checkpoints = CheckpointFolder(self.folder / "checkpoints", recipe.checkpoints.keep)
        steps = self.checkpoints.steps()
        claim(recipe, steps[-1] if steps else None, resume=resume or finish)
        self.device = prepare_device(recipe.device, recipe.threads)
        towers = build(recipe)
        self.clip, self.tokenizer, self.vocabulary = towers.clip.to(self.device), towers.tokenizer, towers.vocabulary
        model = recipe.model
        for tower, recompute in ((self.clip.image, model.image.recompute), (self.clip.text, model.text.recompute)):
            if recompute:
                recompute_blocks(tower)
        self.pictures = Pictures(
            self.clip,
            recipe.data.augment,
            self.device,
            unlocked_groups=model.image.unlocked_groups,
            views=recipe.data.views,
        )
        self.texts = Texts(self.clip, self.tokenizer, self.device, unlocked_groups=model.text.unlocked_groups)
        self.source = open_sources(recipe.data.sources, Path(recipe.root))
        self.steps = (
            recipe.steps if recipe.steps is not None else round((recipe.epochs or 0) * len(self.source) / recipe.data.batch)
        )
        if self.steps < 1:
            raise InputError(
                f"{recipe.epochs} epochs of {len(self.source)} samples are no step of {recipe.data.batch}; "
                "take a smaller data.batch, or more epochs"
            )
        if recipe.data.batch > len(self.source):
            self.watch.says(
                f"data.batch is {recipe.data.batch}, a pass has {len(self.source)} samples: every batch holds some twice"
            )
        self.anchors = [
            AnchoredTexts(recipe.path(said.path), self.clip.config.dim, said.batch, recipe.seed) for said in recipe.loss.anchors
        ]
        distillation = recipe.loss.distillation
        self.teacher = Teacher(distillation, recipe, self.clip.config.dim) if distillation else None
        self.classes = number_classes(self.source, recipe.data) if recipe.loss.class_weight else {}
        teacher_scale = self.teacher.model.scale if self.teacher else 1.0
        self.objective = Objective(self.clip, recipe.loss, len(self.classes), teacher_scale).to(self.device)
        self.optimizer = adamw(self.clip, self.objective, recipe.optimizer)
        self.learning = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "float16")
        self.ema = Ema(self.clip, recipe.optimizer.ema) if recipe.optimizer.ema else None
        said = recipe.validation
        self.validator = Validator(recipe, said, self.clip, self.tokenizer, self.device) if said else None
        for note in self.validator.captions.notes if self.validator else ():
            self.watch.says(note)
        self.step, self.position = 0, 0
        self.best: Record | None = None
        self.searches: list[Search] = []
        self.validated: int | None = None  # the step
        self.left_out = LeftOut()
        if resume or finish:
            self._resume(finish)

    def run(self) -> Result:
        """To the end, or until the watch says stop. Raises TrainingError where the loss is no number any more."""
        with alone(self.folder):
            return self._run()

    def _run(self) -> Result:
        write_recipe(self.recipe)
        self._freeze()
        set_training(self.clip, self.recipe)
        self.watch.begins(self.step, self.steps)
        log = Log(self.folder, self.step)
        try:
            if self.step < self.steps:
                self._loop(log)
            elif self.validator is not None and self.validated != self.step:
                self._validate(log)
                self._save()
        finally:
            log.close()
        model = self._write_model() if self.step >= self.steps else None
        report = write_report(self.recipe, self.searches, self._facts())
        return Result(self.folder, model, report, self.step, self.steps, self.best, self.left_out, self.unread)

    @property
    def unread(self) -> LeftOut:
        return self.validator.left_out if self.validator is not None else LeftOut()

    # One step

    def _loop(self, log: Log) -> None:
        recipe = self.recipe
        loader = Loader(
            self.source,
            self.prepare,
            batch=recipe.data.batch,
            seed=recipe.seed,
            position=self.position,
            left_out=self.left_out,
        )
        started = time.perf_counter()
        with closing(iter(loader)) as batches:
            for batch in islice(batches, self.steps - self.step):
                rate = set_learning_rate(self.optimizer, self.step, self.steps, recipe.optimizer)
                record = self.learn(batch)
                self.step, self.position = self.step + 1, batch.position
                now = time.perf_counter()
                record |= {"learning_rate": rate, "samples_per_s": recipe.data.batch / (now - started)}
                started = now
                if self.left_out:
                    record["left_out"] = dict(self.left_out.reasons)
                self.watch.step(record)
                last, stopping = self.step == self.steps, self.watch.stopping()
                if last or self.step % recipe.log_every == 0:
                    log.write(record)
                if self.validator is not None and recipe.validation and (last or self.step % recipe.validation.every == 0):
                    self._validate(log)
                if last or stopping or self.step % recipe.checkpoints.every == 0:
                    self._save()
                if stopping:
                    return
                started += time.perf_counter() - now  # validation and checkpoints are no part of the speed

    def learn(self, batch: Batch[Prepared]) -> Record:
        """One step over a batch."""
        truth = self._truth(batch)
        each = len(batch.samples) // self.recipe.data.parts
        parts = [slice(start, start + each) for start in range(0, len(batch.samples), each)]
        found: dict[str, Tensor] = {}

        def encode(part: slice) -> tuple[Tensor, Tensor]:
            with self._autocast():
                images = self.pictures.embed([value.picture for value in batch.values[part]])
                texts = self.texts.embed([sample.text for sample in batch.samples[part]])
            images, texts = (x.float() if x.dtype in AUTOCAST.values() else x for x in (images, texts))
            return F.normalize(images, dim=-1), F.normalize(texts, dim=-1)

        def loss(images: Tensor, texts: Tensor) -> Tensor:
            total, terms = self.objective(self.clip, images, texts, truth)
            found["loss"] = total.detach()
            if len(terms) > 1:
                found.update({f"{name}_loss": term.detach() for name, term in terms.items()})
            scaled: Tensor = self.scaler.scale(total)
            return scaled

        self.optimizer.zero_grad(set_to_none=True)
        if len(parts) == 1:
            loss(*encode(parts[0])).backward()  # type: ignore[no-untyped-call]
        else:
            contrastive_step(encode, parts, loss)
        for said, anchors in zip(self.recipe.loss.anchors, self.anchors, strict=True):
            found["anchors_loss"] = found.get("anchors_loss", 0) + self._anchored(anchors, said.weight)
        values = {name: value.item() for name, value in found.items()}
        if not np.isfinite(values["loss"]):
            self._not_a_number(batch, values["loss"])
        if self.recipe.optimizer.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            values["gradient_norm"] = torch.nn.utils.clip_grad_norm_(self.learning, self.recipe.optimizer.clip_norm).item()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():  # as Radford et al. 2021: a larger scale makes training unstable
            self.clip.logit_scale.clamp_(0, float(np.log(self.recipe.loss.max_scale)))
        if self.ema is not None:
            self.ema.update(self.clip)
        scale = float(self.clip.scale.detach())
        return {"step": self.step + 1, **values, "temperature": 1 / scale}

    def _anchored(self, anchors: AnchoredTexts, weight: float) -> Tensor:
        """Adds the gradients of the distance of a step's anchored texts from their places."""
        texts, vectors = anchors.at(self.step)
        with self._autocast():
            made = self.texts.embed(texts)
        loss = embedding_distillation(made, torch.from_numpy(vectors).to(self.device))
        self.scaler.scale(weight * loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _truth(self, batch: Batch[Prepared]) -> Truth:
        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        known: dict[str, Tensor] = {}
        if self.recipe.data.identities:
            known["image_ids"] = tensor(ids_of([sample.image_id for sample in batch.samples]))
            known["text_ids"] = tensor(ids_of([sample.text for sample in batch.samples]))
        if self.classes:
            known["labels"] = tensor(np.array([self.classes.get(sample.label or "", -1) for sample in batch.samples]))
        if self.teacher is not None:
            known["teacher_images"] = tensor(np.stack([v.teacher_image for v in batch.values if v.teacher_image is not None]))
            known["teacher_texts"] = tensor(np.stack([v.teacher_text for v in batch.values if v.teacher_text is not None]))
        return Truth(**known)

    def _autocast(self) -> Any:
        dtype = AUTOCAST.get(self.recipe.precision)
        return torch.autocast(self.device.type, dtype=dtype) if dtype else nullcontext()

    def _not_a_number(self, batch: Batch[Prepared], loss: float) -> None:
        file = self.folder / f"bad-step-{self.step + 1}.pt"
        pictures = torch.from_numpy(np.stack([value.picture for value in batch.values]))
        samples = {"names": [s.name for s in batch.samples], "texts": [s.text for s in batch.samples]}
        write_whole(file, {"step": self.step + 1, "loss": loss, "pictures": pictures, **samples})
        raise TrainingError(
            f"the loss of step {self.step + 1} is {loss}. Its batch is in {printable(file)}. {self._after_nan()}"
        )

    def _after_nan(self) -> str:
        gentler = "a lower optimizer.learning_rate, a clip_norm or a longer warmup"
        steps = self.checkpoints.steps()
        if not steps:
            return f"No checkpoint was written yet; start again with {gentler}"
        return f"The checkpoint of step {steps[-1]} is whole: go on from it with --resume and {gentler}"

    # Data

    def prepare(self, sample: Sample, rng: np.random.Generator) -> Prepared:
        picture = self.pictures.prepare(sample.image, rng if sample.augment else None)
        if self.teacher is None:
            return Prepared(picture)
        return Prepared(picture, self.teacher.image(sample.image, sample.image_id), self.teacher.text(sample.text))

    def _freeze(self) -> None:
        """What locked towers make of everything that is known beforehand."""
        store = self.folder / "features"
        if self.recipe.data.listed and (self.pictures.freezable or self.texts.freezable):
            samples = [sample for sample in self.source.once() if isinstance(sample, Sample)]
            if self.pictures.freezable:
                files = dict.fromkeys((s.image, s.augment) for s in samples if isinstance(s.image, str | Path))
                keys = self.pictures.looks(files)
                self.pictures.freeze(keys, store / "pictures.npz", self.watch.phase("pictures", len(keys)))
            if self.texts.freezable:
                texts = {sample.text for sample in samples}
                self.texts.freeze(texts, store / "texts.npz", self.watch.phase("texts", len(texts)))
        if self.validator is not None:
            self.validator.freeze(store, self.watch.phase)

    # What is kept

    def _validate(self, log: Log) -> None:
        assert self.validator is not None
        with self._result_weights():
            found, self.searches = self.validator()
        self.validated = self.step
        record: Record = {
            "step": self.step,
            "data": self.validator.name,
            **{way: direction.recall for way, direction in found.directions.items()},
            "bounds": {way: {k: list(b) for k, b in direction.bounds.items()} for way, direction in found.directions.items()},
            "score": score(found),
        }
        if self.unread:
            record["validation_left_out"] = dict(self.unread.reasons)
        log.write(record)
        if self.best is None or record["score"] > self.best["score"]:
            with self._result_weights():
                self.checkpoints.save_best(self.step, {"step": self.step, "weights": self.clip.state_dict()})
            self.best = record
        self.watch.validated(record)

    @contextmanager
    def _result_weights(self) -> Iterator[None]:
        """The running mean in place of the weights, where there is one; eval mode."""
        now = {name: tensor.clone() for name, tensor in self.clip.state_dict().items()} if self.ema else None
        if self.ema is not None:
            self.clip.load_state_dict(self.ema.values)
        self.clip.eval()
        try:
            yield
        finally:
            if now is not None:
                self.clip.load_state_dict(now)
            set_training(self.clip, self.recipe)

    def _save(self) -> None:
        weights = self.clip.state_dict()
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values() if tensor.is_floating_point()):
            raise TrainingError(
                f"after step {self.step} some weights are not finite, so it gets no checkpoint. {self._after_nan()}"
            )
        random = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        state = {
            "step": self.step,
            "position": self.position,
            "weights": weights,
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "random": random,
            "validation": self._validation(),
            "validated": self.validated,
            "best": self.best,
            "searches": [to_json(search) for search in self.searches],
            "unread": to_json(self.unread),
            "left_out": to_json(self.left_out),
        }
        self.checkpoints.save(self.step, state)

    def _validation(self) -> Any:
        """What scores are of; they can be compared where it is equal."""
        said = self.recipe.validation
        return {key: value for key, value in to_json(said).items() if key != "every"} if said else None

    def _resume(self, finish: bool) -> None:
        state = self.checkpoints.last()
        if state is None and finish:
            raise InputError(f"there is no checkpoint in {printable(self.folder)} of which a model could be made")
        if state is None:
            self.watch.says(f"there is no checkpoint in {printable(self.folder)}; a new run begins")
            return
        self._restore(state)
        if finish or self.step >= self.steps:
            self.watch.says(f"ending after step {self.step}; the recipe has {self.steps}")
            self.steps = self.step
        else:
            self.watch.says(f"going on after step {self.step} of {self.steps}")

    def _restore(self, state: dict[str, Any]) -> None:
        self.step, self.position = state["step"], state["position"]
        self.clip.load_state_dict(state["weights"])
        self.objective.load_state_dict(state["objective"])
        said = [
            {key: group[key] for key in ("betas", "eps", "weight_decay", "factor")} for group in self.optimizer.param_groups
        ]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, now in zip(self.optimizer.param_groups, said, strict=True):
            group |= now
        if state["scaler"]:  # of float16
            self.scaler.load_state_dict(state["scaler"])
        if self.ema is not None and state["ema"] is not None:
            self.ema.load_state_dict(state["ema"])
        elif self.ema is not None:
            self.ema = Ema(self.clip, self.ema.decay)  # it was no part of the run before
        if state["validation"] == self._validation():
            self.best, self.validated = state["best"], state["validated"]
            self.searches = [Search(s["text"], s["right"], tuple(s["found"])) for s in state["searches"]]
            if self.validator is not None:
                self.validator.left_out = LeftOut.of_json(state["unread"])
        elif state["best"] is not None:
            self.watch.says("the validation is another than before: earlier scores do not count")
        self.left_out = LeftOut.of_json(state["left_out"])
        torch.set_rng_state(state["random"]["cpu"])
        if "cuda" in state["random"] and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"]["cuda"], self.device)

    def _write_model(self) -> Path:
        """The best weights where there was a validation, else the last."""
        with self._result_weights():
            weights = self.checkpoints.best(self.best["step"])["weights"] if self.best is not None else self.clip.state_dict()
            return write_model(self.clip.config, weights, self.vocabulary, self.recipe, self._card())

    def _card(self) -> Card:
        about = f"{self._facts()[0]}."
        return card_of(self.clip.config, self.recipe, about, samples=len(self.source), steps=self.steps, best=self.best)

    def _facts(self) -> list[str]:
        config, learning = self.clip.config, sum(parameter.numel() for parameter in self.learning)
        assert config.image is not None
        assert config.text is not None
        total = sum(parameter.numel() for parameter in self.clip.parameters())
        facts = [
            f"{config.image.kind} and {config.text.kind}, {config.dim} dimensions, {total / 1e6:.1f} million parameters, "
            f"of which {learning / 1e6:.1f} million learn",
            f"{len(self.source)} samples a pass, batches of {self.recipe.data.batch}, step {self.step} of {self.steps}",
        ]
        return [*facts, *self.left_out.lines("training"), *self.unread.lines("validation")]


def train(recipe: Recipe, *, resume: bool = False, finish: bool = False, watch: Watch | None = None) -> Result:
    """Runs a recipe to its end. Raises InputError, ModelError, TrainingError."""
    return Trainer(recipe, resume=resume, finish=finish, watch=watch).run()
