"""The calls of other packages on SeeSay's models: `compat.clip`, `compat.open_clip`, `compat.hf`. Needs the extra `torch`.

Code written for those packages runs with its imports changed. Models are torch modules and return tensors, with gradients.
Images are preprocessed as everywhere in SeeSay: auto-rotated by their EXIF orientation, which the originals leave out.
"""

from importlib.util import find_spec

from seesay.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra("seesay.compat", "torch")
