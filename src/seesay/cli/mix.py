"""`seesay mix`: the library's pictures on the way between pictures and texts, or a mix of them as a generator takes it."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _
from gettext import ngettext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.drawing import check_drawing, write_drawing
from seesay.cli.options import json_option, library_option, model_option, naming_options, open_model, record
from seesay.cli.output import echo_json, echo_note, echo_wrote, refuse_input, short
from seesay.errors import InputError, MissingCapability
from seesay.system.chinese import is_chinese
from seesay.system.paths import is_url, printable

if TYPE_CHECKING:
    import numpy as np

    from seesay.generation.image_generator import ImageGenerator
    from seesay.generation.mixture import Mixture, Part, Point
    from seesay.library.search.result import Hit
    from seesay.model import Model

ON_THE_WAY, AT_ONE_POINT = 1, 10  # pictures that are shown
MOST_STEPS = 100
SAFETENSORS = ".safetensors"


@dataclass(frozen=True)
class Target:
    """What the mix is written for. generator: None where no generator takes it."""

    strip: str | None
    embedding: str | None
    generator: str | None
    noise_level: int
    seed: int

    @property
    def file(self) -> str | None:
        """The file of vectors; -o may name it, too."""
        return self.embedding or (self.strip if self.is_tensors else None)

    @property
    def drawing(self) -> str | None:
        """The file of the strip."""
        return None if self.is_tensors else self.strip

    @property
    def is_tensors(self) -> bool:
        """Whether -o names a file of vectors."""
        return self.strip is not None and self.strip.lower().endswith(SAFETENSORS)


target_options = record(
    "target",
    Target,
    (
        click.option(
            "-o",
            "--output",
            "strip",
            metavar="FILE",
            type=click.Path(),
            help="Draw a strip of the pictures (.png, .jpg, .webp).",
        ),
        click.option(
            "--embedding", metavar="FILE", type=click.Path(), help="Write the vectors (.safetensors), and search no library."
        ),
        click.option(
            "--for",
            "generator",
            metavar="FOLDER|FILE",
            type=click.Path(),
            help="Make the vectors for this generator: a folder of Stable unCLIP, or an IP-Adapter.",
        ),
        click.option(
            "--noise-level", type=click.IntRange(0), default=0, show_default=True, help="Of Stable unCLIP: higher varies more."
        ),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of that noise."),
    ),
)


@click.command()
@click.argument("items", nargs=-1, metavar="PICTURE|TEXT...")
@click.option(
    "--weights", metavar="W,W,...", help="A weight for each, which may be negative; makes one mix, unless --steps is more."
)
@click.option(
    "--steps",
    type=click.IntRange(1, MOST_STEPS),
    metavar="N",
    help="Points of the way; 1 is one mix. Default: 5; with --weights 1.",
)
@click.option("-n", "n", type=click.IntRange(1), metavar="N", help="Pictures at each point. Default: 1 on a way, else 10.")
@target_options
@library_option
@model_option
@json_option
def mix(
    items: tuple[str, ...],
    weights: str | None,
    steps: int | None,
    n: int | None,
    target: Target,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Mix pictures and texts: the library's nearest pictures on the way from one to the next, or for a generator to vary.

    What names a file, or is a URL, is a picture; all else is a text. A way leads through the pictures in order, with every text
    added at each point; where there are not two pictures, through all items. --weights makes one mix of all instead, and with
    --steps a way on which the texts weigh as much.
    """
    from seesay.generation.mixture import default_steps

    parts = _parts(items, _weights(weights, len(items)))
    _check(parts, target)
    generator, opened = _opened(target, model)
    _check_texts(parts, generator, opened)
    if "zh" not in opened.config.languages and any(is_chinese(part.value) for part in parts if part.kind == "text"):
        echo_note(_("this model was not made for Chinese; results may mean little"))
    steps = steps or default_steps(parts, is_weighted=weights is not None)
    mixture, lengths = _encoded(opened, parts, steps)
    document: dict[str, Any] = {"items": [part._asdict() for part in parts], "space_id": opened.space_id}
    if target.file is not None:
        document |= _write(target, generator, opened, mixture, lengths)
        echo_wrote(target.file)
    if target.file is not None and target.drawing is None and library is None:
        points, found = mixture.points(), None
    else:
        points, found = _nearest(opened, library, mixture, n or (ON_THE_WAY if steps > 1 else AT_ONE_POINT))
    document["steps"] = [_step(point, None if found is None else found[at]) for at, point in enumerate(points)]
    if target.drawing is not None and found is not None:
        _draw(target.drawing, mixture, points, found)
        document["strip"] = os.path.abspath(target.drawing)
    if as_json:
        echo_json(document)
    else:
        _print(mixture, points, found)
        if target.file is not None:
            _print_tensors(document["tensors"], len(points))
    return 0


