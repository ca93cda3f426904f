"""A page of pictures found: one self-contained HTML file with small copies inside, to look at or to send on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.images.thumbnail import thumbnail_url
from seesay.library.duplicates import Copy, Group
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.search.result import Hit
from seesay.render import page as pages

MOST_VALUES = 12  # of a facet; of more, the rarest are one
OTHERS = "others"


@dataclass(frozen=True)
class Found:
    """A search and its hits. `query`: in words; `image`: the picture searched with; `filters`: what else was asked for; `why`:
    what is said where there are no hits."""

    query: str
    hits: Sequence[Hit]
    image: str | None = None
    filters: Filters = EVERYTHING
    why: str = "nothing found"


@dataclass(frozen=True)
class Classified:
    """One picture and the probability of each label."""

    path: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Alike:
    """Pictures that are one."""

    group: Group


def write_page(file: str | Path, sections: Sequence[Found | Classified | Alike], *, title: str = "SeeSay") -> Path:
    """Writes the page and returns its absolute path. Missing folders are made. Raises InputError where it cannot be written."""
    filled = [_section(section, number) for number, section in enumerate(sections)]
    return pages.write_page(file, "gallery.html", "page", title=title, sections=filled)


def _section(section: Found | Classified | Alike, number: int) -> dict[str, object]:
    """As the template takes it."""
    if isinstance(section, Alike):
        return _alike(section.group)
    return _found(section, number) if isinstance(section, Found) else _classified(section)


def _alike(group: Group) -> dict[str, object]:
    folders = _told_apart(str(Path(copy.path).parent) for copy in (group.keeper, *group.others))
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
    """url: of the file, None where it is not there now. small: a copy, "" where it cannot be read."""
    if not (available and Path(path).exists()):
        return {"url": None}
    return {"url": Path(path).as_uri(), "small": thumbnail_url(path), "name": Path(path).name}


def _told_apart(folders: Iterable[str]) -> dict[str, str]:
    """Each with the end of its path that no other has."""
    parts = {folder: Path(folder).parts for folder in folders}
    ends = Counter(each[at:] for each in parts.values() for at in range(len(each)))
    return {
        folder: str(Path(*next((each[at:] for at in reversed(range(len(each))) if ends[each[at:]] == 1), each)))
        for folder, each in parts.items()
    }


def _found(section: Found, number: int) -> dict[str, object]:
    like = None if section.image is None else f"like {Path(section.image).name}"
    facets = _facets(section.hits)
    cards = [
        {
            "hit": hit,
            "marks": " ".join(f"f{at}v{values.index(told[row])}" for at, (_, told, values) in enumerate(facets)),
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
        "asked": list(_asked(section.filters)),
        "facets": [_facet(f"s{number}f{at}", f"f{at}", *facet) for at, facet in enumerate(facets)],
        "likely": cards[:first],
        "rest": cards[first:],
        "why": section.why[:1].upper() + section.why[1:],
    }


def _asked(filters: Filters) -> Iterator[str]:
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


Facet = tuple[str, list[str], list[str]]  # its name, what each hit says, and the values that there are


def _facets(hits: Sequence[Hit]) -> list[Facet]:
    """What the hits can be picked by: folder, year and camera, where they differ."""
    folders = [str(Path(hit.path).parent) for hit in hits]
    ends = _told_apart(folders)
    said = {
        "Folder": [ends[folder] for folder in folders],
        "Year": [hit.taken_at[:4] if hit.taken_at else "unknown" for hit in hits],
        "Camera": [hit.camera or "unknown" for hit in hits],
    }
    facets = []
    for name, told in said.items():
        values = [value for value, _ in Counter(told).most_common()]
        if len(values) > MOST_VALUES:
            kept = values[: MOST_VALUES - 1]
            told = [value if value in kept else OTHERS for value in told]
            values = [*sorted(kept), OTHERS]
        else:
            values.sort()
        if len(values) > 1:
            facets.append((name, told, values))
    return facets


def _facet(name: str, mark: str, shown: str, told: list[str], values: list[str]) -> dict[str, object]:
    """Buttons of which one is chosen; the page's style hides the cards that are not meant, without a script."""
    choices = [
        {"id": f"{name}v{at}", "mark": f"{mark}v{at}", "value": value, "count": told.count(value)}
        for at, value in enumerate(values)
    ]
    return {"name": shown, "id": name, "choices": choices}


def _classified(section: Classified) -> dict[str, object]:
    ranked = sorted(section.probabilities.items(), key=lambda pair: -pair[1])[:8]
    return {"kind": "classified", "name": Path(section.path).name, "picture": _picture(section.path), "ranked": ranked}
