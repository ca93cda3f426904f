"""The frame: what importing loads, what is public, which module may import which."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seesay

SOURCE = Path(seesay.__file__).parent
PROJECT = SOURCE.parent.parent

# docs/design.md: a row may import the rows above it and its own, never one below.
ROWS = (
    ("errors", "network", "pages", "paths", "progress"),
    (
        "strict",
        "config",
        "card",
        "images",
        "prefetch",
        "protobuf",
        "external_data",
        "tables",
        "arrays",
    ),
    (
        "catalog",
        "families",
        "location",
        "model_cache",
        "checkpoint_files",
        "estimate",
        "download",
        "tokenizers",
        "transfer",
    ),
    ("models",),
    ("checkpoints",),
    ("engines",),
    ("conversion",),
    ("tasks",),
    ("model",),
    ("evaluation", "testing"),
    ("fidelity", "training"),
    ("library",),
    ("fonts", "gallery", "map_figure", "map_page", "similarity_figure"),
    ("compat", "serving", "teaching"),
    ("cli", "__main__"),
)


def modules_loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_no_heavy_library() -> None:
    loaded = modules_loaded_by("import seesay")
    assert not {"numpy", "onnxruntime", "torch", "PIL", "tokenizers", "huggingface_hub", "ssl", "rich", "click"} & loaded


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
    heavy = {"PIL", "torch", "rich", "onnx", "filelock", "huggingface_hub", "http.client", "ftfy", "html", "sklearn", "scipy"}
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


def row_of(module: str) -> int | None:
    for number, row in enumerate(ROWS):
        if any(module == name or module.startswith(name + ".") for name in row):
            return number
    return None


def imports_of(file: Path) -> set[str]:
    """Modules of ours that a file imports anywhere, type-checking blocks aside."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(n)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for n in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "seesay":
            inside = node.module.removeprefix("seesay").lstrip(".")
            found |= {f"{inside}.{alias.name}".lstrip(".") for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("seesay.") for a in node.names if a.name.startswith("seesay.")}
    return found


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_point_one_way(file: Path) -> None:
    module = ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    if module in ("__init__", "images"):
        return
    mine = row_of(module)
    assert mine is not None, f"{module} has no row in the import order; add it here and to docs/design.md"
    for other in imports_of(file):
        theirs = row_of(other)
        assert theirs is None or theirs <= mine, f"{module} imports {other}, which stands below it"


def test_no_file_is_longer_than_500_lines() -> None:
    long = [file.name for file in SOURCE.rglob("*.py") if len(file.read_text(encoding="utf-8").splitlines()) > 500]
    assert not long
