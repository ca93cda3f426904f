"""A gallery: search results, classifications or duplicates as one self-contained HTML page with thumbnails."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.images.thumbnail import thumbnail_url
from seesay.library.duplicates import Copy, Group
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.search.result import Hit
from seesay.render import page as pages

MOST_VALUES = 12  # of a facet; the rarest beyond them share one
OTHERS = "others"


@dataclass(frozen=True)
class SearchSection:
    """A search and its hits. query: its words; image: the picture searched with; why: shown if there are no hits."""

    query: str
    hits: Sequence[Hit]
    image: str | None = None
    filters: Filters = EVERYTHING
    why: str = "nothing found"


@dataclass(frozen=True)
class ClassificationSection:
    """A picture and the probability of each label."""

    path: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class DuplicatesSection:
    """A group of duplicates."""

    group: Group


Section = SearchSection | ClassificationSection | DuplicatesSection


def write_page(file: str | Path, sections: Sequence[Section], *, title: str = "SeeSay") -> Path:
    """Writes the page and returns its absolute path. Missing folders are made. Raises InputError if it cannot be written."""
    values = [_section(section, number) for number, section in enumerate(sections)]
    return pages.write_page(file, "gallery.html", "page", title=title, sections=values)


def _section(section: Section, number: int) -> dict[str, object]:
    """The values that the template takes."""
    match section:
        case DuplicatesSection():
            return _duplicates(section.group)
        case SearchSection():
            return _search(section, number)
        case ClassificationSection():
            return _classification(section)


def _duplicates(group: Group) -> dict[str, object]:
    folders = _distinct_ends(str(Path(copy.path).parent) for copy in (group.keeper, *group.others))
    copies = [_copy(group.keeper, folders, "keep", "")]
    for copy in group.others:
        likeness = "same bytes" if copy.identical else f"{64 - copy.distance} of 64 bits, cosine {copy.cosine:.2f}"
        copies.append(_copy(copy, folders, "", likeness))
    return {"kind": "alike", "copies": copies}


def _copy(copy: Copy, folders: Mapping[str, str], word: str, likeness: str) -> dict[str, object]:
    size = f"{copy.size / 1e6:.2f} MB" if copy.size >= 1e6 else f"{max(1, round(copy.size / 1e3))} kB"
    return {
        "word": word,
        "picture": _picture(copy.path),
        "path": copy.path,
        "name": Path(copy.path).name,
        "folder": folders[str(Path(copy.path).parent)],
        "facts": [fact for fact in (f"{copy.width} × {copy.height}", size, likeness) if fact],
    }


def _picture(path: str, *, available: bool = True) -> dict[str, str | None]:
    """url: of the file, None if it is unavailable. small: a thumbnail, "" if it cannot be read."""
    if not (available and Path(path).exists()):
        return {"url": None}
    return {"url": Path(path).as_uri(), "small": thumbnail_url(path), "name": Path(path).name}


def _distinct_ends(folders: Iterable[str]) -> dict[str, str]:
    """Each folder with the shortest end of its path that no other folder has."""
    parts = {folder: Path(folder).parts for folder in folders}
    ends = Counter(each[at:] for each in parts.values() for at in range(len(each)))
    return {
        folder: str(Path(*next((each[at:] for at in reversed(range(len(each))) if ends[each[at:]] == 1), each)))
        for folder, each in parts.items()
    }


def _search(section: SearchSection, number: int) -> dict[str, object]:
    like = None if section.image is None else f"like {Path(section.image).name}"
    facets = _facets(section.hits)
    cards = [
        {
            "hit": hit,
            "marks": " ".join(f"f{at}v{facet.values.index(facet.of_hits[row])}" for at, facet in enumerate(facets)),
            "picture": None if hit.text is not None else _picture(hit.path, available=hit.available),
            "facts": [
                fact for fact in ("by its name" if hit.named else "", hit.size, (hit.taken_at or "")[:10], *hit.tags) if fact
            ],
        }
        for row, hit in enumerate(section.hits)
    ]
    first = sum(hit.likely is not False for hit in section.hits)
    return {
        "kind": "found",
        "heading": " + ".join(filter(None, (section.query, like))),
        "small": None if section.image is None else thumbnail_url(section.image),
        "filters": list(_described(section.filters)),
        "facets": [_choices(facet, f"s{number}f{at}", f"f{at}") for at, facet in enumerate(facets)],
        "likely": cards[:first],
        "rest": cards[first:],
        "why": section.why[:1].upper() + section.why[1:],
    }


def _described(filters: Filters) -> Iterator[str]:
    if filters.under is not None:
        yield f"below {filters.under}"
    for name in ("after", "before", "camera", "orientation"):
        if (value := getattr(filters, name)) is not None:
            yield f"{name} {value}" if name != "orientation" else value
    if filters.place is not None:
        yield "in the box " + ", ".join(f"{side:g}" for side in filters.place)
    if filters.min_px is not None:
        yield f"at least {filters.min_px} pixels"
    for tag in filters.tags:
        yield f"tagged {tag}"
    if filters.min_score is not None:
        yield f"score at least {filters.min_score:g}"


@dataclass(frozen=True)
class _Facet:
    """A property by which hits can be narrowed down, its value for each hit, and its distinct values."""

    name: str
    of_hits: list[str]
    values: list[str]


def _facets(hits: Sequence[Hit]) -> list[_Facet]:
    """Folder, year and camera, as far as the hits differ in them."""
    folders = [str(Path(hit.path).parent) for hit in hits]
    ends = _distinct_ends(folders)
    properties = {
        "Folder": [ends[folder] for folder in folders],
        "Year": [hit.taken_at[:4] if hit.taken_at else "unknown" for hit in hits],
        "Camera": [hit.camera or "unknown" for hit in hits],
    }
    facets = []
    for name, of_hits in properties.items():
        values = [value for value, _ in Counter(of_hits).most_common()]
        if len(values) > MOST_VALUES:
            frequent = values[: MOST_VALUES - 1]
            of_hits = [value if value in frequent else OTHERS for value in of_hits]
            values = [*sorted(frequent), OTHERS]
        else:
            values.sort()
        if len(values) > 1:
            facets.append(_Facet(name, of_hits, values))
    return facets


def _choices(facet: _Facet, name: str, mark: str) -> dict[str, object]:
    """Radio buttons of a facet; the page's style hides the cards of other values, without a script."""
    choices = [
        {"id": f"{name}v{at}", "mark": f"{mark}v{at}", "value": value, "count": facet.of_hits.count(value)}
        for at, value in enumerate(facet.values)
    ]
    return {"name": facet.name, "id": name, "choices": choices}


def _classification(section: ClassificationSection) -> dict[str, object]:
    ranked = sorted(section.probabilities.items(), key=lambda pair: -pair[1])[:8]
    return {"kind": "classified", "name": Path(section.path).name, "picture": _picture(section.path), "ranked": ranked}
