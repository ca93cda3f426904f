"""The house as code: its rooms, which may import which, and the section of docs/design.md that says so."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import seesay

SOURCE = Path(seesay.__file__).parent
PROJECT = SOURCE.parent.parent

# A room or loose file may import its own row and the rows before it, also for types alone.
ORDER = (
    ("errors", "_version"),
    ("system",),
    ("images", "tokenizers"),
    ("models",),
    ("engines",),
    ("checkpoints",),
    ("tasks",),
    ("model", "finders"),
    ("evaluation", "generation", "library"),
    ("render",),
    ("compat", "serving", "training"),
    ("cli", "testing", "__main__"),
)
ROW = {room: number for number, rooms in enumerate(ORDER) for room in rooms}
DATA = {
    "bundled": "The bundled model's files",
    "locale": "Chinese messages: .po, and .mo compiled from it",
    "phrases": "The packaged phrases, English and Chinese",
    "templates": "Jinja2 templates of the pages",
    "ui": "The page: plain JavaScript modules, CSS and HTML",
    "vocabularies": "The packaged vocabularies",
}
BEGIN, END = "<!-- tree: made by scripts/design -->", "<!-- end of the tree -->"


@cache
def modules() -> dict[str, Path]:
    """Every module by its name below `seesay`; that of a package is the package's."""
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = file
    return found


def imports(file: Path, *, at_import: bool = False) -> Iterator[str]:
    """Names below `seesay` that a file imports anywhere, or only what is imported with it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    known = modules()
    for node in tree.body if at_import else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "seesay":
            inside = node.module.removeprefix("seesay").lstrip(".")
            for alias in node.names:
                full = f"{inside}.{alias.name}".lstrip(".")
                yield full if full in known else inside
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("seesay.") for alias in node.names if alias.name.startswith("seesay."))


def circle() -> list[str]:
    """Modules that need each other to be imported; empty where there are none."""
    known = modules()
    needs = {name: {other for other in imports(file, at_import=True) if other in known} for name, file in known.items()}
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for other in sorted(needs[name]):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in known if (found := walk(name, []))), [])


def phrase(file: Path) -> str:
    """The first sentence of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.split("\n\n")[0].split())
    end = first.find(". ")
    return (first if end < 0 else first[:end]).rstrip(".:")


def tree() -> str:
    """The package's files with a phrase each, and the order of imports."""
    lines = ["```", "src/seesay/"]
    rooms: list[Path] = sorted(path for path in SOURCE.iterdir() if path.name not in ("__pycache__", "py.typed"))
    for path in sorted(rooms, key=lambda path: path.is_dir()):
        lines += _entry(path, 1)
    order = " · ".join(", ".join(row) for row in ORDER)
    return "\n".join(
        [*lines, "```", "", "Import order; a row may import its own row and the rows before it, never one after it:", order]
    )


def _entry(path: Path, depth: int) -> list[str]:
    indent = "  " * depth
    if path.is_file():
        return [f"{indent}{path.name:{30 - len(indent)}} {phrase(path)}"] if path.suffix == ".py" else []
    if path.name in DATA:
        return [f"{indent}{path.name + '/':{30 - len(indent)}} {DATA[path.name]}"]
    if not (path / "__init__.py").is_file():
        return []
    lines = [f"{indent}{path.name + '/':{30 - len(indent)}} {phrase(path / '__init__.py')}"]
    inside = sorted(
        (p for p in path.iterdir() if p.name not in ("__pycache__", "__init__.py")), key=lambda p: (p.is_dir(), p.name)
    )
    return lines + [line for p in inside for line in _entry(p, depth + 1)]


def page() -> str:
    """docs/design.md as it should be."""
    text = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tree()}\n\n{END}{after}"
