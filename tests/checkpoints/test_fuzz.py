"""200 damaged checkpoints of fuzz.py: each opens as a model or raises a ModelError that gives the reason."""

from pathlib import Path

import pytest

from tests.checkpoints import fuzz

FIRST, COUNT, AT_ONCE = 0, 200, 25


@pytest.fixture(scope="session")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    return fuzz.sources(tmp_path_factory.mktemp("wholes"))


def test_whole_ones_are_fine(wholes: dict[str, tuple[Path, Path]]) -> None:
    assert {name: fuzz.outcome(folder / file) for name, (folder, file) in wholes.items()} == dict.fromkeys(wholes, "fine")


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, AT_ONCE))
def test_nothing_but_a_model_or_a_model_error_comes_out(
    first: int, wholes: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    refused = 0
    for number in range(first, first + AT_ONCE):
        what, opened = fuzz.make(number, wholes, tmp_path / str(number))
        try:
            refused += "Error" in fuzz.outcome(opened)
        except (Exception, fuzz.Late) as error:
            raise AssertionError(f"{what}: {error!r}") from error
    assert refused > AT_ONCE // 2
