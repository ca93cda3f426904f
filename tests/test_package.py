"""The frame: what importing loads, what is public, which module may import which."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seesay
from tests.architecture import PROJECT, ROW, SOURCE, circle, imports, modules, page


def modules_loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_no_heavy_library() -> None:
    loaded = modules_loaded_by("import seesay")
    assert (
        not {"numpy", "onnxruntime", "openvino", "torch", "PIL", "tokenizers", "huggingface_hub", "ssl", "rich", "click"}
        & loaded
    )


def test_a_text_search_needs_no_image_library(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a dog\na car\n")
    search = f"""
import seesay
library = seesay.Library({str(tmp_path / "library")!r})
assert library.search("a puppy", kind="text", n=1)[0].text == "a dog"
"""
    modules_loaded_by(search.replace("assert", f"library.index({str(tmp_path / 'texts.txt')!r})\nassert"))
    assert not {"PIL", "torch", "rich", "onnx", "filelock", "huggingface_hub", "http.client"} & modules_loaded_by(search)


def test_the_search_command_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a dog\na car\n")
    library = str(tmp_path / "library")
    command = "import sys\nfrom seesay.cli.main import _run\nsys.argv = ['seesay', *{}]\nassert _run() == 0"
    modules_loaded_by(command.format(["index", str(tmp_path / "texts.txt"), "--library", library]))
    loaded = modules_loaded_by(command.format(["search", "a puppy", "--in", "texts", "--library", library]))
    assert {"click", "onnxruntime", "tokenizers"} <= loaded
    heavy = {
        "PIL",
        "torch",
        "openvino",
        "rich",
        "onnx",
        "filelock",
        "huggingface_hub",
        "http.client",
        "ftfy",
        "html",
        "sklearn",
        "scipy",
    }
    assert not heavy & loaded


def test_public_names_are_sorted_and_arrive() -> None:
    assert seesay.__all__ == sorted(seesay.__all__)
    for name in seesay.__all__:
        assert getattr(seesay, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = seesay.nonsense


def test_base_install_has_no_torch_pyarrow_or_pydantic() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = " ".join(project["dependencies"])
    assert not any(heavy in names for heavy in ("torch", "pyarrow", "pydantic", "typer"))


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__"} == set(ROW)
    assert len([path for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"]) <= 16
    assert len([path for path in SOURCE.iterdir() if path.is_file()]) <= 8


@pytest.mark.parametrize(("module", "file"), [(module, file) for module, file in modules().items() if module != "__init__"])
def test_imports_point_one_way(module: str, file: Path) -> None:
    room = module.split(".")[0]
    for other in imports(file):
        assert ROW.get(other.split(".")[0], -1) <= ROW[room], f"{module} imports {other}, whose room comes after its own"


def test_no_modules_need_each_other() -> None:
    assert circle() == []


def test_the_design_page_shows_the_files_as_they_are() -> None:
    shown = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")
    assert shown == page(), "docs/design.md is stale; run scripts/design"


def test_no_file_is_longer_than_500_lines() -> None:
    long = [file.name for file in SOURCE.rglob("*.py") if len(file.read_text(encoding="utf-8").splitlines()) > 500]
    assert not long
