"""Pictures that the library has more than once, for whoever decides which of them stay."""

from dataclasses import dataclass

from seesay.library import Library
from seesay.library.duplicates import Copy
from seesay.serving.photos.folders import Folders
from seesay.serving.photos.latest import Latest, version
from seesay.serving.photos.photos import Photos, folders
from seesay.serving.schemas.answers import CopyFacts, CopyGroup
from seesay.system.paths import printable


@dataclass
class Copies:
    """paths: whether whoever asks is on this machine, and may be told where files lie."""

    photos: Photos
    paths: bool

    def __post_init__(self) -> None:
        self._latest = Latest(lambda _: self._found(), "seesay-copies")

    def get(self, library: Library) -> tuple[list[CopyGroup] | None, bool]:
        """The groups, the largest first; None before they are found. And whether they are being looked for."""
        return self._latest.get("", version(library))

    def close(self) -> None:
        self._latest.close()

    def _found(self) -> list[CopyGroup]:
        with Library(self.photos.path, self.photos.model) as library:
            groups, names = library.duplicates(progress=self._compared), folders(library)
        return [CopyGroup(files=[self._facts(copy, names) for copy in (group.keeper, *group.others)]) for group in groups]

    def _facts(self, copy: Copy, names: Folders) -> CopyFacts:
        folder, name = names.shown(copy.path)
        return CopyFacts(
            id=copy.id,
            folder=folder,
            name=name,
            path=printable(copy.path) if self.paths else None,
            width=copy.width,
            height=copy.height,
            bytes=copy.size,
            taken_at=copy.taken_at,
            identical=copy.identical,
            cosine=copy.cosine,
            distance=copy.distance,
        )

    def _compared(self, done: int, total: int) -> None:
        self._latest.go_on()
