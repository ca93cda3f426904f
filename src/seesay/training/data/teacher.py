"""A teacher's vectors of training samples, for distillation: from the model itself, or from files of its vectors."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from seesay.errors import InputError
from seesay.images.read import ImageInput
from seesay.model import Model, load
from seesay.system.paths import printable
from seesay.training.data.embedding_files import embedding_files
from seesay.training.data.samples import Sample, SampleSource
from seesay.training.data.teacher_vectors import TeacherVectors, store_vectors
from seesay.training.recipe import Distillation, Recipe

CACHED = 1_000_000  # vectors kept in memory
SCALE = 100.0  # of a teacher in files, which do not have it: where CLIP's training ends (Radford et al. 2021)
NAMED = 3


class Teacher(Protocol):
    """dim: D, of its vectors. scale: the factor of its cosines."""

    @property
    def dim(self) -> int: ...

    @property
    def scale(self) -> float: ...

    def image(self, image: ImageInput, key: str) -> np.ndarray:
        """(D,) float32; `key` identifies the image. Raises UnreadableImage, InputError."""
        ...

    def text(self, text: str) -> np.ndarray:
        """(D,) float32. Raises InputError."""
        ...


class ModelTeacher:
    """Another model's vectors. Each sample is encoded alone, so that a resumed run gets the same bits."""

    def __init__(self, source: Path | str, scale: float | None) -> None:
        self.model: Model = load(source, decode="fast", threads=1)
        self.dim = self.model.dim
        self.scale = scale or self.model.scale
        self._images: dict[str, np.ndarray] = {}
        self._texts: dict[str, np.ndarray] = {}

    def image(self, image: ImageInput, key: str) -> np.ndarray:
        """See `Teacher`."""
        if key not in self._images:
            if len(self._images) >= CACHED:
                self._images.clear()
            self._images[key] = self.model.encode_image(image)[0]
        return self._images[key]

    def text(self, text: str) -> np.ndarray:
        """See `Teacher`."""
        if text not in self._texts:
            if len(self._texts) >= CACHED:
                self._texts.clear()
            self._texts[text] = self.model.encode_text(text)[0]
        return self._texts[text]


class Lacking(NamedTuple):
    """Samples without vectors of a teacher: the pairs there are, those without one of the picture, and of the text; names."""

    pairs: int
    pictures: int
    texts: int
    examples: tuple[str, ...]


class StoredTeacher:
    """Vectors from files. An augmented picture has the vector of the plain one."""

    def __init__(self, vectors: TeacherVectors, scale: float) -> None:
        self.vectors, self.dim, self.scale = vectors, vectors.dim, scale

    def image(self, image: ImageInput, key: str) -> np.ndarray:
        """See `Teacher`. An image that is no path or URL is looked up by its key."""
        row = self.vectors.row_of_picture(_place(image, key))
        if row is None:
            raise InputError("has no vector of the teacher for its picture")
        return self.vectors[row]

    def text(self, text: str) -> np.ndarray:
        """See `Teacher`."""
        row = self.vectors.row_of_text(text)
        if row is None:
            raise InputError("has no vector of the teacher for its text")
        return self.vectors[row]

    def lacking(self, source: SampleSource) -> Lacking | None:
        """The samples without a vector; None where there are none. Raises InputError for a path that ends two pictures'."""
        pairs = pictures = texts = 0
        names: dict[bool, dict[str, None]] = {True: {}, False: {}}  # of pictures, and of texts
        owners: dict[int, str] = {}
        for sample in source.once():
            if not isinstance(sample, Sample):
                continue
            pairs += 1
            place = _place(sample.image, sample.image_id)
            row = self.vectors.row_of_picture(place)
            if row is None:
                pictures += 1
                names[True][sample.name] = None
            elif owners.setdefault(row, place) != place:
                raise InputError(
                    f"loss.distillation: a path in the teacher's files is the end of both {printable(owners[row])} and "
                    f"{printable(place)}. Embed from a folder above both, so that the paths tell them apart"
                )
            if self.vectors.row_of_text(sample.text) is None:
                texts += 1
                names[False][repr(sample.text)] = None
        examples = tuple(name for named in names.values() for name in list(named)[:NAMED])
        return Lacking(pairs, pictures, texts, examples) if pictures or texts else None


def open_teacher(
    config: Distillation, recipe: Recipe, source: SampleSource, note: Callable[[str], None]
) -> ModelTeacher | StoredTeacher:
    """The teacher of a recipe. `note` is called with what lacks vectors and is skipped. Raises InputError, ModelError."""
    if config.teacher is not None:
        return ModelTeacher(recipe.model_source(config.teacher), config.scale)
    files = embedding_files(Path(recipe.root), config.embeddings, "loss.distillation.embeddings")
    vectors = store_vectors(files, config.embeddings_root, recipe.folder / "teacher")
    teacher = StoredTeacher(vectors, config.scale or SCALE)
    lacking = teacher.lacking(source) if recipe.data.listed else None  # of others it shows when they are drawn
    if lacking is not None and config.missing == "refuse":
        shown = ", ".join(printable(file.name) for file in files[:NAMED])
        raise InputError(
            f"loss.distillation: of {lacking.pairs} samples {lacking.pictures} have no vector of their picture and "
            f"{lacking.texts} none of their text in {shown}, such as {', '.join(lacking.examples)}. "
            f"The pictures' paths there are like {', '.join(vectors.example_paths) or 'none'}. "
            "Embed what is missing and add the file; set embeddings_root to the folder that absolute paths there begin with; "
            'or missing = "skip"'
        )
    if lacking is not None:
        note(
            f"of {lacking.pairs} samples {lacking.pictures} have no vector of the teacher for their picture and "
            f"{lacking.texts} none for their text, such as {', '.join(lacking.examples)}; they are skipped"
        )
    return teacher


def _place(image: ImageInput, key: str) -> str:
    return str(image) if isinstance(image, str | Path) else key
