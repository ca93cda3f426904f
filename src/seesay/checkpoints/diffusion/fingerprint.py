"""`Fingerprint`: hashes of a text tower's tensors, by which two files are seen to hold the same one."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from seesay.checkpoints.diffusion.text_encoder import TextEncoderFile
from seesay.checkpoints.shapes import Shapes
from seesay.system.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor


class Hashes(NamedTuple):
    """SHA-256 of one tensor's values: as they are, in float32; and rounded to float16 and to bfloat16.

    is_float16, is_bfloat16: rounding changed nothing.
    """

    exact: str
    float16: str
    bfloat16: str
    is_float16: bool
    is_bfloat16: bool


@dataclass(frozen=True)
class Fingerprint:
    """Hashes by native names of tensors. Where they were stored, as what, in which order and under which names is left out,
    and so are buffers such as `position_ids`."""

    tensors: dict[str, Hashes]

    @cached_property
    def digest(self) -> str:
        """16 hex digits for people: over the values rounded to float16, without the projection, which not every file has."""
        sha256 = hashlib.sha256()
        for name, hashes in sorted(self.tensors.items()):
            if not is_projection(name):
                sha256.update(f"{name} {hashes.float16}\n".encode())
        return sha256.hexdigest()[:16]


def fingerprint(encoder: TextEncoderFile, progress: Progress | None = None) -> Fingerprint:
    """Reads the text tower's tensors, one at a time, and nothing else of the file. progress: in bytes of float32."""
    shapes = text_shapes(encoder)
    total, done = 4 * sum(map(prod, shapes.values())), 0
    tensors = {}
    for name, shape in sorted(shapes.items()):
        tensors[name] = _hashes(encoder.checkpoint.read(name))
        done += 4 * prod(shape)
        if progress is not None:
            progress(done, total)
    return Fingerprint(tensors)


def text_shapes(encoder: TextEncoderFile) -> Shapes:
    """Shapes by native names of the tensors that the tower reads."""
    return {name: shape for name, shape in encoder.checkpoint.used_shapes.items() if name.startswith("text.")}


def is_projection(name: str) -> bool:
    """True for tensors after the pooling, of which generators have some and leave out others."""
    return name.startswith("text.projection.")


def _hashes(tensor: "Tensor") -> Hashes:
    half, brain = tensor.half(), tensor.bfloat16()
    bits = brain.view(half.dtype)  # numpy has no bfloat16
    return Hashes(
        _hash(tensor), _hash(half), _hash(bits), bool((half.float() == tensor).all()), bool((brain.float() == tensor).all())
    )


def _hash(tensor: "Tensor") -> str:
    return hashlib.sha256(tensor.contiguous().numpy().data).hexdigest()