def _weights(text: str | None, count: int) -> list[float]:
    """Raises UsageError for weights that are no numbers, or not as many as the items."""
    if text is None:
        return [1.0] * count
    try:
        weights = [float(each) for each in re.split("[,，]", text)]
    except ValueError:
        raise click.UsageError(
            _("--weights takes numbers with commas between them, such as 1,0.5; got {text!r}.").format(text=text)
        ) from None
    if len(weights) != count:
        raise click.UsageError(
            _("--weights has {weights} numbers for {items} items; give one for each.").format(weights=len(weights), items=count)
        )
    return weights


def _parts(items: Sequence[str], weights: Sequence[float]) -> "tuple[Part, ...]":
    """Which items are pictures and which texts. Raises UsageError, InputError."""
    from seesay.generation.mixture import Part
    from seesay.images.decoding.formats import KIND_OF

    parts = []
    for item, weight in zip(items, weights, strict=True):
        if not item.strip():
            raise click.UsageError(_("One of the items is empty; give the name of a picture, or a text."))
        is_picture = is_url(item) or os.path.isfile(item)
        suffix = os.path.splitext(item)[1].lower()
        if not is_picture and (suffix in KIND_OF or (os.path.isdir(item) and os.sep in item)):
            raise InputError(
                _("there is no picture {file}. To mix in a text, write it without {suffix}").format(
                    file=printable(item), suffix=suffix or os.sep
                )
            )
        parts.append(Part("picture" if is_picture else "text", item, weight))
    return tuple(parts)


def _check(parts: "Sequence[Part]", target: Target) -> None:
    """Raises UsageError, InputError before the long work."""
    least = 1 if target.generator else 2
    if len(parts) < least:
        raise click.UsageError(_('Give at least two: pictures or texts, such as: seesay mix a.jpg b.jpg "snow".'))
    if target.embedding is not None and not target.embedding.lower().endswith(SAFETENSORS):
        raise click.UsageError(
            _("--embedding writes safetensors; name it .safetensors, not {file}.").format(file=target.embedding)
        )
    if target.is_tensors and target.embedding is not None:
        raise click.UsageError(_("Both -o and --embedding name a file of vectors; give one."))
    if target.generator is not None and target.file is None:
        raise click.UsageError(_("--for makes vectors; say where to write them, -o FILE.safetensors."))
    pictures = [part.value for part in parts if part.kind == "picture"]
    check_drawing(target.drawing, *pictures)
    refuse_input(target.file, *pictures, *([target.generator] if target.generator else []))
    if target.file is not None:
        from seesay.checkpoints.containers.outputs import check_replaceable

        check_replaceable(Path(target.file))


def _check_texts(parts: "Sequence[Part]", generator: "ImageGenerator | None", model: "Model") -> None:
    """Raises MissingCapability for texts where the generator's own encoder reads none, with the way out."""
    if generator is None or model.config.text is not None or all(part.kind == "picture" for part in parts):
        return
    raise MissingCapability(
        _(
            "the image encoder of {generator} encodes pictures only, so it cannot mix in the text {text!r}. Name a whole CLIP "
            "of the same space, the one that the encoder was taken from (--model), or leave out the text"
        ).format(generator=generator.name, text=next(part.value for part in parts if part.kind == "text"))
    )


def _opened(target: Target, name: str | None) -> "tuple[ImageGenerator | None, Model]":
    """The generator, and the model whose space the mix is in. Raises ModelError, InputError where they differ."""
    if target.generator is None:
        return None, open_model(name)
    from seesay.generation.image_generator import read_generator

    generator = read_generator(Path(target.generator))
    if name is None:
        return generator, generator.open_encoder()
    model = open_model(name)
    generator.check_space(model)
    if generator.encoder is None:
        echo_note(_("only the width of the generator's space could be compared: its image encoder is not beside it"))
    return generator, model


def _encoded(model: "Model", parts: "tuple[Part, ...]", steps: int) -> "tuple[Mixture, np.ndarray]":
    """The parts' unit vectors (N, D), and the lengths (N,) that the model's own embeddings have. Raises UnreadableImage."""
    import numpy as np

    from seesay.generation.mixture import Mixture
    from seesay.models.vectors import normalize

    raw = np.empty((len(parts), model.dim), dtype=np.float32)
    for at, part in enumerate(parts):
        encode = model.encode_image if part.kind == "picture" else model.encode_text
        raw[at] = encode([part.value], normalize=False)[0]
    return Mixture(parts, normalize(raw), steps), np.linalg.norm(raw, axis=1)


