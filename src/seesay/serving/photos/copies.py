"""`Copies`: pictures that the library has more than once, found in the background and cached."""

from dataclasses import dataclass

from seesay.library import Library
from seesay.library.duplicates import Copy
from seesay.serving.photos.folders import Folders
from seesay.serving.photos.latest import Latest
from seesay.serving.photos.photos import Photos, folders
from seesay.serving.schemas.answers import CopyFacts, CopyGroup
from seesay.system.paths import printable


@dataclass
class Copies:
    """Groups of copies in the library. paths: whether answers name absolute paths, for clients on this machine."""

    photos: Photos
    paths: bool

    def __post_init__(self) -> None:
        self._latest = Latest(lambda _: self._groups(), "seesay-copies")

    def get(self, library: Library) -> tuple[list[CopyGroup] | None, bool]:
        """The groups, the largest first, None before the first time; and whether they are being searched for."""
        return self._latest.get("", library)

    def close(self) -> None:
        """Stops a search that is under way."""
        self._latest.close()

    def _groups(self) -> list[CopyGroup]:
        with Library(self.photos.path, self.photos.model) as library:
            groups, names = library.duplicates(progress=self._report), folders(library)
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

    def _report(self, done: int, total: int) -> None:
        self._latest.check_stopped()
