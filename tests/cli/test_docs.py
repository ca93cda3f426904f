"""docs/cli.md is made from the commands, and docs/schemas has a schema for every JSON document."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from seesay.cli import main
from tests.cli.conftest import SCHEMAS, Run
from tests.parity.test_checkpoints import DATA

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_command_line_is_current() -> None:
    run = subprocess.run([sys.executable, ROOT / "scripts/cli_docs", "--check"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def _commands(group: click.Group, name: str) -> dict[str, click.Command]:
    """Every command below a group, by its words joined with a hyphen."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        full = f"{name}-{word}".removeprefix("-")
        found |= _commands(command, full) if isinstance(command, click.Group) else {full: command}
    return found


def test_every_command_with_json_has_a_schema() -> None:
    commands = _commands(main.seesay, "")
    with_json = {name for name, command in commands.items() if any("--json" in param.opts for param in command.params)}
    assert with_json == {file.stem for file in SCHEMAS.glob("*.json")}


@pytest.mark.parametrize(
    "command",
    [
        ("models", "architectures", "--json"),
        ("models", "info", "ViT-B/32", "--json"),
        ("models", "inspect", DATA / "hf-clip-5", "--json"),
        ("models", "list", "--local", "--json"),
        ("models", "choose", "--ram", "1G", "--json"),
        ("models", "verify", "--json"),
    ],
)
def test_what_the_models_commands_print_is_as_their_schemas_say(run: Run, command: tuple[object, ...]) -> None:
    assert run(*command).out  # which validates it


def test_what_the_library_commands_print_is_as_their_schemas_say(run: Run, album: Path) -> None:
    for command in (
        ("index", album, "--json"),
        ("tag", "--label", "mine", album / "red", "--json"),
        ("tag", "--label", "mine", "--remove", "--json"),
        ("search", "--sort", "newest", "--json"),
        ("duplicates", "--json"),
        ("doctor", "--json"),
        ("forget", album, "--json"),
    ):
        assert run(*command).out
