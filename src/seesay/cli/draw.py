"""`seesay draw`: draws what a text says."""

import os
import time
from dataclasses import dataclass
from gettext import gettext as _
from gettext import ngettext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.drawing import write_drawing
from seesay.cli.options import json_option, model_option, open_model, page_file, record
from seesay.cli.output import echo_json, echo_note, echo_wrote, refuse_input, short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError
from seesay.generation.drawing.prompts import NEGATIVE_WEIGHT, parse_prompts
from seesay.generation.drawing.settings import MODES, Mode, Settings
from seesay.system.files import write_atomically
from seesay.system.paths import printable

if TYPE_CHECKING:
    from seesay.generation.drawing.drawing import Drawing
    from seesay.generation.drawing.subject import Subject
    from seesay.model import Model

STATE = ".unfinished"  # behind the drawing's name, while it is drawn
SET_ASIDE = ".old"  # behind the state of another drawing that was stopped
FEW_STEPS = 20  # that change little; in trials all but the hardest prompts were clearly nearer after these
HARDLY_NEARER = 0.02  # of the cosine
SCALE = 4  # of a drawing of strokes or shapes that is written as pixels


@dataclass(frozen=True)
class Files:
    """What is read and what is written besides the drawing itself."""

    photo: str | None
    images: tuple[str, ...]
    style: str | None
    preview: str | None
    gif: str | None

    def check(self, output: Path, mode: Mode) -> None:
        """Raises InputError for a file that cannot hold what it is for, UsageError for one that is read: before the work."""
        from seesay.render.drawings import FORMATS

        allowed = tuple(FORMATS) if mode == "pixels" else (".svg", *FORMATS)
        if mode == "pixels" and output.suffix.lower() == ".svg":
            raise InputError(
                _(
                    "--mode pixels makes a picture of pixels, which an .svg cannot hold: name {file}, or leave out --mode"
                ).format(file=printable(str(output.with_suffix(".png"))))
            )
        if output.suffix.lower() not in allowed:
            raise InputError(
                _("expected a file that ends in {endings}, got {file}").format(
                    endings=", ".join(allowed), file=printable(str(output))
                )
            )
        if self.gif is not None and Path(self.gif).suffix.lower() != ".gif":
            raise InputError(_("expected a file that ends in .gif, got {file}").format(file=printable(self.gif)))
        for each in (output, self.gif, self.preview):
            refuse_input(each, *(file for file in (self.photo, *self.images, self.style) if file is not None))

    def subject(self, text: str | None, negative: str | None) -> "Subject":
        """What is to be drawn. Raises InputError, UnreadableImage."""
        from seesay.generation.drawing.subject import Subject
        from seesay.images.read import read

        return Subject(
            () if text is None else parse_prompts(text),
            () if negative is None else parse_prompts(negative, NEGATIVE_WEIGHT),
            tuple(read(file).image for file in self.images),
            None if self.photo is None else read(self.photo).image,
            None if self.style is None else read(self.style).image,
        )


settings_options = record(
    "settings",
    Settings,
    (
        click.option(
            "--mode",
            type=click.Choice(MODES),
            default=Settings.mode,
            show_default=True,
            help="What the drawing is made of. Pixels make a .png, not an .svg.",
        ),
        click.option(
            "--strokes", type=int, metavar="N", default=Settings.strokes, show_default=True, help="So many strokes or shapes."
        ),
        click.option(
            "--steps", type=int, metavar="N", default=Settings.steps, show_default=True, help="More steps take longer."
        ),
        click.option(
            "--seed", type=int, metavar="N", default=Settings.seed, show_default=True, help="Another one, another drawing."
        ),
    ),
)

files_options = record(
    "files",
    Files,
    (
        click.option("--from", "photo", metavar="PHOTO", help="Draw after a photo (file or URL): a sketch of it."),
        click.option(
            "--image", "images", multiple=True, metavar="PICTURE", help="Show what this picture shows, too; may be repeated."
        ),
        click.option("--style", metavar="PICTURE", help="Look as this picture does: its colours and textures."),
        click.option(
            "--preview",
            metavar="FILE",
            type=click.Path(),
            callback=page_file,
            help="A page (.html) that shows the drawing while it is drawn; open it in a browser.",
        ),
        click.option("--gif", metavar="FILE", type=click.Path(), help="Also an animation of the steps (.gif)."),
    ),
)


