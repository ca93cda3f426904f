"""Other packages' calls on SeeSay's models: `compat.clip`, `compat.open_clip`, `compat.hf`. Needs the extra `torch`.

Code written for those packages runs with its imports changed. What comes back are torch modules and tensors, with gradients.
Pictures are preprocessed as everywhere in SeeSay: turned upright by their EXIF orientation, which the originals leave out.
"""

from importlib.util import find_spec

from seesay.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra("seesay.compat", "torch")
