"""Turns a query into vectors: its words, photos and earlier hits, one unit vector each, weighted and summed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.library.search.background import Form, form_of, search_spec
from seesay.library.search.query import Part
from seesay.library.search.relevance import WORD, Scale
from seesay.library.search.terms import Terms
from seesay.models.vectors import normalize
from seesay.system.paths import is_url
from seesay.tasks.phrasing import averaged, phrase, phrasings

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.library.session import Session
    from seesay.model import Model


class PartVectors(NamedTuple):
    """Vectors (D,) of a query's parts that the caller has already.

    photos: by the NAME in `photo:NAME`; unless None, a query opens no file and no URL. words: by the words, as `word_vectors`
    makes them.
    """

    photos: Mapping[str, np.ndarray] | None = None
    words: Mapping[str, np.ndarray] = MappingProxyType({})


class EncodedQuery(NamedTuple):
    """The vectors of a query, and how it is compared with a library's.

    form: of a query whose terms are all words, so that its cosines are corrected and its hits marked on `scale`; None for
    others. name: words that may be the name of a file or folder.
    """

    terms: Terms
    form: Form | None = None
    scale: Scale = WORD
    name: str | None = None


def encode_query(
    session: "Session", parts: Sequence[Part], image: "ImageInput | None" = None, vectors: PartVectors | None = None
) -> EncodedQuery:
    """A query's parts, `name:` aside, and an image beside them -> its vectors. Raises InputError, which points at the part."""
    terms = _terms(session, parts, image, PartVectors() if vectors is None else vectors)
    positive = image is not None or any(part.weight > 0 for part in parts)
    if not positive or image is not None or any(part.kind != "words" for part in parts):
        return EncodedQuery(terms)
    form, scale = form_of([phrase(part.value) for part in parts], negative=bool(terms.negative))
    return EncodedQuery(terms, form, scale, parts[0].value if len(parts) == 1 else None)


def encode_words(model: "Model", words: Iterable[str]) -> dict[str, np.ndarray]:
    """The vector (D,) that a search takes for each of these words or sentences, by them."""
    texts = word_texts(model, words)
    return word_vectors(texts, model.encode_text([text for some in texts.values() for text in some])) if texts else {}


def word_texts(model: "Model", words: Iterable[str]) -> dict[str, list[str]]:
    """The texts whose mean vector a search takes for each of these words or sentences, by them."""
    templates = search_spec(model).templates
    return {each: phrasings(each, templates) for each in words}


def word_vectors(texts: Mapping[str, Sequence[str]], rows: np.ndarray) -> dict[str, np.ndarray]:
    """The second half of `encode_words`: rows (M, D), unit vectors of all texts in their order -> (D,) by words."""
    return dict(zip(texts, averaged(rows, [len(some) for some in texts.values()]), strict=True))


def _terms(session: "Session", parts: Sequence[Part], image: "ImageInput | None", encoded: PartVectors) -> Terms:
    """The parts' vectors, and the image's with weight 1."""
    stored = [_stored_vector(session, part, encoded) for part in parts]
    missing = [part.value for part, vector in zip(parts, stored, strict=True) if vector is None and part.kind == "words"]
    words = encode_words(session.model, missing)
    vectors = [
        vector if vector is not None else words[part.value] if part.kind == "words" else _photo(session.model, part)
        for part, vector in zip(parts, stored, strict=True)
    ]
    weights = [part.weight for part in parts]
    if image is not None:
        vectors.append(session.model.encode_image([image])[0])
        weights.append(1.0)
    try:
        return Terms.weighted(vectors, weights)
    except InputError as fault:  # an image alone does not cancel out, so there are parts
        raise parts[-1].fault(str(fault)) from None


def _stored_vector(session: "Session", part: Part, encoded: PartVectors) -> np.ndarray | None:
    """The vector of a part that needs no model: a library's item, or one that the caller has. Raises InputError."""
    if part.kind == "words":
        return encoded.words.get(part.value)
    if part.kind == "photo" and encoded.photos is not None:
        if part.value not in encoded.photos:
            raise part.fault(f"photo:{part.value}: no picture of that name came with the query")
        return normalize(encoded.photos[part.value])
    if part.kind != "like":
        return None
    vector = session.store.vector(part.value, session.space)
    if vector is None:
        raise part.fault(f"like:{part.value}: the library has nothing with that id, seen by this model")
    return np.frombuffer(vector, "<f4")


def _photo(model: "Model", part: Part) -> np.ndarray:
    """The vector (D,) of the file or URL that a part names. Raises InputError that points at it."""
    try:
        vector: np.ndarray = model.encode_image([part.value if is_url(part.value) else os.path.expanduser(part.value)])[0]
    except InputError as fault:
        raise part.fault(str(fault)) from fault
    return vector
