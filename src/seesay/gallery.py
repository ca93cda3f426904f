"""A page of pictures found: one self-contained HTML file with small copies inside, to look at or to send on."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import InputError
from seesay.images.thumbnail import thumbnail_url
from seesay.library.duplicates import Copy, Group
from seesay.library.hits import Hit
from seesay.paths import printable


@dataclass(frozen=True)
class Found:
    """A search and its hits. `query`: in words; `image`: the picture searched with."""

    query: str
    hits: Sequence[Hit]
    image: str | None = None


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
    body = "".join(map(_section, sections)) or "<p>Nothing found.</p>"
    path = Path(file).absolute()
    page = PAGE.replace("{title}", _text(title)).replace("{body}", body)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"cannot write the page to {printable(path)}: {error.strerror or error}") from None
    return path


def _section(section: Found | Classified | Alike) -> str:
    if isinstance(section, Alike):
        return _alike(section.group)
    return _found(section) if isinstance(section, Found) else _classified(section)


def _alike(group: Group) -> str:
    others = "".join(_copy(copy, "", " · same bytes" if copy.identical else "") for copy in group.others)
    return f'<section><div class="grid">{_copy(group.keeper, "keep", "")}{others}</div></section>'


def _copy(copy: Copy, word: str, note: str) -> str:
    name = _text(Path(copy.path).name)
    return (
        f'<figure class="{word}"><a href="{html.escape(Path(copy.path).as_uri())}">'
        f'<img loading="lazy" src="{thumbnail_url(copy.path)}" alt="{name}"></a><figcaption>'
        f'<b>{word}</b> <span title="{_text(copy.path)}">{name}</span>'
        f"<small>{copy.width} × {copy.height} · {copy.size / 1e6:.2f} MB{note}</small></figcaption></figure>"
    )


def _found(section: Found) -> str:
    heading = _text(section.query)
    if section.image is not None:
        name = f"like {_text(Path(section.image).name)}"
        heading = (
            f'<img class="query" src="{thumbnail_url(section.image)}" alt=""> {f"{heading} + {name}" if heading else name}'
        )
    if not section.hits:
        return f"<section><h2>{heading}</h2><p>Nothing found.</p></section>"
    cards = "".join(_text_card(hit) if hit.text is not None else _card(hit) for hit in section.hits)
    return f'<section><h2>{heading}</h2><div class="grid">{cards}</div></section>'


def _card(hit: Hit) -> str:
    picture = (
        f'<img loading="lazy" src="{thumbnail_url(hit.path)}" alt="{_text(hit.name)}">'
        if hit.available
        else "<div>not there now</div>"
    )
    facts = " · ".join(filter(None, (hit.size, (hit.taken_at or "")[:10])))
    return (
        f'<figure><a href="{html.escape(Path(hit.path).as_uri())}">{picture}</a>'
        f'<figcaption><b>{hit.score:.3f}</b> <span title="{_text(hit.path)}">{_text(hit.name)}</span><small>{facts}</small>'
        f"</figcaption></figure>"
    )


def _text_card(hit: Hit) -> str:
    where = f"{_text(hit.name)}, line {hit.line}"
    caption = f"<figcaption><b>{hit.score:.3f}</b> {where}</figcaption>"
    return f"<figure><blockquote>{_text(hit.text or '')}</blockquote>{caption}</figure>"


def _classified(section: Classified) -> str:
    ranked = sorted(section.probabilities.items(), key=lambda pair: -pair[1])[:8]
    bars = "".join(
        f'<div class="bar"><span>{_text(label)}</span><meter min="0" max="1" value="{p:.4f}"></meter><b>{p:.1%}</b></div>'
        for label, p in ranked
    )
    name = _text(Path(section.path).name)
    return (
        f'<section><h2>What is it? {name}</h2><div class="what"><img src="{thumbnail_url(section.path)}" alt="{name}">'
        f"<div>{bars}</div></div></section>"
    )


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
figure { margin: 0; border: 1px solid var(--edge); border-radius: 12px; overflow: hidden;
  display: flex; flex-direction: column; }
figure img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover; }
section + section > .grid { border-top: 1px solid var(--edge); padding-top: .9rem; margin-top: .9rem; }
.keep { outline: 2px solid #2a9d5c; }
figcaption { padding: .5rem .7rem; display: grid; grid-template-columns: auto 1fr; column-gap: .6rem; }
figcaption span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
figcaption b:empty { display: none; } figcaption b:empty + span { grid-column: 1 / -1; }
figcaption small { grid-column: 1 / -1; opacity: .65; } figcaption b { font-variant-numeric: tabular-nums; }
blockquote { margin: 0; padding: 1rem; flex: 1; }
.what { display: grid; grid-template-columns: minmax(180px, 320px) 1fr; gap: 1.2rem; align-items: start; }
.what img { width: 100%; border-radius: 12px; }
.bar { display: grid; grid-template-columns: 11rem 1fr 4rem; gap: .6rem; align-items: center; } .bar meter { width: 100%; }
.bar b { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 600px) { .what { grid-template-columns: 1fr; } .bar { grid-template-columns: 7rem 1fr 3.6rem; } }
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
