"""One training step: a batch through both towers, the loss, and the update of the weights."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.errors import InputError, TrainingError, UnreadableImage
from seesay.system.paths import printable
from seesay.system.prefetch import prefetch
from seesay.training.accumulation import contrastive_step
from seesay.training.data.loader import Batch, hashed_ids
from seesay.training.data.picture_targets import PictureTargets
from seesay.training.data.samples import Sample, SampleFault
from seesay.training.data.seeds import dropout_seed
from seesay.training.data.text_targets import TextTargets
from seesay.training.losses import embedding_distillation
from seesay.training.objective import Targets
from seesay.training.parts import RunParts
from seesay.training.run.checkpoints import write_state
from seesay.training.run.log import Record
from seesay.training.sharding import clip_norm

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Prepared:
    """A sample as it enters a batch: levels or features of the image, and the teacher's vectors."""

    image: np.ndarray
    teacher_image: np.ndarray | None = None
    teacher_text: np.ndarray | None = None


class TrainingStep:
    """Trains the parts of a run on one batch at a time."""

    def __init__(self, parts: RunParts) -> None:
        self.parts, self.recipe = parts, parts.recipe
        self._trainable = parts.trainable

    def prepare(self, sample: Sample, rng: np.random.Generator) -> Prepared:
        """For the loader's threads. Raises UnreadableImage."""
        image = self.parts.images.prepare(sample.image, rng if sample.augment else None)
        teacher = self.parts.teacher
        if teacher is None:
            return Prepared(image)
        return Prepared(image, teacher.image(sample.image, sample.image_id), teacher.text(sample.text))

    def __call__(self, batch: Batch[Prepared]) -> Record:
        """Updates the weights; returns the step's losses and temperature. Raises TrainingError if the loss is not finite."""
        parts = self.parts
        parts.optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(dropout_seed(self.recipe.seed, parts.state.step, parts.processes.rank))
        losses = self._backward(batch)
        for config, targets in zip(self.recipe.loss.anchors, parts.text_targets, strict=True):
            losses["anchors_loss"] = losses.get("anchors_loss", 0) + self._backward_targets(targets, config.weight)
        values = self._of_all(losses)
        if not np.isfinite(values["loss"]):
            self._stop(batch, values["loss"])
        parts.processes.sum_gradients(self._trainable)
        if self.recipe.optimizer.clip_norm is not None:
            parts.scaler.unscale_(parts.optimizer)
            values["gradient_norm"] = clip_norm(self._trainable, self.recipe.optimizer.clip_norm)
        parts.scaler.step(parts.optimizer)
        parts.scaler.update()
        with torch.no_grad():  # as Radford et al. 2021: a larger scale makes training unstable
            parts.clip.logit_scale.clamp_(0, float(np.log(self.recipe.loss.max_scale)))
        if parts.ema is not None:
            parts.ema.update(parts.clip)
        scale = float(parts.clip.scale.detach())
        return {"step": parts.state.step + 1, **values, "temperature": 1 / scale}

    def _of_all(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """The sums of the shares of all processes."""
        shares = torch.stack([loss.float() for loss in losses.values()])
        return dict(zip(losses, self.parts.processes.sum(shares).tolist(), strict=True))

    def _backward(self, batch: Batch[Prepared]) -> dict[str, Tensor]:
        """Adds the gradients of the objective; returns its terms, detached."""
        targets = self._targets(batch)
        chunk = len(batch.samples) // self.recipe.data.parts
        chunks = [slice(start, start + chunk) for start in range(0, len(batch.samples), chunk)]
        losses: dict[str, Tensor] = {}

        def encode(rows: slice) -> tuple[Tensor, Tensor]:
            with self._autocast():
                images = self.parts.images.embed([value.image for value in batch.values[rows]])
                texts = self.parts.texts.embed(self._texts(batch, rows), self.parts.state.step)
            images, texts = (x.float() if x.dtype in AUTOCAST.values() else x for x in (images, texts))
            return F.normalize(images, dim=-1), F.normalize(texts, dim=-1)

        def loss(images: Tensor, texts: Tensor) -> Tensor:
            total, terms = self.parts.objective(self.parts.clip, images, texts, targets)
            losses["loss"] = total.detach()
            if len(terms) > 1:
                losses.update({f"{name}_loss": term.detach() for name, term in terms.items()})
            scaled: Tensor = self.parts.scaler.scale(total)
            return scaled

        if len(chunks) == 1:
            loss(*encode(chunks[0])).backward()  # type: ignore[no-untyped-call]
        else:
            contrastive_step(encode, chunks, loss)
        return losses

    def _texts(self, batch: Batch[Prepared], rows: slice) -> list[str]:
        """The texts of a chunk; where images are classified, a prompt of every class."""
        if self.parts.prompts is not None:
            return self.parts.prompts.at(self.parts.state.step)
        return [sample.text for sample in batch.samples[rows]]

    def _backward_targets(self, targets: TextTargets, weight: float) -> Tensor:
        """Adds the gradients of the distance between a step's texts, or pictures, and their target vectors; returns the
        distance. Of both, this process's share."""
        texts, vectors = targets.at(self.parts.state.step)
        own = slice(self.parts.processes.rank, None, self.parts.processes.count)
        share = len(texts[own]) / len(texts)
        texts, vectors = texts[own], vectors[own]
        with self._autocast():
            if isinstance(targets, PictureTargets):
                values, vectors = self._readable(texts, vectors)
                embeddings = self.parts.images.embed(values)
            else:
                embeddings = self.parts.texts.embed(texts)
        loss = share * embedding_distillation(embeddings, torch.from_numpy(vectors).to(self.parts.device))
        self.parts.scaler.scale(weight * loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _readable(self, paths: Sequence[str], vectors: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """The pictures that can be read, prepared, and their vectors; the others count as skipped. Raises InputError."""
        cores = self.parts.processes.cores
        results = list(prefetch(self.parts.images.try_prepare, paths, threads=cores, ahead=len(paths)))
        for path, result in zip(paths, results, strict=True):
            if isinstance(result, UnreadableImage):
                self.parts.state.skipped.add(SampleFault(path, result.reason))
        values = [result for result in results if not isinstance(result, UnreadableImage)]
        if not values:
            raise InputError(f"loss.anchors: none of {len(paths)} pictures of a step can be read, such as {paths[0]}")
        return values, vectors[[not isinstance(result, UnreadableImage) for result in results]]

    def _targets(self, batch: Batch[Prepared]) -> Targets:
        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.parts.device)

        tensors: dict[str, Tensor] = {}
        if self.recipe.data.identities:
            tensors["image_ids"] = tensor(hashed_ids([sample.image_id for sample in batch.samples]))
            tensors["text_ids"] = tensor(hashed_ids([sample.text for sample in batch.samples]))
        if self.parts.classes:
            labels = [self.parts.classes.get(sample.label or "", -1) for sample in batch.samples]
            tensors["labels"] = tensor(np.array(labels))
        if self.parts.teacher is not None:
            images = [value.teacher_image for value in batch.values if value.teacher_image is not None]
            texts = [value.teacher_text for value in batch.values if value.teacher_text is not None]
            tensors |= {"teacher_images": tensor(np.stack(images)), "teacher_texts": tensor(np.stack(texts))}
        return Targets(**tensors)

    def _autocast(self) -> Any:
        dtype = AUTOCAST.get(self.recipe.precision)
        return torch.autocast(self.parts.device.type, dtype=dtype) if dtype else nullcontext()

    def _stop(self, batch: Batch[Prepared], loss: float) -> None:
        """Saves the batch whose loss is not finite, and raises TrainingError."""
        step = self.parts.state.step + 1
        processes = self.parts.processes
        rank = f"-rank-{processes.rank}" if processes.count > 1 else ""
        file = self.recipe.folder / f"bad-step-{step}{rank}.pt"
        images = torch.from_numpy(np.stack([value.image for value in batch.values]))
        samples = {"names": [s.name for s in batch.samples], "texts": [s.text for s in batch.samples]}
        write_state(file, {"step": step, "loss": loss, "pictures": images, **samples})
        advice = self.parts.checkpoints.restart_advice()
        raise TrainingError(f"the loss of step {step} is {loss}. Its batch is in {printable(file)}. {advice}")
