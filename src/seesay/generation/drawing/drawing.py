"""`draw`: a picture of what a text says, drawn by gradients of a model's cosine."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from seesay.engines.threads import restore
from seesay.errors import InputError
from seesay.generation.drawing.eye import Eye
from seesay.generation.drawing.medium import Medium, PathMedium
from seesay.generation.drawing.objective import Aims, Objective
from seesay.generation.drawing.prompts import Prompt
from seesay.generation.drawing.raster import rasterise
from seesay.generation.drawing.run import Run, levels
from seesay.generation.drawing.settings import Settings
from seesay.generation.drawing.start import start
from seesay.generation.drawing.subject import Subject
from seesay.generation.drawing.svg import to_svg
from seesay.generation.drawing.views import Views
from seesay.models.vectors import normalize
from seesay.system.progress import Progress

if TYPE_CHECKING:
    from seesay.model import Model

SIZE = 224
LOOKS = 40  # times that a run is looked at, and its state saved


@dataclass(frozen=True)
class Drawing:
    """A drawing as it is after `step` of `steps` steps. similarity: its cosine with what it should show, each time that it was
    looked at, first of all before the first step. frames: pictures of it then, (size, size, 3) uint8, where they were kept."""

    medium: Medium
    step: int
    steps: int
    similarity: Sequence[float]
    frames: Sequence[np.ndarray] = field(default=())

    @property
    def has_paths(self) -> bool:
        """Whether it is made of strokes or shapes, which an SVG file holds."""
        return isinstance(self.medium, PathMedium)

    def svg(self, title: str = "") -> str:
        """The text of an SVG file. Raises InputError for a drawing of pixels."""
        if not isinstance(self.medium, PathMedium):
            raise InputError("a drawing of pixels has no strokes that an SVG file could hold; write it to a .png file")
        return to_svg(self.medium.layers, self.medium.size, title)

    def image(self, scale: int = 1) -> Image.Image:
        """The drawing in pixels; `scale` times as large, which strokes and shapes take without loss."""
        with torch.no_grad():
            if isinstance(self.medium, PathMedium):
                large = tuple(paths.scaled(scale) for paths in self.medium.layers)
                return Image.fromarray(levels(rasterise(large, scale * self.medium.size)).numpy())
            image = Image.fromarray(levels(self.medium.picture()).numpy())
            return image.resize((scale * self.medium.size,) * 2, Image.Resampling.LANCZOS)


def draw(
    model: "Model",
    subject: Subject,
    settings: Settings | None = None,
    *,
    state: Path | None = None,
    resume: bool = False,
    frames: bool = False,
    watch: Callable[[Drawing], None] | None = None,
    progress: Progress | None = None,
) -> Drawing:
    """Draws a subject with the help of a model that torch runs (`seesay.load(engine="torch")`).

    state: a file that is written at the first step and now and then, from which `resume` goes on; it is removed when the
    drawing is finished. frames: whether to keep pictures of the steps. watch: called with the drawing each time that it is
    looked at, first of all before the first step. Raises InputError; MissingCapability for a model that has no gradients.
    """
    settings = settings or Settings()
    run, known = _begun(model, subject, settings), _known(model, subject, settings, frames)
    if resume:
        if state is None:
            raise InputError("resume needs the file of a state")
        run.restore(state, known)
    else:
        run.look(keep=frames)
    if watch is not None:
        watch(_drawing(run))
    every = math.ceil(settings.steps / LOOKS)
    while run.step < settings.steps:
        run.advance()
        if run.step % every == 0 or run.step == settings.steps:
            run.look(keep=frames)
            if state is not None:
                run.save(state, known)
            if watch is not None:
                watch(_drawing(run))
        elif run.step == 1 and state is not None:
            run.save(state, known)  # so that an early stop keeps something
        if progress is not None:
            progress(run.step, settings.steps)
    if state is not None:
        state.unlink(missing_ok=True)
    return _drawing(run)


def _begun(model: "Model", subject: Subject, settings: Settings) -> Run:
    """A run before its first step."""
    eye, aims = Eye(model), _aims(model, subject)
    restore()  # torch's own number of threads, so that sums have the same order in every run
    first = torch.Generator().manual_seed(settings.seed)
    medium = start(settings.mode, settings.strokes, SIZE, first, aims.photo)
    return Run(Objective(eye, aims, Views(count=settings.views)), medium, settings.steps, settings.seed)


def _drawing(run: Run) -> Drawing:
    return Drawing(run.medium, run.step, run.steps, run.similarity, [frame.numpy() for frame in run.frames])


def _known(model: "Model", subject: Subject, settings: Settings, frames: bool) -> dict[str, str]:
    """What must be the same for a run to go on."""
    fields = {name: str(value) for name, value in vars(settings).items()}
    return fields | {"model": f"{model.name} {model.space_id}", "subject": subject.digest(), "frames": str(frames)}


def _aims(model: "Model", subject: Subject) -> Aims:
    texts = _vectors(model, subject.prompts)
    pictures = [normalize(model.encode_image(list(subject.pictures)))] if subject.pictures else []
    away = _vectors(model, subject.negative)
    towards = np.concatenate([texts, *pictures])
    weights = [prompt.weight for prompt in subject.prompts] + [1.0] * len(subject.pictures)
    photo = None if subject.photo is None else _square(subject.photo)
    return Aims(
        torch.from_numpy(towards),
        torch.tensor(weights),
        torch.from_numpy(away),
        torch.tensor([prompt.weight for prompt in subject.negative]),
        photo,
        None if subject.style is None else _square(subject.style),
    )


def _vectors(model: "Model", prompts: Sequence[Prompt]) -> np.ndarray:
    """Unit vectors (N, dim) float32; none where there are no prompts, which need no text tower."""
    if not prompts:
        return np.empty((0, model.dim), dtype=np.float32)
    return model.encode_text([prompt.text for prompt in prompts])


def _square(image: Image.Image) -> Tensor:
    """The middle of a picture as large as the canvas, levels 0..1 (3, SIZE, SIZE)."""
    fitted = ImageOps.fit(image.convert("RGB"), (SIZE, SIZE), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(fitted).transpose(2, 0, 1).astype(np.float32) / 255)
