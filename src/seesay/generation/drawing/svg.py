"""Writes layers of paths as an SVG picture."""

import html

from seesay.generation.drawing.paths import Paths

DIGITS = 2  # of points and widths, in pixels


def to_svg(layers: tuple[Paths, ...], size: int, title: str = "") -> str:
    """Layers of paths, the first one lowest, on white -> the text of an SVG file of size x size units.

    It shows what `raster.rasterise` shows: strokes with round ends, shapes filled by the even-odd rule, painted in order.
    """
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}" height="{size}">',
        *([f"<title>{_escaped(title)}</title>"] if title else []),
        f'<rect width="{size}" height="{size}" fill="#ffffff"/>',
    ]
    for paths in layers:
        common = 'fill-rule="evenodd"' if paths.closed else 'fill="none" stroke-linecap="round" stroke-linejoin="round"'
        lines += [f"<g {common}>", *_elements(paths), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _elements(paths: Paths) -> list[str]:
    kind = "fill" if paths.closed else "stroke"
    cubics, widths, colours = (tensor.detach().tolist() for tensor in (paths.cubics(), paths.widths, paths.colours))
    elements = []
    for pieces, width, (*colour, opacity) in zip(cubics, widths, colours, strict=True):
        curve = f"M{_pair(pieces[0][0])}" + "".join("C" + " ".join(map(_pair, piece[1:])) for piece in pieces)
        paint = f'{kind}="#{"".join(f"{round(255 * level):02x}" for level in colour)}" {kind}-opacity="{_number(opacity, 3)}"'
        elements.append(
            f'<path d="{curve}Z" {paint}/>'
            if paths.closed
            else f'<path d="{curve}" {paint} stroke-width="{_number(width, DIGITS)}"/>'
        )
    return elements


def _pair(point: list[float]) -> str:
    return f"{_number(point[0], DIGITS)},{_number(point[1], DIGITS)}"


def _number(value: float, digits: int) -> str:
    """A number without needless digits; never "-0"."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _escaped(text: str) -> str:
    """A text inside of XML, without the control characters that XML forbids."""
    plain = "".join(letter for letter in text if letter >= " " and not "\ud800" <= letter <= "\udfff")
    return html.escape(plain, quote=False)
