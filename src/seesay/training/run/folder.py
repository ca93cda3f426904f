"""The folder of one run: whose it is, and who writes into it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seesay.errors import InputError
from seesay.system.files import lock_file, write_atomically
from seesay.system.paths import printable
from seesay.system.schema import to_json
from seesay.training.recipe import Recipe

# What a run depends on from its first step; the rest of a recipe may change when it is resumed, and counts from there.
FIXED = ("model", "data", "loss", "seed")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else writes into the run's folder meanwhile. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = lock_file(folder / ".lock", wait=False)
    except BlockingIOError:
        raise InputError(
            f"another process is training into {printable(folder)}; name another folder with --set out=FOLDER"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write into {printable(folder)}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def claim(recipe: Recipe, last_step: int | None, *, resume: bool) -> None:
    """The run's folder is new, or holds this very recipe's run, whose newest checkpoint is `last_step`. Raises InputError."""
    folder = recipe.folder
    if not resume and last_step is not None:
        raise InputError(
            f"{printable(folder)} holds a run that has come to step {last_step}. --resume goes on with it; "
            "--set out=FOLDER starts another"
        )
    file = folder / "recipe.json"
    if last_step is None or not file.is_file():
        return
    try:
        before, now = json.loads(file.read_text(encoding="utf-8")), to_json(recipe)
    except (OSError, ValueError) as error:
        raise InputError(f"{printable(file)} cannot be read: {error}; without it nobody knows whose run this is") from None
    changed = [key for key in FIXED if before.get(key) != now[key]]
    if changed:
        raise InputError(
            f"{printable(folder)} holds a run of another recipe: {', '.join(changed)} changed since. "
            "Take the recipe as it was, or start another run with --set out=FOLDER"
        )


def write_recipe(recipe: Recipe) -> None:
    """With every default, beside what it makes."""
    text = json.dumps(to_json(recipe), indent=1)  # in ASCII: a path need not be UTF-8
    write_atomically(recipe.folder / "recipe.json", text + "\n")
