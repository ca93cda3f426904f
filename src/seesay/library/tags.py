"""Tags of a library's pictures: given by hand, or by rule to the pictures that a label, or a gallery's name, fits.

A tag belongs to a picture's content: copies and renamed files have it too, and one given by hand stays with an edited file.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import EVERYTHING, Filters, tag_key, tag_name
from seesay.library.session import Session
from seesay.library.storage.reads import no_pictures
from seesay.library.storage.rows import Selection
from seesay.library.vectors.view import Vectors
from seesay.system.paths import absolute
from seesay.tasks.few_shot import LIBRARY_FALSE_ACCEPTS, Calibration, Gallery, identify
from seesay.tasks.labels import Label, LabelLike, as_labels
from seesay.tasks.prompts import Templates
from seesay.tasks.zero_shot import Classifier

if TYPE_CHECKING:
    from seesay.system.progress import Progress

CHUNK = 4096
LONGEST = 100


@dataclass(frozen=True)
class Tagged:
    """A picture that a rule gives a tag, with the probability of the tag."""

    path: str
    probability: float


class Tags:
    """The tags of a library, as `Library.tags` offers them. session: opens one use of the library."""

    def __init__(self, session: Callable[[], AbstractContextManager[Session]]) -> None:
        self._session = session

    def counts(self) -> dict[str, int]:
        """Pictures by tag."""
        with self._session() as session:
            return session.store.tag_counts()

    def add(self, tag: str, *paths: str | os.PathLike[str]) -> int:
        """Tags files, and all pictures in folders, that the library holds.

        Returns how many pictures were not tagged so by hand before.
        """
        name = _checked(tag)
        with self._session() as session:
            return add_tag(session, name, paths)

    def remove(self, tag: str, *paths: str | os.PathLike[str]) -> int:
        """Removes a tag from files and folders; without any, from all pictures. Returns how many had it."""
        name = _checked(tag)
        with self._session() as session:
            return remove_tag(session, name, paths)

    def by_rule(
        self,
        labels: Sequence[LabelLike],
        *,
        least: float = 0.5,
        filters: Filters = EVERYTHING,
        templates: Templates = None,
        dry_run: bool = False,
    ) -> dict[str, list[Tagged]]:
        """Gives every picture that passes the filters the label that fits it best, if its probability is at least `least`.

        A label may have several names, the first of which is the tag. Probabilities are the model's own (a softmax, or each
        label's sigmoid) over the labels and "none of these", which fits a picture as well as its nearest neutral phrases do on
        average (`background.py`). Pictures that pass and have these tags by an earlier rule are judged again; tags by hand
        stay. dry_run: changes nothing. Returns the tagged pictures by label, the most probable first. Raises InputError.
        """
        with self._session() as session:
            return tag_by_rule(session, labels, least=least, filters=filters, templates=templates, dry_run=dry_run)

    def by_gallery(
        self,
        gallery: Gallery,
        calibrated: Calibration,
        *,
        false_accepts: float = LIBRARY_FALSE_ACCEPTS,
        filters: Filters = EVERYTHING,
        dry_run: bool = False,
        progress: "Progress | None" = None,
    ) -> dict[str, list[Tagged]]:
        """Gives every picture that passes the filters the name in a gallery that it is identified by, if there is one.

        The probability is 1 less the chance that something else scores as high. Pictures that pass and have these names by an
        earlier run are judged again; tags given by hand stay. dry_run, and what is returned: as for `by_rule`. gallery: of the
        library's space. Raises InputError.
        """
        with self._session() as session:
            return tag_by_gallery(
                session, gallery, calibrated, false_accepts=false_accepts, filters=filters, dry_run=dry_run, progress=progress
            )


def add_tag(session: Session, tag: str, paths: Sequence[str | os.PathLike[str]]) -> int:
    """As `Tags.add`. Raises InputError where no picture is indexed at a path."""
    with session.writing() as store, store.transaction():
        return store.put_tags((content, tag, None) for content in _pictures(session, paths))


def remove_tag(session: Session, tag: str, paths: Sequence[str | os.PathLike[str]]) -> int:
    """As `Tags.remove`. Raises InputError where no picture is indexed at a path."""
    with session.writing() as store, store.transaction():
        return store.remove_tag(tag, _pictures(session, paths)) if paths else store.remove_tag_everywhere(tag)


def tag_by_rule(
    session: Session, labels: Sequence[LabelLike], *, least: float, filters: Filters, templates: Templates, dry_run: bool
) -> dict[str, list[Tagged]]:
    """As `Tags.by_rule`."""
    spelled: dict[str, Label] = {}
    for label in as_labels(labels):
        spelled.setdefault(tag_key(label.name), Label(_checked(label.name), label.names))
    names = [label.name for label in spelled.values()]
    if not 0 < least <= 1:
        raise InputError(
            f"the least probability is more than 0 and at most 1, got {least}",
            parameter="least",
            expected="more than 0 and at most 1",
            got=least,
        )
    selection = _selection(session, filters)
    tags = [tag for tag in _likeliest(session, selection, list(spelled.values()), templates) if tag.probability >= least]
    return _tagged(session, selection, names, tags, dry_run=dry_run)


def tag_by_gallery(
    session: Session,
    gallery: Gallery,
    calibrated: Calibration,
    *,
    false_accepts: float,
    filters: Filters,
    dry_run: bool,
    progress: "Progress | None",
) -> dict[str, list[Tagged]]:
    """As `Tags.by_gallery`."""
    selection = _selection(session, filters)
    vectors = session.vectors("image")
    positions, contents = _members(vectors, selection)
    ids = vectors.ids[positions]
    tags = []
    for start in range(0, len(ids), CHUNK):
        chunk = slice(start, start + CHUNK)
        found = identify(gallery, vectors.rows(ids[chunk]), calibrated, false_accepts=false_accepts, most=1)
        for content, each in zip(contents[chunk], found, strict=True):
            if each.name is not None:
                tags.append(_Tag(content, each.name, 1 - each.chance))
        if progress is not None:
            progress(min(start + CHUNK, len(ids)), len(ids))
    return _tagged(session, selection, gallery.names, tags, dry_run=dry_run)


def _selection(session: Session, filters: Filters) -> Selection:
    """The pictures that pass. Raises NoLibrary, SpaceMismatch, InputError."""
    session.require_space()
    session.store.require_pictures(filters.folder)
    return session.store.select(filters, session.space, "image")


def _members(vectors: Vectors, selection: Selection) -> tuple[np.ndarray, list[int]]:
    """The positions of the selected ones among the vectors, and their contents."""
    positions = np.flatnonzero(np.isin(vectors.ids, selection.vectors, assume_unique=True))
    return positions, selection.contents[np.searchsorted(selection.vectors, vectors.ids[positions])].tolist()


def _tagged(
    session: Session, selection: Selection, names: Sequence[str], tags: list["_Tag"], *, dry_run: bool
) -> dict[str, list[Tagged]]:
    """Replaces what earlier rules gave the selected pictures of these names by `tags`, unless it is a dry run."""
    rows = [(tag.content, tag.name, round(tag.probability, 4)) for tag in sorted(tags, key=lambda tag: -tag.probability)]
    paths = session.store.shown_paths([content for content, _, _ in rows])
    if not dry_run:
        with session.writing() as store, store.transaction():
            for name in names:
                store.remove_rule_tag(name, selection.contents.tolist())
            store.put_tags(rows)
    return {name: [Tagged(paths[at], p) for at, own, p in rows if own == name and at in paths] for name in names}


class _Tag(NamedTuple):
    content: int
    name: str
    probability: float


def _likeliest(session: Session, selection: Selection, labels: list[Label], templates: Templates) -> list[_Tag]:
    """The likeliest label of each picture in the selection, in order of vector id; none where that is "none of these"."""
    model, vectors = session.model, session.vectors("image")
    classifier = Classifier.of(model, labels, templates)
    hubs = session.phrase_statistics(vectors).hubs
    positions, contents = _members(vectors, selection)
    ids, hubs = vectors.ids[positions], hubs[positions]
    tags = []
    for start in range(0, len(ids), CHUNK):
        chunk = slice(start, start + CHUNK)
        shares = classifier.probabilities(vectors.rows(ids[chunk]), rest=hubs[chunk])
        best, probabilities = shares.argmax(axis=1).tolist(), shares.max(axis=1).tolist()
        for content, label, probability in zip(contents[chunk], best, probabilities, strict=True):
            if label < len(labels):
                tags.append(_Tag(content, labels[label].name, probability))
    return tags


def _pictures(session: Session, paths: Sequence[str | os.PathLike[str]]) -> list[int]:
    """The contents at or below paths that are pictures. Raises InputError where a path has none."""
    contents: set[int] = set()
    for path in paths:
        under = session.store.pictures_under(absolute(path))
        if not under:
            raise no_pictures(absolute(path))
        contents.update(under)
    return sorted(contents)


def _checked(tag: str) -> str:
    """A tag as it is stored. Raises InputError where it is none."""
    name = tag_name(tag)
    if not name or len(name) > LONGEST or not name.isprintable():
        raise InputError(f"a tag is a word or a few, at most {LONGEST} letters, got {tag!r}")
    return name
