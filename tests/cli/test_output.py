"""What commands share in printing."""

import time
from pathlib import Path

import pytest

from seesay.cli import progress
from seesay.system.progress import about
from tests.cli.conftest import Run


def test_a_log_gets_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress.progress_bar("Indexing", quiet=False) as show:
        assert show is not None
        show(0, 90_000)
        for done in range(1, 1281):
            now += 1 / 32
            show(done, 90_000)
        now += 60
        show(90_000, 90_000)
    assert capsys.readouterr().err.splitlines() == [
        f"seesay: Indexing: {done} of 90,000, 32/s, 47 min left" for done in ("320", "640", "960", "1,280")
    ]
    with progress.progress_bar("Indexing", quiet=True) as nothing:
        assert nothing is None


def test_a_log_is_told_soon_how_long_slow_work_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress.progress_bar("Drawing", quiet=False, estimated=True) as show:
        assert show is not None
        for done in range(1, 7):
            show(done, 150)
            now += 1.5
    assert capsys.readouterr().err == "seesay: about 4 minutes left\n"  # 147 steps of 1.5 s
    assert [about(seconds) for seconds in (1, 31, 60, 3000, 9000)] == [
        "about 5 seconds",
        "about 35 seconds",
        "about 1 minute",
        "about 50 minutes",
        "about 2 hours",
    ]


@pytest.mark.parametrize(
    "command", [("index", "ALBUM"), ("embed", "ALBUM", "-o", "out.npz"), ("duplicates",), ("search", "red", "--json")]
)
def test_commands_tell_a_log_how_far_they_are(
    run: Run, album: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    if command[0] != "index":
        run("index", album)
    monkeypatch.setattr("seesay.system.progress.EVERY_S", 0.0)
    monkeypatch.setattr("seesay.cli.embed.FEW", 2)
    output = run(*(album if word == "ALBUM" else word for word in command))
    assert output.code == 0
    lines = [line for line in output.err.splitlines() if " of 4" in line]
    assert len(lines) == {"index": 3, "embed": 3}.get(command[0], 0)


def test_work_without_a_measure_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with progress.working("writing"):
        pass
    assert capfd.readouterr().err == ""
    monkeypatch.setattr("seesay.system.progress.EVERY_S", 0.05)
    with progress.working("writing"):
        time.sleep(0.5)
    lines = capfd.readouterr().err.splitlines()
    assert 3 <= len(lines) <= 10
    assert set(lines) == {"seesay: writing ..."}


@pytest.mark.parametrize("group", [(), ("models",), ("eval",)])
def test_help_lists_commands_with_whole_sentences(run: Run, group: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = run(*group, "--help").out
    listed = " ".join(output[output.index("Commands:") :].split())
    assert "..." not in listed
    if not group:
        assert (
            "doctor Check this installation: versions, devices to compute on, the bundled model (by running it), the library"
            in listed
        )


def test_a_command_that_is_nearly_one_gets_a_suggestion(run: Run) -> None:
    for words, told in (
        (("serch", "a dog"), "No such command 'serch'. Near: search, serve."),
        (("models", "verifi"), "No such command 'verifi'. Near: verify."),
    ):
        result = run(*words)
        assert result.code == 2
        assert told in result.err
    assert "Near" not in run("zzzzz").err
