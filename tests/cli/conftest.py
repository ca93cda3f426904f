"""Commands run in this process through the console script's entry point; a few tests start real processes.

Every JSON document that a test makes a command print is validated against its schema in docs/schemas.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

from seesay.cli.main import _run
from tests.conftest import Paint


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]
SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def check_schema(arguments: tuple[str, ...], document: str) -> None:
    """Raises ValidationError if the output of a command with --json is not as its schema says."""
    words = 2 if arguments[0] in ("models", "eval", "names", "data", "library") else 1
    schema = json.loads((SCHEMAS / f"{'-'.join(arguments[:words])}.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(document), schema)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["seesay", *map(str, arguments)])
        capfdbinary.readouterr()
        code = _run()
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        if "--json" in arguments and out:
            check_schema(tuple(map(str, arguments)), out.decode())
        return Result(code, out.decode("utf-8", "surrogateescape"), err.decode())

    return call


@pytest.fixture
def album(paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four pictures, and a library of its own in the environment."""
    for colour in ("red", "green", "blue", "black"):
        paint(f"{colour}/{colour}.png", colour, size=(64, 64))
    monkeypatch.setenv("SEESAY_LIBRARY", str(tmp_path / "library"))
    return tmp_path / "pictures"
