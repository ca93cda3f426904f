"""What the command line says in Chinese: all of it, in the language that the environment asks for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seesay.cli import language
from seesay.library import Library
from seesay.model import Model
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
CATALOGUE = language.FOLDER / "zh" / "LC_MESSAGES" / "seesay.mo"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")


def test_the_catalogues_have_everything_that_is_said_with_its_placeholders() -> None:
    pytest.importorskip("babel")
    run = subprocess.run([sys.executable, ROOT / "scripts/messages", "--check"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_every_form_of_an_error_is_told_by_its_own_translation(chinese: None) -> None:
    forms = language._forms(str(CATALOGUE))
    assert len(forms) > 300
    for form, text in forms:
        message = form.pattern.replace("(.*?)", "\0")
        message = re.sub(r"\\(.)", r"\1", message, flags=re.DOTALL)
        count = message.count("\0")
        for number in range(count):
            message = message.replace("\0", f"«{number}»", 1)
        assert language.translate(message) == language._fill(text, [f"«{number}»" for number in range(count)]), message


@pytest.mark.parametrize(
    ("environment", "speaks"),
    [
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_TW.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, True),
        ({"SEESAY_LANG": "zh"}, True),
        ({"SEESAY_LANG": "zh-CN", "LANG": "C"}, True),
        ({"SEESAY_LANG": "en", "LANG": "zh_CN.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({}, False),
    ],
)
def test_the_environment_says_which_language(environment: dict[str, str], speaks: bool) -> None:
    usual = {name: value for name, value in os.environ.items() if name not in ("LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES")}
    output = subprocess.run(
        [sys.executable, "-m", "seesay", "search", "--library", "/nowhere/at all", "dog"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**usual, "PYTHONUTF8": "1", **environment},
        check=False,
    )
    assert output.returncode == 2
    assert ("没有图库" in output.stderr) is speaks
    assert ("there is no library" in output.stderr) is not speaks


def test_help_is_in_chinese_whole_and_within_the_terminal(run: Run, chinese: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ((), ("index",), ("search",), ("models",), ("models", "convert"), ("eval", "linear-probe")):
        output = run(*command, "--help").out
        assert "用法" in output
        assert "显示这段说明并退出" in output
        assert "Options" not in output
        columns = [sum(1 + bool(CHINESE.match(letter)) for letter in line) for line in output.splitlines()]
        assert max(columns) <= 100, output


def test_a_session_in_chinese(run: Run, album: Path, chinese: None, bundled: Model) -> None:
    (album / "坏.jpg").write_bytes(b"")
    indexed = run("index", album)
    assert indexed.out.startswith("已编码 4，失败 1，用时 ")
    assert indexed.err == f"seesay: {album / '坏.jpg'}: 是空的（0 字节）\n"
    assert re.match(r'2 张图片，对应 "红色"，最接近的在前：|这里没有可能符合', run("search", "红色", "-n", "2").out)
    assert run("search", "红色", "--tag", "x").err == "seesay: --tag：没有图片带标签 'x'\n"
    assert run("search", "红色", "--after", "哪天").err.startswith("seesay: --after：应为日期，例如 2024")
    assert run("search", "红色 - ").err == "seesay: 这里应为文字、photo:文件、name:名称 或 like:ID\n    红色 -\n          ^\n"
    assert "没有选项 '--colour'" in run("search", "--colour").err
    assert "没有命令 'serach'" in run("serach").err
    assert "seesay: 没有模型 'nothing'：它既不在目录中" in run("search", "x", "--model", "nothing").err
    assert run("embed", album / "none.png", "-o", album / "x.npz").err.startswith(f"seesay: {album / 'none.png'}: 没有这个文件")
    with Library(None, bundled).writing():
        assert f"process {os.getpid()} 正在写入" in run("index", album).err
    assert f"无法读取 {album / '坏.jpg'}：是空的（0 字节）" in run("doctor").out


def test_json_and_errors_for_programs_stay_english(run: Run, album: Path, chinese: None) -> None:
    (album / "bad.jpg").write_bytes(b"")
    assert json.loads(run("index", album, "--json").out)["failed"][0]["reason"] == "is empty (0 bytes)"
    facts = json.loads(run("doctor", "--json").out)
    assert facts["library"]["failed"][0]["reason"] == "is empty (0 bytes)"
    document = json.loads(run("search", "red", "--json").out)
    assert not CHINESE.search(json.dumps(document["results"], ensure_ascii=False).replace(str(album), ""))


def test_what_no_form_fits_is_told_as_it_is(chinese: None) -> None:
    assert language.translate("something else entirely") == "something else entirely"
    assert language.translate("a.png: no such file") == "a.png: 没有这个文件"
    assert language.translate("a.png: no such file\n    photo:a.png\n    ^") == "a.png: 没有这个文件\n    photo:a.png\n    ^"
