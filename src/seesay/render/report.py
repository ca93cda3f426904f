"""Reports of `evaluation` and of training, written as Markdown and as a page with plots and examples."""

from pathlib import Path

from seesay.evaluation.report import ROWS_SHOWN, Report
from seesay.images.thumbnail import thumbnail_url
from seesay.render.page import write_page
from seesay.render.plots import draw_plot
from seesay.system.paths import is_url, printable

THUMBNAIL_PX = 200


def to_markdown(report: Report) -> str:
    """Title, facts and every table in full."""
    parts = [f"# {_cell(report.title)}", "\n".join(f"- {_cell(fact)}" for fact in report.facts)]
    for table in report.tables:
        if not table.rows:
            continue
        lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in (table.columns, *table.rows)]
        lines.insert(1, "|---|" + "--:|" * (len(table.columns) - 1))
        parts.append(f"## {_cell(table.title)}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def write_html(file: Path, report: Report) -> None:
    """Writes one self-contained page. Raises InputError if it cannot be written, MissingExtra for plots without matplotlib."""
    values = {"report": report, "rows_shown": ROWS_SHOWN, "draw": draw_plot, "small": _thumbnail, "name": _name}
    write_page(file, "report.html", "page", title=Path(report.title).name, **values)


def _thumbnail(item: str | Path) -> str:
    """A data: URL; "" for a picture that cannot be read any more, or is a URL: a page is made without the network."""
    return "" if is_url(item) else thumbnail_url(item, THUMBNAIL_PX)


def _name(item: str | Path) -> str:
    return Path(item).name


def _cell(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