@click.command()
@click.argument("text", metavar="TEXT", required=False)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The drawing: .svg, .png, .jpg or .webp.",
)
@settings_options
@click.option("--negative", metavar="TEXT", help="What the drawing is not to show.")
@files_options
@click.option("--resume", is_flag=True, help="Go on with a drawing that was stopped; give the same options as before.")
@model_option
@json_option
def draw(
    text: str | None,
    output: Path,
    settings: Settings,
    negative: str | None,
    files: Files,
    resume: bool,
    model: str | None,
    as_json: bool,
) -> int:
    """Draw what a text says, with strokes, shapes or pixels (needs torch, and minutes).

    A drawing begins at random; each step moves it to where the model finds it nearer to the text. Several texts stand between
    |, each with its weight behind a colon: "a red apple | on a table:0.5".
    """
    files.check(output, settings.mode)
    subject = files.subject(text, negative)
    opened = open_model(model, engine="torch")
    began, title = time.monotonic(), text or output.stem
    drawing = _drawn(opened, subject, settings, output, files, title, resume=resume, quiet=as_json)
    seconds = time.monotonic() - began
    _write(drawing, output, title, files.gif)
    if as_json:
        echo_json(_json(drawing, text, output, settings, files, opened, seconds))
    else:
        first, last = drawing.similarity[0], drawing.similarity[-1]
        click.echo(_("cosine {first:.3f} -> {last:.3f} in {seconds:.0f} s").format(first=first, last=last, seconds=seconds))
    _advise(drawing)
    return 0


def _advise(drawing: "Drawing") -> None:
    """A note where more steps would help."""
    nearer = drawing.similarity[-1] - drawing.similarity[0]
    if nearer < HARDLY_NEARER:
        echo_note(
            _("the drawing is hardly nearer than it began; try more steps (--steps, now {steps}) or another --seed").format(
                steps=drawing.steps
            )
        )
    elif drawing.steps < FEW_STEPS:
        note = ngettext(
            "{steps} step is few; more (--steps) bring the drawing nearer",
            "{steps} steps are few; more (--steps) bring the drawing nearer",
            drawing.steps,
        )
        echo_note(note.format(steps=drawing.steps))


def _set_aside(state: Path) -> None:
    """Keeps the state of a drawing that was stopped, which a new one of the same name would write over."""
    if not state.exists():
        return
    kept = state.with_name(state.name + SET_ASIDE)
    os.replace(state, kept)
    echo_note(
        _("begins anew; the drawing that was stopped is kept: rename {kept} to {file}, and --resume goes on with it").format(
            kept=short(str(kept)), file=state.name
        )
    )


def _drawn(
    model: "Model",
    subject: "Subject",
    settings: Settings,
    output: Path,
    files: Files,
    title: str,
    *,
    resume: bool,
    quiet: bool,
) -> "Drawing":
    """Draws, shows how far it is, and says how to go on where it is stopped."""
    from seesay.generation.drawing.drawing import draw as drawn

    state, similarity = output.with_name(output.name + STATE), 0.0
    if not resume:
        _set_aside(state)

    def watch(drawing: "Drawing") -> None:
        nonlocal similarity
        similarity = drawing.similarity[-1]
        if files.preview is not None:
            _preview(drawing, files.preview, title)

    def described() -> str:
        return _("Drawing, cosine {cosine:.3f}").format(cosine=similarity)

    with progress_bar(described, quiet=quiet, first=_("Drawing"), estimated=True) as progress:
        try:
            return drawn(
                model,
                subject,
                settings,
                state=state,
                resume=resume,
                frames=files.gif is not None,
                watch=watch,
                progress=progress,
            )
        except KeyboardInterrupt:
            if state.exists():
                echo_note(_("{file} keeps what is done so far; --resume goes on with it").format(file=short(str(state))))
            else:
                echo_note(_("stopped before the first step, so nothing is kept"))
            raise


def _preview(drawing: "Drawing", file: str, title: str) -> None:
    from seesay.render.drawing_page import write_drawing_page

    write_drawing_page(file, drawing.image(2), drawing.similarity, drawing.step, drawing.steps, title=title)


def _write(drawing: "Drawing", output: Path, title: str, gif: str | None) -> None:
    if output.suffix.lower() == ".svg":
        write_atomically(output, drawing.svg(title).encode("utf-8", "replace"))
        echo_wrote(output)
    else:
        write_drawing(drawing.image(SCALE if drawing.has_paths else 1), output)
    if gif is not None:
        from seesay.render.animation import write_gif

        write_gif(drawing.frames, Path(gif))
        echo_wrote(gif)


def _json(
    drawing: "Drawing",
    text: str | None,
    output: Path,
    settings: Settings,
    files: Files,
    model: "Model",
    seconds: float,
) -> dict[str, object]:
    return {
        "path": str(output),
        "text": text,
        "mode": settings.mode,
        "strokes": settings.strokes if drawing.has_paths else None,
        "steps": settings.steps,
        "seed": settings.seed,
        "similarity": [round(cosine, 6) for cosine in drawing.similarity],
        "seconds": round(seconds, 1),
        "model": model.name,
        "space_id": model.space_id,
        "preview": files.preview,
        "gif": files.gif,
    }
