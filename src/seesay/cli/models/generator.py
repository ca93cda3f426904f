"""Prints what an image generator's file holds, and how its text encoders relate to others, for `seesay models inspect`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from gettext import gettext as _
from gettext import ngettext
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import click

from seesay.cli.language import translate
from seesay.cli.progress import progress_bar

if TYPE_CHECKING:
    from seesay.checkpoints.diffusion.comparison import Comparison, Other
    from seesay.checkpoints.diffusion.generator import EncoderFacts, Generator
    from seesay.checkpoints.diffusion.kinship import Kinship
    from seesay.checkpoints.diffusion.parts import Part
    from seesay.checkpoints.overrides import Overrides
    from seesay.system.progress import Progress

COLUMN = 14
FEW_NUMBERS = 100_000  # fewer would be 0.0 million
LEAST_MB = 0.1
USUAL = ("denoiser", "vae", "safety_checker")  # parts that are named also where a generator's file lacks them


def named_others(names: Sequence[str]) -> "list[Other]":
    """What --against names: paths, or models whose weights are on this machine. Raises BadParameter for any other."""
    from seesay.checkpoints.diffusion.comparison import Other
    from seesay.checkpoints.hub.catalog import find
    from seesay.checkpoints.hub.local import local_weights

    others = []
    for name in names:
        entry = None if Path(name).exists() else find(name)
        path = Path(name) if entry is None else local_weights(entry)
        if path is None:
            assert entry is not None
            message = _("{name} is not on this machine; seesay models pull {id} gets it.").format(name=name, id=entry.id)
            raise click.BadParameter(message, param_hint="--against")
        if not path.exists():
            message = _("{name} is neither a file or folder nor a model of the catalogue.").format(name=name)
            raise click.BadParameter(message, param_hint="--against")
        others.append(Other(name if entry is None else entry.id, path, entry))
    return others


def compared(file: Path, others: "Sequence[Other]", overrides: "Overrides", *, quiet: bool) -> "list[Comparison]":
    """The text encoders of a file beside those of `others` and published ones on this machine."""
    from seesay.checkpoints.diffusion import text_encoders
    from seesay.checkpoints.diffusion.comparison import compare

    def report(name: str) -> "AbstractContextManager[Progress | None]":
        return progress_bar(_("Comparing {name}").format(name=name), quiet=quiet, first=_("Comparing"))

    return list(compare(text_encoders(file, overrides), others, overrides, report))


def echo_generator(generator: "Generator", comparisons: "Sequence[Comparison]") -> None:
    """Prints the text encoders, each with what it is equal to or made from, and the other parts."""
    for encoder in generator.encoders:
        echo_row(_("text encoder"), _encoder(encoder))
        own = [each for each in comparisons if each.encoder == encoder.name]
        published = [each for each in own if each.is_published]
        original = max(published, key=_nearness, default=None)
        shown = [each for each in own if not each.is_published or each is original]
        echo_comparisons([each for each in shown if each is not original or _nearness(each)])
        if original is None or not _nearness(original):
            echo_row("", _unknown(encoder, [each.other for each in published]))
    for part in generator.parts:
        echo_row(_part_name(part.kind), _part(part))
    held = {part.kind for part in generator.parts}
    if generator.family is not None:
        for kind in USUAL:
            if kind not in held:
                echo_row(_part_name(kind), _("not in it"))


def echo_row(name: str, value: str) -> None:
    """Prints a name and its value in two columns; letters such as Chinese ones are two columns wide."""
    wide = sum(east_asian_width(letter) in "WF" for letter in name)
    click.echo(f"{name:{COLUMN - wide}} {value}")


def echo_comparisons(comparisons: "Sequence[Comparison]") -> None:
    """Prints a line per comparison, and the fingerprint that they share."""
    for each in comparisons:
        echo_row("", verdict(each))
    for digest in dict.fromkeys(each.fingerprint for each in comparisons):
        echo_row("", _("fingerprint {digest}").format(digest=digest))


def echo_answer(file: Path, other: str, comparisons: "Sequence[Comparison]") -> None:
    """Answers whether two files share one CLIP: every text encoder of the first equals one of the second."""
    relations = {(each.encoder, _relation(each.kinship)) for each in comparisons if each.other == other}
    names = {name for name, _kind in relations}
    same = {name for name, relation in relations if relation == "equal"}
    rounded = {name for name, relation in relations if relation == "rounded"}
    if same == names:
        answer = _("yes")
    elif same | rounded == names:
        answer = _("yes, but for the precision in which they are stored")
    elif names == {name for name, relation in relations if relation == "unlike"}:
        answer = _("no; they have the same numbers, and with other settings these give other vectors")
    elif same | rounded:
        answer = _("only {names}").format(names=", ".join(sorted(same | rounded)))
    else:
        answer = _("no")
    click.echo(
        _("Do {file} and {other} share one CLIP? {answer}.").format(file=file.name, other=Path(other).name, answer=answer)
    )


def _relation(kin: "Kinship") -> str:
    """The relation, but "unlike" for copies that compute with other settings."""
    return "unlike" if kin.unlike and kin.relation in ("equal", "rounded") else kin.relation


def verdict(comparison: "Comparison") -> str:
    """How a text encoder relates to another, in words."""
    kin, other = comparison.kinship, _other(comparison)
    match _relation(kin):
        case "unlike":
            settings = ", ".join(
                _("another {setting} ({own}, not {other})").format(setting=_setting(name), own=values[0], other=values[1])
                for name, values in kin.unlike.items()
            )
            said = _("the same numbers as {other}, but {settings}: other vectors; the fingerprint is one of numbers").format(
                other=other, settings=settings
            )
        case "equal":
            said = _("equals {other}").format(other=other)
        case "rounded":
            said = _rounded(kin, other)
        case "fine-tuned" if comparison.is_published:
            said = _("fine-tuned from {other}{measured}").format(other=other, measured=_measured(kin))
        case "fine-tuned":
            said = _("not {other}, but from the same start: one is fine-tuned from the other, or both are{measured}").format(
                other=other, measured=_measured(kin)
            )
        case "unrelated":
            return _("another one than {other}, trained from another start").format(other=other)
        case _:
            return _("of another shape than {other}").format(other=other)
    return said + _lacking(kin)


def _rounded(kin: "Kinship", other: str) -> str:
    if kin.rounded_side == "own":
        return _("equals {other} stored in {dtype}").format(other=other, dtype=kin.dtype)
    if kin.rounded_side == "other":
        return _("equals {other}, which is stored in {dtype}").format(other=other, dtype=kin.dtype)
    return _("equals {other} when both are rounded to {dtype}").format(other=other, dtype=kin.dtype)


def _measured(kin: "Kinship") -> str:
    if kin.cosine is None:
        return _(" (cosine of weights {weights:.4f}; no tokenizer beside it, so no prompts)").format(weights=kin.weight_cosine)
    return _(
        " (cosine {cosine:.3f} over {prompts} prompts, the least {least:.3f}; {differing} of {tensors} tensors differ)"
    ).format(cosine=kin.cosine, prompts=kin.prompts, least=kin.least_cosine, differing=kin.differing, tensors=kin.tensors)


def _lacking(kin: "Kinship") -> str:
    """What only one of two has."""
    said = ""
    if kin.other_only:
        said += _(", without its {parts}").format(parts=", ".join(map(_piece, kin.other_only)))
    if kin.own_only:
        said += _(", with {parts} of its own").format(parts=", ".join(map(_piece, kin.own_only)))
    return said


def _setting(name: str) -> str:
    return {"activation": _("activation"), "heads": _("number of heads")}.get(name, name)


def _piece(name: str) -> str:
    """A layer, or another part of a text encoder."""
    word, _space, number = name.partition(" ")
    if word == "layer":
        return _("layer {number}").format(number=number)
    return _("projection") if name == "projection" else name


def _other(comparison: "Comparison") -> str:
    name = comparison.other if comparison.is_published else Path(comparison.other).name
    return name if comparison.other_encoder == "text_encoder" else f"{name} ({comparison.other_encoder})"


def _encoder(facts: "EncoderFacts") -> str:
    dtypes = ", ".join(facts.dtypes)
    projection = _("projection to {dim}").format(dim=facts.projection) if facts.projection else _("no projection")
    return _(
        "{name}: {kind}, {layers}, width {width}, {heads}, {activation}, {projection}, {dtypes}, filled up with id {pad_id}"
    ).format(
        name=facts.name,
        kind=translate(facts.kind),
        layers=ngettext("{count} layer", "{count} layers", facts.layers).format(count=facts.layers),
        width=facts.width,
        heads=ngettext("{count} head", "{count} heads", facts.heads).format(count=facts.heads),
        activation=facts.activation,
        projection=projection,
        dtypes=dtypes,
        pad_id=facts.pad_id,
    )


def _nearness(comparison: "Comparison") -> float:
    """How near an original is: above 1 for a copy (less with other settings), the cosine of weights for a fine-tuned
    one, 0 for no relation."""
    kin = comparison.kinship
    if kin.relation == "fine-tuned":
        return kin.weight_cosine or 0.0
    return {"equal": 3.0, "rounded": 2.0, "unlike": 1.5}.get(_relation(kin), 0.0)


def _unknown(facts: "EncoderFacts", strangers: list[str]) -> str:
    if strangers:
        return _("unknown: trained from another start than the published ones of this shape on this machine ({names})").format(
            names=", ".join(strangers)
        )
    if facts.original is None:
        return _("unknown: no published CLIP of this shape is on this machine or known as a generator's")
    return _("unknown: no published CLIP of this shape is on this machine; seesay models pull {original} gets it").format(
        original=facts.original
    )


def _part_name(kind: str) -> str:
    names = {
        "denoiser": _("denoiser"),
        "averaged_denoiser": _("its average"),
        "vae": _("VAE"),
        "text_encoder": _("text encoders"),
        "other_encoder": _("T5 or other"),
        "image_encoder": _("image encoder"),
        "safety_checker": _("safety checker"),
        "controlnet": _("ControlNet"),
        "lora": _("LoRA"),
        "textual_inversion": _("new words"),
        "prior": _("prior"),
    }
    return names.get(kind, _("other"))


def _part(part: "Part") -> str:
    tensors = ngettext("{count} tensor", "{count} tensors", part.tensors).format(count=part.tensors)
    size = f"{part.megabytes:.1f} MB" if part.megabytes >= LEAST_MB else _("under {least} MB").format(least=LEAST_MB)
    return _("{tensors}, {numbers}, {size}").format(tensors=tensors, numbers=numbers(part.parameters), size=size)


def numbers(count: int) -> str:
    """How many numbers there are, in millions where they are many."""
    if count < FEW_NUMBERS:
        return ngettext("{count:,} number", "{count:,} numbers", count).format(count=count)
    return _("{millions:.1f} million numbers").format(millions=count / 1e6)
