"""`TaughtNames`: the gallery beside the server's library, kept in memory until its file changes."""

import threading
from pathlib import Path

import numpy as np

from seesay.library.gallery import GalleryFile
from seesay.library.storage.schema import GALLERY
from seesay.library.strangers import stranger_vectors
from seesay.model import Model
from seesay.system.files import file_state
from seesay.tasks.few_shot import Calibration, Gallery, calibration

Taught = tuple[Gallery, Calibration]


class TaughtNames:
    """Names of a server. All methods block; several threads may call them. library: its folder."""

    def __init__(self, library: Path, model: Model) -> None:
        self.model = model
        self.file = GalleryFile(library / GALLERY, model.space_id, model.dim, model.name)
        self._lock = threading.Lock()
        self._strangers: np.ndarray | None = None
        self._kept: tuple[object, Taught] | None = None

    def taught(self) -> Taught:
        """The gallery, and the scores of strangers in it. Raises NoNames, GalleryError."""
        state = file_state(self.file.file)
        kept = self._kept
        if kept is None or kept[0] != state:
            gallery = self.file.read()
            kept = self._kept = state, (gallery, self.calibrated(gallery))
        return kept[1]

    def calibrated(self, gallery: Gallery) -> Calibration:
        """The scores of strangers in a gallery, such as one of examples in a request."""
        with self._lock:  # the strangers take seconds: whoever comes meanwhile waits for them
            if self._strangers is None:
                self._strangers = stranger_vectors(self.model)
        return calibration(gallery, self._strangers)
