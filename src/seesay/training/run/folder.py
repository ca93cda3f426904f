"""The folder of a run: its lock, and the recipe that it belongs to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seesay.errors import InputError
from seesay.system.files import lock_file, write_atomically
from seesay.system.paths import printable
from seesay.system.schema import from_json, to_json
from seesay.training.recipe import Recipe

# Parts of a recipe that may not change when a run is resumed. The rest may, and applies from then on.
FIXED = ("model", "data", "loss", "seed")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Locks the run's folder, so that no other process writes into it. Raises InputError."""
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
    """Checks that the run's folder is new, or holds a run of this recipe that shall be resumed.

    last_step: the step of its newest checkpoint, if any. Raises InputError.
    """
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
        before = to_json(from_json(Recipe, before, str(file)))  # with the defaults of keys that are newer than the run
    except (OSError, ValueError) as error:
        raise InputError(f"{printable(file)} cannot be read: {error}; without it nobody knows whose run this is") from None
    changed = [key for key in FIXED if before.get(key) != now[key]]
    if changed:
        raise InputError(
            f"{printable(folder)} holds a run of another recipe: {', '.join(changed)} changed since. "
            "Take the recipe as it was, or start another run with --set out=FOLDER"
        )


def write_recipe(recipe: Recipe) -> None:
    """Writes the recipe with every default as `recipe.json` into the run's folder. ASCII, since a path need not be UTF-8."""
    write_atomically(recipe.folder / "recipe.json", json.dumps(to_json(recipe), indent=1) + "\n")
