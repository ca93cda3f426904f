"""`seesay doctor`: checks the installation, the devices, the bundled model and the library."""

import os
import platform
import time
from gettext import gettext as _
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from seesay._version import __version__
from seesay.cli.language import translate
from seesay.cli.options import json_option, library_option
from seesay.cli.output import echo_error, echo_json
from seesay.errors import NoLibrary, SeeSayError
from seesay.system.paths import printable

PACKAGES = ("numpy", "pillow", "onnxruntime", "tokenizers", "torch", "openvino")


@click.command()
@library_option
@json_option
def doctor(library: str | None, as_json: bool) -> int:
    """Check this installation: versions, devices to compute on, the bundled model (by running it), the library and the files it
    could not read."""
    problems: list[str] = []
    facts: dict[str, Any] = {
        "seesay": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {**{name: _version(name) for name in PACKAGES}, **_runtimes(problems)},
        "devices": _devices(),
        "model": _check_model(problems),
        "library": _check_library(library, problems),
        "problems": problems,
    }
    if as_json:
        echo_json(facts)
    else:
        _print(facts)
    return 1 if problems else 0


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _runtimes(problems: list[str]) -> dict[str, str | None]:
    """The builds of ONNX Runtime that are installed, by their names. Adds to `problems` where there are several."""
    found = sorted(set(metadata.packages_distributions().get("onnxruntime", [])))
    if len(found) > 1:
        problems.append(
            f"{' and '.join(found)} are installed into the same folder and overwrite each other. Keep one: "
            f"pip uninstall {' '.join(found)}; pip install {found[-1]}"
        )
    return {name: _version(name) for name in found}


def _devices() -> list[dict[str, object]]:
    """Every device of every engine, whether it can be used here, why not and what it needs."""
    from seesay.engines.devices import DEVICES, fault

    faults = [(device, fault(device)) for device in DEVICES]
    return [
        {"engine": device.engine, "device": device.name, "available": why is None, "why": why, "needs": device.get}
        for device, why in faults
    ]


def _check_model(problems: list[str]) -> dict[str, object]:
    """Runs both towers once, which fails for a wheel of another machine or a damaged download. Adds to `problems`."""
    import numpy as np

    from seesay.model import load
    from seesay.system.cpu import available_cores

    try:
        model = load()
        started = time.perf_counter()
        words = model.encode_text(["a red picture", "a bicycle"])
        text_s = time.perf_counter() - started
        started = time.perf_counter()
        picture = model.encode_image(np.full((64, 64, 3), (220, 20, 20), dtype=np.uint8))
        image_s = time.perf_counter() - started
        if not (np.isfinite(words).all() and np.isfinite(picture).all()):
            problems.append("the bundled model gives numbers that are not finite; install onnxruntime again")
        return {
            "name": model.name,
            "space_id": model.space_id,
            "build_id": model.build_id,
            "cores": available_cores(),
            "first_text_ms": round(text_s * 1e3),
            "first_image_ms": round(image_s * 1e3),
        }
    except (SeeSayError, ImportError) as error:
        problems.append(f"the bundled model does not run: {error}")
        return {}


def _check_library(library: str | None, problems: list[str]) -> dict[str, object]:
    """Counts and faults of the library, for --json. Adds to `problems`."""
    from seesay.library import Library

    opened = Library(library)
    try:
        with opened:
            stats = opened.stats()
            failures = opened.failures()
    except NoLibrary:
        return {"path": str(opened.path), "exists": False}
    except SeeSayError as error:
        problems.append(str(error))
        return {"path": str(opened.path)}
    size = sum(file.stat().st_size for file in Path(opened.path).rglob("*") if file.is_file())
    problems.extend(f"{printable(root['path'])} is not there now" for root in stats["roots"] if not root["available"])
    failed = [{"path": path, "reason": reason, "tries": tries} for path, reason, tries in failures]
    return {
        **stats,
        "exists": True,
        "megabytes": round(size / 1e6, 1),
        "writable": os.access(opened.path, os.W_OK),
        "failed": failed,
    }


def _print(facts: dict[str, Any]) -> None:
    click.echo(f"SeeSay {facts['seesay']}, Python {facts['python']}, {facts['platform']}")
    click.echo("  " + ", ".join(f"{name} {version or _('not installed')}" for name, version in facts["packages"].items()))
    _print_devices(facts["devices"])
    if facts["model"]:
        _print_model(facts["model"])
    library = facts["library"]
    if library.get("exists"):
        _print_library(library)
    else:
        click.echo(
            _("Library {library}: none yet. Make one with: seesay index FOLDER").format(library=printable(library["path"]))
        )
    for problem in facts["problems"]:
        echo_error(_("problem: {problem}").format(problem=translate(problem)))
    if not facts["problems"]:
        click.echo(_("All in order."))


def _print_devices(devices: list[dict[str, Any]]) -> None:
    for engine in dict.fromkeys(device["engine"] for device in devices):
        own = [device for device in devices if device["engine"] == engine]
        here = ", ".join(device["device"] for device in own if device["available"])
        click.echo(_("Engine {engine}: computes on {devices}").format(engine=engine, devices=here or _("nothing here")))
        for device in own:
            if not device["available"]:
                click.echo(
                    _("  not on {device}: {why}. It needs: {needs}").format(
                        device=device["device"], why=translate(device["why"]), needs=device["needs"]
                    )
                )


def _print_model(model: dict[str, Any]) -> None:
    click.echo(
        _("Model {name}: space {space_id}, build {build_id}, {cores} cores").format(
            name=model["name"], space_id=model["space_id"][:8], build_id=model["build_id"], cores=model["cores"]
        )
    )
    click.echo(
        _("  opened and ran: text {first_text_ms} ms, picture {first_image_ms} ms").format(
            first_text_ms=model["first_text_ms"], first_image_ms=model["first_image_ms"]
        )
    )


def _print_library(library: dict[str, Any]) -> None:
    files, pictures = library["files"], library["contents"].get("image", 0)
    is_one_each = files.get("image", 0) == pictures
    copies = "" if is_one_each else _(" in {image} files (copies are one picture)").format(image=files["image"])
    click.echo(
        _("Library {library}: {megabytes} MB").format(library=printable(library["path"]), megabytes=library["megabytes"])
        + ("" if library["writable"] else _(", read-only"))
    )
    click.echo(
        _("  {pictures} pictures{copies}, {text} lists of texts, {failed} unreadable files").format(
            pictures=pictures, copies=copies, text=files.get("text", 0), failed=files.get("failed", 0)
        )
    )
    for root in library["roots"]:
        click.echo(f"  {printable(root['path'])}")
    for path in library["excluded"]:
        click.echo(_("  left out: {value}").format(value=printable(path)))
    for space in library["spaces"]:
        _print_space(space)
    for failure in library["failed"]:
        click.echo(
            _("  cannot read {failed}: {reason}").format(failed=printable(failure["path"]), reason=translate(failure["reason"]))
        )


def _print_space(space: dict[str, Any]) -> None:
    """Prints how many vectors of one model the library holds."""
    kinds = {"image": _("pictures"), "text": _("texts")}
    counts = (_("{count} of {what}").format(count=count, what=kinds[kind]) for kind, count in space["vectors"].items())
    click.echo(
        _("  vectors by model {model} (space {space_id}): {vectors}").format(
            model=space["model"], space_id=space["space_id"][:8], vectors=", ".join(counts) or _("none")
        )
    )
