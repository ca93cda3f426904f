"""SeeSay: one space for pictures and words.

    import seesay

    model = seesay.load()                      # the bundled model: offline, no torch
    photos = model.encode_image(["a.jpg", "b.jpg"])
    words = model.encode_text("a dog on grass")
    print(photos @ words.T)

Importing this package loads none of numpy, onnxruntime and torch; each public name arrives at its first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seesay._version import __version__

if TYPE_CHECKING:
    from seesay.compat.courses import CLIP
    from seesay.engines import Engine
    from seesay.errors import SeeSayError
    from seesay.generation.conditioner import condition
    from seesay.library import Filters, Hit, IndexReport, Library
    from seesay.model import Model, load
    from seesay.testing import fake_model

__all__ = [
    "CLIP",
    "Engine",
    "Filters",
    "Hit",
    "IndexReport",
    "Library",
    "Model",
    "SeeSayError",
    "__version__",
    "condition",
    "fake_model",
    "load",
]

_HOME = {
    "CLIP": "seesay.compat.courses",
    "Engine": "seesay.engines",
    "Filters": "seesay.library",
    "Hit": "seesay.library",
    "IndexReport": "seesay.library",
    "Library": "seesay.library",
    "Model": "seesay.model",
    "SeeSayError": "seesay.errors",
    "condition": "seesay.generation.conditioner",
    "fake_model": "seesay.testing",
    "load": "seesay.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'seesay' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