def _write(
    target: Target, generator: "ImageGenerator | None", model: "Model", mixture: "Mixture", lengths: "np.ndarray"
) -> dict[str, Any]:
    """Writes the vectors, and returns what --json says about them."""
    import numpy as np

    from seesay.generation.variations import lengthened, save_arrays, variations

    assert target.file is not None
    file, vectors = Path(target.file), np.stack([point.vector for point in mixture.points()])
    facts: dict[str, Any] = {
        "items": [part._asdict() for part in mixture.parts],
        "model": model.name,
        "space_id": model.space_id,
    }
    if generator is None:
        tensors = {"embedding": vectors}
    else:
        pictures = [length for part, length in zip(mixture.parts, lengths, strict=True) if part.kind == "picture"]
        if not pictures:
            raise InputError(_("the generator takes embeddings as long as those of pictures; give at least one picture"))
        places = np.interp(np.linspace(0, 1, len(vectors)), np.linspace(0, 1, len(pictures)), pictures)
        with naming_options():
            made = variations(generator, lengthened(vectors, places), noise_level=target.noise_level, seed=target.seed)
        tensors, facts = made.tensors, facts | made.facts
    save_arrays(tensors, file, facts)
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    return {"embedding": os.path.abspath(file), "tensors": shapes, **({"for": generator.kind} if generator else {})}


def _nearest(model: "Model", library: str | None, mixture: "Mixture", n: int) -> "tuple[list[Point], list[list[Hit]]]":
    """The points of a mixture in a library, and the n nearest pictures of each, no picture twice and none of its parts."""
    import numpy as np

    from seesay.generation.mixture import spread_out
    from seesay.library import Library

    given = {digest for part in mixture.parts if part.kind == "picture" and (digest := _id(part.value)) is not None}
    with Library(library, model) as opened:
        points = mixture.points(opened.spreads(mixture.vectors)[:, 1])
        means, deviations = opened.spreads(np.stack([point.vector for point in points])).T
        most = n * len(points) + len(given)
        lists = [[hit for hit in opened.search_vector(point.vector, n=most) if hit.id not in given] for point in points]
        stored = {hit.id: opened.vector(hit.id) for hits in lists for hit in hits}
    hits_by_id = [{hit.id: hit for hit in hits} for hits in lists]
    nearness = {
        name: (np.array([point.vector @ vector for point in points]) - means) / np.maximum(deviations, 1e-6)
        for name, vector in stored.items()
        if vector is not None
    }
    chosen = spread_out([list(hits) for hits in hits_by_id], nearness, n)
    return points, [[hits[name] for name in some] for hits, some in zip(hits_by_id, chosen, strict=True)]


def _id(file: str) -> str | None:
    """The id by which a library would know a picture's file; None for a URL."""
    return None if is_url(file) else hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]


def _step(point: "Point", hits: "Sequence[Hit] | None") -> dict[str, Any]:
    at = {} if point.at is None else {"at": round(point.at, 6)}
    return at | ({} if hits is None else {"results": [hit.to_json() for hit in hits]})


def _draw(file: str, mixture: "Mixture", points: "Sequence[Point]", found: "Sequence[Sequence[Hit]]") -> None:
    from seesay.errors import UnreadableImage
    from seesay.images.thumbnail import thumbnail
    from seesay.render.strip import CELL_PX, Cell, draw_strip

    def cell(hit: "Hit", caption: str) -> Cell:
        try:
            return Cell(thumbnail(hit.path, CELL_PX), caption)
        except UnreadableImage:
            return Cell(os.path.basename(hit.path), caption)

    columns = []
    for part in mixture.parts:
        content = thumbnail(part.value, CELL_PX) if part.kind == "picture" else part.value
        columns.append([Cell(content, "" if part.weight == 1 else f"× {part.weight:g}", given=True)])
    for point, hits in zip(points, found, strict=True):
        if point.at is None:  # one point: its pictures side by side
            columns += [[cell(hit, f"{hit.score or 0:.3f}")] for hit in hits]
        else:
            columns.append([cell(hit, f"{point.at:.0%}") for hit in hits])
    image, unknown = draw_strip(columns)
    write_drawing(image, file, unknown)


def _print(mixture: "Mixture", points: "Sequence[Point]", found: "Sequence[Sequence[Hit]] | None") -> None:
    """What the items are, then a line for each picture found."""
    for part in mixture.parts:
        kind = _("picture") if part.kind == "picture" else _("words")
        weight = "" if part.weight == 1 else f"  × {part.weight:g}"
        click.echo(f"{kind}  {short(part.value) if part.kind == 'picture' else printable(part.value)}{weight}")
    if found is None:
        return
    click.echo("")
    for point, hits in zip(points, found, strict=True):
        for hit in hits:
            where = "" if point.at is None else f"{point.at:4.0%}  "
            click.echo(f"{where}{hit.score or 0:6.3f}  {short(hit.path)}")
    if not any(found):
        click.echo(_("the library has no other pictures"), err=True)


def _print_tensors(shapes: dict[str, list[int]], points: int) -> None:
    """The tensors that were written, and what their rows are."""
    each = ngettext("{count} row, the mix", "{count} rows, the points of the way from its beginning", points)
    rows = {
        "class_labels": _("the same rows with the noise of --noise-level"),
        "ip_adapter_image_embeds": ngettext(
            "{count} row of zeros for guidance, then the mix", "{count} rows of zeros for guidance, then the points", points
        ),
    }
    for name, shape in shapes.items():
        size = " × ".join(map(str, shape))
        click.echo(f"  {name:25}{size:14}{rows.get(name, each).format(count=points)}")
