"""A page of pictures found: one self-contained HTML file with small copies inside, to look at or to send on."""

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import InputError
from seesay.images.thumbnail import thumbnail_url
from seesay.library.duplicates import Copy, Group
from seesay.library.filters import Filters
from seesay.library.hits import Hit
from seesay.library.ranking import EVERYTHING
from seesay.paths import printable

MOST_VALUES = 12  # of a facet; of more, the rarest are one
OTHERS = "others"
LESS_LIKELY = "Less likely from here"


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
    body = "".join(_section(section, number) for number, section in enumerate(sections)) or "<p>Nothing found.</p>"
    path = Path(file).absolute()
    page = PAGE.replace("{title}", _text(title)).replace("{body}", body)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"cannot write the page to {printable(path)}: {error.strerror or error}") from None
    return path


def _section(section: Found | Classified | Alike, number: int) -> str:
    if isinstance(section, Alike):
        return _alike(section.group)
    return _found(section, number) if isinstance(section, Found) else _classified(section)


def _alike(group: Group) -> str:
    folders = _told_apart(str(Path(copy.path).parent) for copy in (group.keeper, *group.others))
    copies = _copy(group.keeper, folders, "keep", "")
    for copy in group.others:
        likeness = "same bytes" if copy.identical else f"{64 - copy.distance} of 64 bits, cosine {copy.cosine:.2f}"
        copies += _copy(copy, folders, "", f" · {likeness}")
    return f'<section class="alike"><div class="grid">{copies}</div></section>'


def _copy(copy: Copy, folders: Mapping[str, str], word: str, note: str) -> str:
    name, folder = Path(copy.path).name, folders[str(Path(copy.path).parent)]
    size = f"{copy.size / 1e6:.2f} MB" if copy.size >= 1e6 else f"{max(1, round(copy.size / 1e3))} kB"
    return (
        f'<figure class="{word}">{_picture(copy.path)}<figcaption>'
        f'<b>{word}</b> <span title="{_text(copy.path)}">{_text(name)}</span><small>{_text(folder)}</small>'
        f"<small>{copy.width} × {copy.height} · {size}{note}</small></figcaption></figure>"
    )


def _picture(path: str, *, available: bool = True) -> str:
    """A small copy that leads to the file, or why there is none."""
    if not (available and Path(path).exists()):
        return "<div>not there now</div>"
    small = thumbnail_url(path)
    shown = f'<img loading="lazy" src="{small}" alt="{_text(Path(path).name)}">' if small else "<div>cannot be read now</div>"
    return f'<a href="{html.escape(Path(path).as_uri())}">{shown}</a>'


def _told_apart(folders: Iterable[str]) -> dict[str, str]:
    """Each with the end of its path that no other has."""
    parts = {folder: Path(folder).parts for folder in folders}
    ends = Counter(each[at:] for each in parts.values() for at in range(len(each)))
    return {
        folder: str(Path(*next((each[at:] for at in reversed(range(len(each))) if ends[each[at:]] == 1), each)))
        for folder, each in parts.items()
    }


def _found(section: Found, number: int) -> str:
    heading = _text(section.query)
    if section.image is not None:
        name = f"like {_text(Path(section.image).name)}"
        small = thumbnail_url(section.image)
        shown = f'<img class="query" src="{small}" alt=""> ' if small else ""
        heading = shown + (f"{heading} + {name}" if heading else name)
    said = _text(", ".join(_asked(section.filters)))
    head = f"<h2>{heading}</h2>" + (f"<p>{said}</p>" if said else "")
    if not section.hits:
        return f"<section>{head}<p>{_text(section.why[:1].upper() + section.why[1:])}.</p></section>"
    facets = _facets(section.hits)
    cards = []
    for at, hit in enumerate(section.hits):
        marks = " ".join(f"f{facet}v{values.index(told[at])}" for facet, (_, told, values) in enumerate(facets))
        cards.append(_text_card(hit) if hit.text is not None else _card(hit, marks))
    choices = "".join(_choice(f"s{number}f{facet}", name, told, values) for facet, (name, told, values) in enumerate(facets))
    rules = "".join(
        f"section:has(#s{number}f{facet}v{value}:checked) figure:not(.f{facet}v{value})" + "{display:none}"
        for facet, (_, _, values) in enumerate(facets)
        for value in range(len(values))
    )
    chooser = f'<style>{rules}</style><form class="facets">{choices}</form>' if facets else ""
    first = sum(hit.likely is not False for hit in section.hits)
    if first < len(section.hits):
        said = LESS_LIKELY if first else "Nothing here is likely to show it; the nearest all the same"
        cards.insert(first, f'<h3 class="less">{said}</h3>')
    return f'<section>{head}{chooser}<div class="grid">{"".join(cards)}</div></section>'


def _asked(filters: Filters) -> Iterator[str]:
    if filters.under is not None:
        yield f"below {printable(filters.under)}"
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


