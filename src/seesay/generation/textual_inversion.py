"""Textual inversions: new words for a text encoder, learned as token embeddings (Gal and others 2022)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seesay.checkpoints.containers.weights import Weights, open_weights
from seesay.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.generation.encoder import PromptEncoder

UNNAMED = ("emb_params", "*")  # names of the one tensor in files of web interfaces
PAIR = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}  # of Stable Diffusion XL's
MOST = 75  # vectors, which fill a chunk


@dataclass(frozen=True)
class TextualInversion:
    """A word and its vectors (n, width) float32, by the encoder that they are for, "" where the file does not say."""

    name: str
    path: Path
    vectors: "dict[str, Tensor]"

    @property
    def count(self) -> int:
        """The number of vectors, each of which takes the place of a token."""
        return len(next(iter(self.vectors.values())))

    @property
    def facts(self) -> dict[str, Any]:
        """Its word, its file's name, and the number of its vectors."""
        return {"name": self.name, "file": self.path.name, "vectors": self.count}

    def add_to(self, encoders: "list[PromptEncoder]") -> None:
        """Adds the word to every encoder. Raises InputError where the vectors do not fit one."""
        chosen = [(encoder, self._fitting(encoder)) for encoder in encoders]
        for encoder, vectors in chosen:
            encoder.add(self.name, vectors)

    def _fitting(self, encoder: "PromptEncoder") -> "Tensor":
        named = self.vectors.get(encoder.name, self.vectors.get(""))
        widths = sorted({vectors.shape[1] for vectors in self.vectors.values()})
        if named is None or named.shape[1] != encoder.width:
            raise InputError(
                f"{self.path} was made for another generator: its vectors are {' and '.join(map(str, widths))} wide, and "
                f"{encoder.name} of {encoder.file.path} takes vectors {encoder.width} wide",
                parameter="embeddings",
                expected=str(encoder.width),
                got=widths,
            )
        return named


def read_inversion(path: str | Path, name: str | None = None) -> TextualInversion:
    """Reads a file of web interfaces (.pt with `string_to_param`, safetensors with `emb_params`, SDXL's `clip_l` and `clip_g`)
    or of diffusers (one tensor under its word).

    name: the word in prompts; by default the one in the file, else the file's name. Nothing in the file is executed. Raises
    CheckpointError.
    """
    path = Path(path)
    weights = open_weights(path)
    names = tuple(weights.names)
    if set(names) <= set(PAIR):
        vectors = {PAIR[each]: _vectors(path, weights, each) for each in names}
        word = path.stem
    elif len(names) == 1:
        vectors = {"": _vectors(path, weights, names[0])}
        word = _stated_name(weights) or path.stem if names[0] in UNNAMED else names[0]
    else:
        raise CheckpointError(
            f"{path} is no textual inversion: expected one tensor, or clip_l and clip_g, got {len(names)} tensors such as "
            f"{sorted(names)[0]}"
        )
    found = TextualInversion((name or word).strip(), path, vectors)
    counts = {len(each) for each in vectors.values()}
    if len(counts) > 1 or not 0 < found.count <= MOST or not found.name:
        raise CheckpointError(
            f"{path} is no textual inversion: expected 1 to {MOST} vectors for each encoder, got {sorted(counts)}"
        )
    return found


def _vectors(path: Path, weights: Weights, name: str) -> "Tensor":
    shape = weights.names[name].shape
    if len(shape) not in (1, 2):
        raise CheckpointError(f"{path} is no textual inversion: expected vectors (n, width), got a tensor {shape}")
    tensor = weights.read(name).float().reshape(-1, shape[-1])
    if not bool(tensor.isfinite().all()):
        raise CheckpointError(f"{path}: its vectors are not finite numbers; fetch it again")
    return tensor


def _stated_name(weights: Weights) -> str | None:
    return next((note.removeprefix("name ") for note in weights.notes if note.startswith("name ")), None)
