"""`Subject`: what is drawn."""

import hashlib
from dataclasses import dataclass

from PIL import Image

from seesay.errors import InputError
from seesay.generation.drawing.prompts import Prompt


@dataclass(frozen=True)
class Subject:
    """What is drawn: texts, pictures that serve as texts do, a photo that is drawn after, what it is not to show, and a picture
    whose style it has. Raises InputError where nothing is to be drawn."""

    prompts: tuple[Prompt, ...] = ()
    negative: tuple[Prompt, ...] = ()
    pictures: tuple[Image.Image, ...] = ()
    photo: Image.Image | None = None
    style: Image.Image | None = None

    def __post_init__(self) -> None:
        if not (self.prompts or self.pictures or self.photo is not None):
            raise InputError("nothing is to be drawn; give a text, a picture that serves as one, or a photo to draw after")

    def digest(self) -> str:
        """Stands for all of it in the settings of a run that may go on."""
        sha = hashlib.sha256(repr((self.prompts, self.negative)).encode("utf-8", "surrogatepass"))
        for image in (*self.pictures, self.photo, self.style):
            sha.update(b"none" if image is None else repr(image.size).encode() + image.convert("RGB").tobytes())
        return sha.hexdigest()[:16]
