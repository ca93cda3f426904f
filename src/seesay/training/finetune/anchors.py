"""What a fine-tuning shall not forget: pictures with the vectors that the model gives them before."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.datasets import read_labels
from seesay.evaluation.features import picture_features
from seesay.library.indexing.crawl import Crawl
from seesay.library.strangers import stranger_pictures
from seesay.model import Model
from seesay.system.files import atomic_write, read_arrays, write_npz
from seesay.system.paths import absolute, is_url, printable
from seesay.system.tables import picture_of, picture_rows
from seesay.training.finetune.settings import FineTuning
from seesay.training.finetune.tables import Tables

if TYPE_CHECKING:
    from seesay.training.run.observer import Observer

ANCHORING, MEASURING = slice(0, None, 2), slice(1, None, 2)  # of the everyday pictures: none shows what it helped to keep
MOST_OTHERS = 2000  # pictures, of which more would teach little and cost an hour of encoding


def write_anchors(settings: FineTuning, tables: Tables, model: Model, observer: "Observer") -> Path:
    """Writes a file of `loss.anchors` into the folder of a fine-tuning: half of its rows are of pictures that train, half of
    other ones: the user's `others`, or everyday ones that come with SeeSay. `model` is the one that it begins from.

    Raises InputError, also where a file of other pictures is there already.
    """
    file = settings.out / "data" / "anchors.npz"
    others = _everyday(file.parent / "everyday") if settings.others is None else _others(settings.others, settings.seed)
    own = [str(image) for image in read_labels(tables.train, names=tables.names).images]
    paths: list[str] = []
    vectors: list[np.ndarray] = []
    advance = observer.on_phase("anchors", len(own) + len(others))
    for part, times in zip((own, others), _times(len(own), len(others)), strict=True):
        shown = 0

        def step(_: str, done: int, total: int) -> None:
            nonlocal shown
            advance(done - shown)
            shown = done

        features = picture_features(model, part, progress=step)
        advance(len(part) - shown)  # those that were cached
        readable = [part[i] for i in features.readable.tolist()]
        paths += readable * times
        vectors += [features.vectors] * times
    stored = read_arrays(file)
    if stored is not None and stored["path"].tolist() != paths:
        raise InputError(f"{printable(file)} is of other pictures. Name another folder with --out, or remove this one")
    arrays = {"path": np.array(paths), "text": np.full(len(paths), "", dtype=np.str_), "vectors": np.concatenate(vectors)}
    with atomic_write(file) as draft:
        write_npz(draft, arrays)
    return file


def _times(own: int, others: int) -> tuple[int, int]:
    """How often each part is repeated, so that both are about as many."""
    return max(1, round(others / own)), max(1, round(own / others))


def _everyday(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, picture in enumerate(stranger_pictures()[ANCHORING]):
        file = folder / f"{number:03}.png"
        if not file.is_file():
            with atomic_write(file) as draft:
                picture.save(draft, format="PNG")
        paths.append(absolute(file))
    return paths


def _others(source: Path, seed: int) -> list[str]:
    """Pictures of a folder, at any depth, or of a table; of more than `MOST_OTHERS` a draw by the seed."""
    if source.is_dir():
        paths = [absolute(source / file.path) for file in Crawl(str(source))]
    else:
        pictures = (str(picture_of(source, str(row["image"]))) for row in picture_rows(source))
        paths = [*dict.fromkeys(picture if is_url(picture) else absolute(picture) for picture in pictures)]
    if not paths:
        raise InputError(f"{printable(source)}: expected a folder or a table of pictures, got none")
    if len(paths) <= MOST_OTHERS:
        return paths
    drawn = np.random.default_rng(seed).permutation(len(paths))[:MOST_OTHERS]
    return [paths[i] for i in sorted(drawn.tolist())]