def _choice(name: str, shown: str, told: list[str], values: list[str]) -> str:
    """Buttons of which one is chosen; the page's style hides the cards that are not meant, without a script."""
    buttons = [f'<label><input type="radio" name="{name}" checked>all</label>']
    for at, value in enumerate(values):
        label = f"{_text(value)} <small>{told.count(value)}</small>"
        buttons.append(f'<label><input type="radio" name="{name}" id="{name}v{at}">{label}</label>')
    return f"<fieldset><legend>{shown}</legend>{''.join(buttons)}</fieldset>"


def _card(hit: Hit, marks: str) -> str:
    named = "by its name" if hit.named else ""
    facts = " · ".join(filter(None, (named, hit.size, (hit.taken_at or "")[:10], *map(_text, hit.tags))))
    return (
        f'<figure class="{marks}">{_picture(hit.path, available=hit.available)}'
        f'<figcaption>{_score(hit)} <span title="{_text(hit.path)}">{_text(hit.name)}</span><small>{facts}</small>'
        f"</figcaption></figure>"
    )


def _score(hit: Hit) -> str:
    """One number: how sure it is, or where nothing tells, the cosine."""
    if hit.relevance is not None:
        return f'<b title="cosine {hit.score:.3f}">{hit.relevance:.0%}</b>'
    return "" if hit.score is None else f"<b>{hit.score:.3f}</b>"


def _text_card(hit: Hit) -> str:
    where = f"{_text(hit.name)}, line {hit.line}"
    caption = f"<figcaption>{_score(hit)} {where}</figcaption>"
    return f"<figure><blockquote>{_text(hit.text or '')}</blockquote>{caption}</figure>"


def _classified(section: Classified) -> str:
    ranked = sorted(section.probabilities.items(), key=lambda pair: -pair[1])[:8]
    bars = "".join(
        f'<div class="bar"><span>{_text(label)}</span><meter min="0" max="1" value="{p:.4f}"></meter><b>{p:.1%}</b></div>'
        for label, p in ranked
    )
    name = _text(Path(section.path).name)
    return f'<section><h2>What is it? {name}</h2><div class="what">{_picture(section.path)}<div>{bars}</div></div></section>'


def _text(value: str) -> str:
    return html.escape(printable(value))


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root { color-scheme: light dark; --edge: color-mix(in srgb, CanvasText 14%, Canvas); }
body { font: 15px/1.45 system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  margin: 0 auto; max-width: 1180px; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.15rem; font-weight: 600; } h2 { font-size: 1.5rem; margin: 2rem 0 .8rem; }
.query { height: 3.2rem; border-radius: 8px; vertical-align: middle; margin-right: .6rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: .9rem; }
.less { grid-column: 1 / -1; margin: .8rem 0 0; font-size: 1rem; font-weight: 600; opacity: .75; }
figure { margin: 0; border: 1px solid var(--edge); border-radius: 12px; overflow: hidden;
  display: flex; flex-direction: column; }
figure img, figure div { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover; }
figure div, .what > div:first-child { display: grid; place-items: center; background: #8882;
  color: color-mix(in srgb, CanvasText 60%, Canvas); }
.what > div:first-child { border-radius: 12px; aspect-ratio: 4 / 3; }
figure a { text-decoration: none; }
.alike img { object-fit: contain; background: #8881; }
section + section > .grid { border-top: 1px solid var(--edge); padding-top: .9rem; margin-top: .9rem; }
.facets { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 0 0 1rem; }
fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; }
legend { float: left; padding: 0 .3rem 0 0; opacity: .65; } .facets small { opacity: .6; }
.facets label { border: 1px solid var(--edge); border-radius: 99px; padding: .05rem .7rem; cursor: pointer; }
.facets label:has(:checked) { background: CanvasText; color: Canvas; }
.facets label:has(:focus-visible) { outline: 2px solid Highlight; }
.facets input { position: absolute; opacity: 0; }
.keep { outline: 2px solid #2a9d5c; }
figcaption { padding: .5rem .7rem; display: grid; grid-template-columns: auto 1fr; column-gap: .6rem; }
figcaption span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
figcaption b:empty { display: none; } figcaption b:empty + span { grid-column: 1 / -1; }
figcaption small { grid-column: 1 / -1; opacity: .65; overflow-wrap: anywhere; }
figcaption b { font-variant-numeric: tabular-nums; }
blockquote { margin: 0; padding: 1rem; flex: 1; }
.what { display: grid; grid-template-columns: minmax(180px, 320px) 1fr; gap: 1.2rem; align-items: start; }
.what img { width: 100%; border-radius: 12px; }
.bar { display: grid; grid-template-columns: 11rem 1fr 4rem; gap: .6rem; align-items: center; } .bar meter { width: 100%; }
.bar b { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 600px) { .what { grid-template-columns: 1fr; } .bar { grid-template-columns: 7rem 1fr 3.6rem; } }
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
