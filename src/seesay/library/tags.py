"""Tags of a library's pictures: given by hand, or by rule to whatever looks like it.

A tag belongs to a picture's content: copies and renamed files have it too, and one given by hand stays with an edited file.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import Filters, tag_key, tag_name
from seesay.library.search.ranking import EVERYTHING
from seesay.system.paths import absolute
from seesay.tasks.prompts import Templates, label_embeddings

if TYPE_CHECKING:
    from seesay.library.library import Library

CHUNK = 4096
LONGEST = 100


@dataclass(frozen=True)
class Tagged:
    """A picture that a rule gives a tag, and how sure it is: 0 to 1."""

    path: str
    probability: float


class Tags:
    def __init__(self, library: "Library") -> None:
        self.library = library

    def counts(self) -> dict[str, int]:
        """Pictures by tag."""
        with self.library.reading() as store:
            return store.tags()

    def add(self, tag: str, *paths: str | os.PathLike[str]) -> int:
        """Tags files, and all pictures in folders, that the library holds. How many pictures have it now and had it not before,
        or had it by rule. Raises InputError where nothing is indexed at a path."""
        name = _name(tag)
        self.library.stats()  # NoLibrary, where there is none
        with self.library.writing() as store, store.transaction():
            return store.put_tags((content, name, None) for content in self._pictures(paths))

    def remove(self, tag: str, *paths: str | os.PathLike[str]) -> int:
        """Takes a tag from files and folders; without any, from all pictures. How many had it."""
        name = _name(tag)
        self.library.stats()
        with self.library.writing() as store, store.transaction():
            return store.remove_tag(name, self._pictures(paths)) if paths else store.remove_tag_everywhere(name)

    def by_rule(
        self,
        labels: Sequence[str],
        *,
        least: float = 0.5,
        filters: Filters = EVERYTHING,
        templates: Templates = None,
        dry_run: bool = False,
    ) -> dict[str, list[Tagged]]:
        """Gives every picture that passes the filters the label that fits it best, if its probability is at least `least`.

        Probabilities are the model's own (a softmax, or each label's sigmoid) over the labels and "none of these", which fits a
        picture as well as its nearest neutral phrases do on average (`background.py`). Of the pictures that pass, those to
        which an earlier rule gave these tags are judged anew; what was tagged by hand stays. dry_run: only says what it would
        do. Per label, the surest first.
        Raises InputError.
        """
        spelled: dict[str, str] = {}
        for label in labels:
            spelled.setdefault(tag_key(label), _name(label))
        names = list(spelled.values())
        if not names:
            raise InputError("expected at least one label")
        if not 0 < least <= 1:
            raise InputError(
                f"the least probability is more than 0 and at most 1, got {least}",
                parameter="least",
                expected="more than 0 and at most 1",
                got=least,
            )
        with self.library.reading() as store:
            space = self.library.space(store)
            store.pictures(filters.folder)  # InputError, where there is none to give a tag to
            passing = store.passing(filters, space, "image")
            ids, best, sure = self._judged(passing.vectors, names, templates)
            contents = passing.contents[np.searchsorted(passing.vectors, ids)]
            order = np.argsort(-sure, kind="stable")
            chosen = order[(best[order] < len(names)) & (sure[order] >= least)]
            given = [(int(contents[row]), names[best[row]], round(float(sure[row]), 4)) for row in chosen]
            paths = store.paths_of([content for content, _, _ in given])
        if not dry_run:
            with self.library.writing() as store, store.transaction():
                for name in names:
                    store.remove_rule(name, passing.contents.tolist())
                store.put_tags(given)
        return {name: [Tagged(paths[at], sure) for at, its, sure in given if its == name and at in paths] for name in names}

    def _judged(self, passing: np.ndarray, names: list[str], templates: Templates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the vectors that pass: ids (N,), the number of the likeliest label or, for none of these, how many there are, and
        its probability."""
        model = self.library.model
        texts = label_embeddings(model, names, templates)
        parts = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))]
        with self.library.reading() as store:
            space = self.library.space(store)
            vectors = self.library.vectors(store, space, "image")
            hubs, _ = self.library.measured(self.library.background(store, space, vectors), vectors)
            begin = 0
            for ids, rows in vectors.parts:
                for start in range(0, len(ids), CHUNK):
                    some, none = rows[start : start + CHUNK], hubs[begin + start : begin + start + CHUNK][: len(ids) - start]
                    shares = model.logits.probabilities(np.concatenate([some @ texts.T, none[:, None]], axis=1))
                    parts.append((ids[start : start + CHUNK], shares.argmax(axis=1), shares.max(axis=1)))
                begin += len(ids)
        ids, best, sure = (np.concatenate([part[i] for part in parts]) for i in range(3))
        kept = np.isin(ids, passing, assume_unique=True)
        return ids[kept], best[kept], sure[kept]

    def _pictures(self, paths: Sequence[str | os.PathLike[str]]) -> list[int]:
        """The contents at or below paths that are pictures."""
        with self.library.reading() as store:
            return sorted({content for path in paths for content in store.pictures(absolute(path)).tolist()})


def _name(tag: str) -> str:
    name = tag_name(tag)
    if not name or len(name) > LONGEST or not name.isprintable():
        raise InputError(f"a tag is a word or a few, at most {LONGEST} letters, got {tag!r}")
    return name
